"""Strips of leads -> outputs: xresnet1d, the convolutional baseline of ECG classification."""

import torch
from torch import Tensor, nn

WIDTH = 32
DROPOUT = 0.25  # before the last linear map


def convolution(inputs: int, outputs: int, kernel: int = 5, stride: int = 1, act: bool = True) -> nn.Sequential:
    """Convolution, batch normalisation and, by default, ReLU."""
    layers = [nn.Conv1d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm1d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU()] if act else []))


class Residual(nn.Module):
    """Two convolutions beside a shortcut that averages before it projects (He et al. 2019, CVPR, ResNet-D)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(convolution(inputs, outputs, stride=stride), convolution(outputs, outputs, act=False))
        self.pool = nn.AvgPool1d(2, ceil_mode=True) if stride == 2 else nn.Identity()
        self.project = convolution(inputs, outputs, 1, act=False) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.body[1][1].weight)  # a block starts as its shortcut

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, samples] -> [B, outputs, samples / stride]."""
        return torch.relu(self.body(x) + self.project(self.pool(x)))


class XResNet1d(nn.Module):
    """xresnet1d (Strodthoff et al. 2021, IEEE JBHI 25:1519), small: a stem of three convolutions, concat pooling."""

    def __init__(self, leads: int, outputs: int, width: int = WIDTH) -> None:
        super().__init__()
        half = width // 2
        stem = [convolution(leads, half, stride=2), convolution(half, half), convolution(half, width)]
        stages, inputs = [], width
        for outs, stride in ((width, 1), (width, 1), (2 * width, 2), (2 * width, 1), (4 * width, 2), (4 * width, 1)):
            stages.append(Residual(inputs, outs, stride))
            inputs = outs
        self.body = nn.Sequential(*stem, nn.MaxPool1d(3, 2, 1), *stages)
        self.head = nn.Sequential(nn.BatchNorm1d(2 * inputs), nn.Dropout(DROPOUT), nn.Linear(2 * inputs, outputs))

    def forward(self, strip: Tensor) -> Tensor:
        """Strips [B, leads, samples], 0 where missing -> [B, outputs]."""
        x = self.body(strip)
        return self.head(torch.cat([x.mean(2), x.amax(2)], 1))
