"""Signals -> augmented signals: crop, noise, baseline wander, low-pass, fewer leads; each recording by its own seed."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ecgwas import config
from ecgwas.encoder import leads
from ecgwas.encoder.tokens import Grid, Signals, deviation, recorded_leads
from ecgwas.signals.data import AUGMENT, BANK

BANK_SIZE = 1 << 18
HIGHEST_HZ = 40.0  # highest corner of the random low-pass: that of the stored strips


class Augmenter:
    """Draws and applies augmentations; those of a recording depend on (seed, step, its slot) alone."""

    def __init__(self, settings: config.Augment, grid: Grid, seed: int, device: torch.device) -> None:
        self.settings, self.grid, self.seed = settings, grid, seed
        bank = np.random.default_rng([seed, BANK]).standard_normal(BANK_SIZE).astype(np.float32)
        self.bank = torch.from_numpy(bank).to(device)  # white noise, of which every lead takes its own segment

    def __call__(self, signals: Signals, step: int, slots: np.ndarray) -> tuple[Signals, Signals, Tensor]:
        """Signals of the teacher and of the student, and the leads visible to the student: bool [B, L]."""
        rngs = [np.random.default_rng([self.seed, AUGMENT, step, int(slot)]) for slot in slots]
        device = signals.strip.device
        drawn = torch.from_numpy(np.stack([rng.random(10, np.float32) for rng in rngs])).to(device)
        gain = torch.exp((2 * drawn[:, 0] - 1) * math.log1p(self.settings.gain))[:, None, None]
        teacher = replace(signals, strip=signals.strip * gain, beat=signals.beat * gain)
        strip = self._noisy(teacher.strip, drawn[:, 1:6], rngs)
        strip, beat = self._lowpassed(strip, teacher.beat, drawn[:, 6:8])
        seen, lead = self._leads(teacher, rngs)
        student = replace(teacher, strip=self._cropped(strip, drawn[:, 8:10]), beat=beat, lead=lead)
        return teacher, student, seen

    def _noisy(self, strip: Tensor, drawn: Tensor, rngs: list[np.random.Generator]) -> Tensor:
        """Add white noise and a slow wave, relative to each lead's standard deviation, at most as configured."""
        n, samples = strip.shape[1], strip.shape[2]
        starts = np.stack([rng.integers(BANK_SIZE - samples, size=n) for rng in rngs])
        rows = self.bank.unfold(0, samples, 1)[torch.from_numpy(starts).to(strip.device)]  # [B, L, S]
        time = torch.arange(samples, device=strip.device) / self.grid.strip_rate_hz
        hertz = 0.15 * 4 ** drawn[:, 2]  # 0.15 to 0.6
        phase = 2 * math.pi * (hertz[:, None] * time + drawn[:, 3:4])
        wave = math.sqrt(2) * torch.sin(phase)[:, None] * (2 * rows[..., :1]).tanh()  # its size and sign by lead
        noise = self.settings.noise * drawn[:, 0] * (drawn[:, 4] < 0.5)  # half of the recordings get none
        change = noise[:, None, None] * rows + self.settings.wander * drawn[:, 1][:, None, None] * wave
        return strip + change * deviation(strip)[..., None]

    def _lowpassed(self, strip: Tensor, beat: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """The same random corner for both views of a share of the recordings."""
        chosen = (drawn[:, 0] < self.settings.lowpass).nonzero()[:, 0]
        if not len(chosen):
            return strip, beat
        low, high = math.log(self.settings.lowpass_hz), math.log(max(HIGHEST_HZ, self.settings.lowpass_hz))
        corner = torch.exp(low + (high - low) * drawn[chosen, 1])
        strip, beat = strip.clone(), beat.clone()
        strip[chosen] = lowpass(strip[chosen], corner, self.grid.strip_rate_hz)
        beat[chosen] = lowpass(beat[chosen], corner, self.grid.beat_rate_hz)
        return strip, beat

    def _cropped(self, strip: Tensor, drawn: Tensor) -> Tensor:
        """Crop each strip by up to the configured share, from a random start: NaN outside."""
        samples = strip.shape[2]
        cut = (self.settings.crop * drawn[:, 0] * samples).floor()
        start = (drawn[:, 1] * (cut + 1)).floor()
        at = torch.arange(samples, device=strip.device)
        inside = (at >= start[:, None]) & (at < (start + samples - cut)[:, None])
        return torch.where(inside[:, None], strip, torch.nan)

    def _leads(self, signals: Signals, rngs: list[np.random.Generator]) -> tuple[Tensor, Tensor]:
        """Leads visible to the student, bool [B, L], and the codes of their names [B, L]."""
        recorded = recorded_leads(signals).cpu().numpy()
        seen = leads.independent(recorded, self.grid.channels)
        lead = signals.lead.cpu().numpy().copy()
        for k, rng in enumerate(rngs):
            reduced, unnamed = rng.random(2)
            if not recorded[k].any():
                continue
            if unnamed < self.settings.unknown_lead:
                seen[k] = np.arange(len(seen[k])) == rng.choice(np.flatnonzero(recorded[k]))
                lead[k] = self.grid.leads
            elif reduced < self.settings.lead_drop:
                seen[k] = leads.draw(seen[k], recorded[k], self.grid.channels, rng)
        device = signals.strip.device
        return torch.from_numpy(seen).to(device), torch.from_numpy(lead).to(device)


def lowpass(x: Tensor, corner_hz: Tensor, rate_hz: float) -> Tensor:
    """Zero-phase low-pass of x [B, L, samples], gain 1 / (1 + (f/corner)⁸) (Butterworth, order 4, both ways).

    Missing samples stay missing and count as zeros.
    """
    f = torch.fft.rfftfreq(x.shape[2], 1 / rate_hz, device=x.device)
    response = 1 / (1 + (f / corner_hz[:, None]) ** 8)
    filtered = torch.fft.irfft(torch.fft.rfft(x.nan_to_num()) * response[:, None], n=x.shape[2])
    return torch.where(x.isnan(), torch.nan, filtered)
