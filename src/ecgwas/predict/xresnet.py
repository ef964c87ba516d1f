"""Strips -> logits by a convolutional network: the supervised baseline of the field."""

import torch
from torch import Tensor, nn

from ecgwas.pretrain.data import COLUMNS
from ecgwas.pretrain.tokens import Signals

WIDTH = 32
STAGES = ((1, 1), (1, 1), (2, 2), (2, 1), (4, 2), (4, 1))  # widths over `WIDTH`, and stride


def convolution(inputs: int, outputs: int, kernel: int = 5, stride: int = 1, act: bool = True) -> nn.Sequential:
    """Convolution, batch normalisation and, unless told otherwise, ReLU."""
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

    def __init__(self, outputs: int, width: int = WIDTH) -> None:
        super().__init__()
        half = width // 2
        stem = [convolution(8, half, stride=2), convolution(half, half), convolution(half, width)]
        stages, inputs = [], width
        for times, stride in STAGES:
            stages.append(Residual(inputs, times * width, stride))
            inputs = times * width
        self.body = nn.Sequential(*stem, nn.MaxPool1d(3, 2, 1), *stages)
        self.head = nn.Sequential(nn.BatchNorm1d(2 * inputs), nn.Dropout(0.25), nn.Linear(2 * inputs, outputs))

    def logits(self, signals: Signals, seen: Tensor | None = None) -> Tensor:
        """The strips of the eight independent leads, 0 where missing or not `seen` [B, L] -> [B, outputs]."""
        strip = signals.strip if seen is None else torch.where(seen[..., None], signals.strip, torch.nan)
        x = self.body(strip[:, COLUMNS].nan_to_num())
        return self.head(torch.cat([x.mean(2), x.amax(2)], 1))

    forward = logits
