"""Counts of a batch -> tokens: patches of one lead at unit variance, a token for each lead's size, one for the rate.

Letters of the shapes: B recordings, L leads, S and T samples of strip and beat, P and Q patches of a lead in strip and
beat, N = L·(P + Q + 1) + 1 tokens: strip first, lead by lead, then beat, then sizes, then the rate.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder import leads
from ecgwas.encoder.statistics import SMALLEST_SD
from ecgwas.signals.data import MISSING, Batch

CLIP = 3.0  # standard deviations of a sample among recordings; pacing spikes and artefacts go no farther
CLIP_SIZE = 5.0  # the same of a lead's log standard deviation
CLIP_STRIP = 6.0  # standard deviations of a lead in time; R peaks are at 3 to 6


@dataclass(frozen=True)
class Grid:
    """How the two views are cut into tokens."""

    channels: tuple[str, ...]  # names of the L leads
    strip_samples: int  # S
    beat_samples: int  # T
    strip_patch: int  # samples of a strip patch
    beat_patch: int  # samples of a beat patch
    strip_rate_hz: float
    beat_rate_hz: float
    beat_before_s: float  # R peak, from the start of the median beat

    @property
    def leads(self) -> int:
        """L."""
        return len(self.channels)

    @property
    def strip_patches(self) -> int:
        """P."""
        return self.strip_samples // self.strip_patch

    @property
    def beat_patches(self) -> int:
        """Q."""
        return self.beat_samples // self.beat_patch

    @property
    def n_strip(self) -> int:
        """Strip tokens, L·P."""
        return self.leads * self.strip_patches

    @property
    def n_beat(self) -> int:
        """Beat tokens, L·Q."""
        return self.leads * self.beat_patches

    @property
    def n(self) -> int:
        """All tokens, N."""
        return self.n_strip + self.n_beat + self.leads + 1

    def view(self) -> np.ndarray:
        """0 strip, 1 beat, 2 size, 3 rate: int [N]."""
        return np.repeat([0, 1, 2, 3], [self.n_strip, self.n_beat, self.leads, 1])

    def lead(self) -> np.ndarray:
        """Lead of each token, of the rate the first: int [N]."""
        lead = np.arange(self.leads)
        return np.concatenate([np.repeat(lead, self.strip_patches), np.repeat(lead, self.beat_patches), lead, [0]])

    def place(self) -> np.ndarray:
        """Number of each token's patch in its view: int [N]."""
        strip, beat = (np.tile(np.arange(n), self.leads) for n in (self.strip_patches, self.beat_patches))
        return np.concatenate([strip, beat, np.zeros(self.leads + 1, int)])

    def time_s(self) -> np.ndarray:
        """Middle of each token, s: of strips from their start, of beats from the R peak, of others 0: float [N]."""
        strip = (self.place() + 0.5) * self.strip_patch / self.strip_rate_hz
        beat = (self.place() + 0.5) * self.beat_patch / self.beat_rate_hz - self.beat_before_s
        return np.select([self.view() == 0, self.view() == 1], [strip, beat], 0.0)


def make_grid(settings: config.Transformer, ingest: config.Ingest) -> Grid:
    """Sizes in samples from sizes in seconds; a rest shorter than a patch at the end of a view is not used."""
    return Grid(
        channels=tuple(ingest.channels),
        strip_samples=round(ingest.seconds * ingest.model_rate_hz),
        beat_samples=round((ingest.beat_before_s + ingest.beat_after_s) * ingest.beat_rate_hz),
        strip_patch=round(settings.strip_patch_s * ingest.model_rate_hz),
        beat_patch=round(settings.beat_patch_s * ingest.beat_rate_hz),
        strip_rate_hz=ingest.model_rate_hz,
        beat_rate_hz=ingest.beat_rate_hz,
        beat_before_s=ingest.beat_before_s,
    )


@dataclass(frozen=True)
class Signals:
    """A batch on the device: mV (or what the unit is), NaN where missing."""

    strip: Tensor  # [B, L, S]
    beat: Tensor  # [B, L, T]
    rr_ms: Tensor  # [B], median RR interval, NaN where there is none
    millivolt: Tensor  # bool [B]
    lead: Tensor  # int [B, L], number of each lead's name; L where it is not known

    def __getitem__(self, rows: Tensor) -> "Signals":
        return Signals(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Tokens:
    """The tokens of a batch; where `there` is false, the token is missing and its values are meaningless."""

    strip: Tensor  # [B, L·P, samples]
    beat: Tensor  # [B, L·Q, samples]
    size: Tensor  # [B, L, 2], log standard deviation of strip and beat, standardised; 0 where missing
    rate: Tensor  # [B, 1], log RR, standardised; 0 where missing
    lead: Tensor  # int [B, L]
    there: Tensor  # bool [B, N]

    def __getitem__(self, rows: Tensor) -> "Tokens":
        return Tokens(*(getattr(self, field.name)[rows] for field in fields(self)))


def on_device(batch: Batch, device: torch.device) -> Signals:
    """Stored counts -> floats on the device; int16 is transferred."""
    counts = (torch.from_numpy(x).to(device, non_blocking=True) for x in (batch.strip, batch.beat))
    strip, beat = (torch.where(x == MISSING, torch.nan, x.float() / 1000) for x in counts)
    n_leads = strip.shape[1]
    lead = torch.arange(n_leads, device=device).expand(len(batch), -1)
    lead = torch.full_like(lead, n_leads) if batch.unnamed else lead
    rr_ms, millivolt = (torch.from_numpy(x).to(device) for x in (batch.rr_ms, batch.millivolt))
    return Signals(strip, beat, rr_ms, millivolt, lead)


class Tokenizer(nn.Module):
    """Signals -> `Tokens`, standardised by statistics of the training recordings, which are part of the model."""

    def __init__(self, grid: Grid, statistics: dict[str, Tensor]) -> None:
        super().__init__()
        self.grid = grid
        for name, value in statistics.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, signals: Signals, seen: Tensor | None = None) -> Tokens:
        """Tokens of the leads in `seen`, bool [B, L]; without it of all leads but sums of others."""
        strip_sd, beat_sd = deviation(signals.strip), deviation(signals.beat)  # [B, L]
        strip = over(signals.strip, strip_sd).clamp(-CLIP_STRIP, CLIP_STRIP)
        mean, scale = named(self.shape_mean, signals.lead), named(self.shape_scale, signals.lead)
        beat = ((over(signals.beat, beat_sd) - mean) / scale).clamp(-CLIP, CLIP)
        size = torch.stack([strip_sd, beat_sd], -1).log()  # [B, L, 2]
        size = (size - named(self.amplitude_mean, signals.lead)) / named(self.amplitude_scale, signals.lead)
        size = torch.where(signals.millivolt[:, None, None], size.clamp(-CLIP_SIZE, CLIP_SIZE), torch.nan)
        rate = self.log_rr(signals.rr_ms)
        strip, beat = (patches(x, n) for x, n in ((strip, self.grid.strip_patch), (beat, self.grid.beat_patch)))
        if seen is None:
            seen = self.seen(signals)
        whole = (x.sum(2).unflatten(1, (self.grid.leads, -1)) for x in (strip, beat))  # NaN where any sample is
        there = [*(~x.isnan() for x in whole), ~size.isnan().all(2, keepdim=True)]
        there = torch.cat([*((x & seen[..., None]).flatten(1) for x in there), ~rate.isnan()], 1)
        return Tokens(strip.nan_to_num(), beat.nan_to_num(), size.nan_to_num(), rate.nan_to_num(), signals.lead, there)

    def log_rr(self, rr_ms: Tensor) -> Tensor:
        """Log RR, standardised, of intervals [B]: [B, 1]."""
        return ((rr_ms.log() - self.rr_mean) / self.rr_scale).clamp(-CLIP, CLIP)[:, None]

    def seen(self, signals: Signals) -> Tensor:
        """Recorded leads that are not sums of others: bool [B, L]."""
        recorded = recorded_leads(signals)
        chosen = leads.independent(recorded.cpu().numpy(), self.grid.channels)
        return torch.from_numpy(chosen).to(recorded.device)


def recorded_leads(signals: Signals) -> Tensor:
    """Leads with anything recorded in either view: bool [B, L]."""
    return (counted(signals.strip) > 0) | (counted(signals.beat) > 0)


def counted(x: Tensor) -> Tensor:
    """Number of recorded samples [B, L] of [B, L, samples]; sums of floats are faster than sums of booleans."""
    return (~x.isnan()).to(x.dtype).sum(2)


def deviation(x: Tensor) -> Tensor:
    """Standard deviation in time [B, L] of [B, L, samples], at least `SMALLEST_SD`; NaN where all is missing."""
    n, missing = counted(x), x.isnan()
    x = filled(x, missing)
    centred = filled(x - (x.nansum(2) / n)[..., None], missing)
    variance = (centred.square().nansum(2) / n).clamp(min=1e-12)  # the root of 0 has no gradient
    return variance.sqrt().clamp(min=SMALLEST_SD)


def over(x: Tensor, sd: Tensor) -> Tensor:
    """x [B, L, samples] over sd [B, L]; missing samples stay missing, and no gradient goes through them."""
    if not x.requires_grad:
        return x / sd[..., None]
    missing = x.isnan()
    return (filled(x, missing) / sd[..., None]).masked_fill(missing, torch.nan)


def filled(x: Tensor, missing: Tensor) -> Tensor:
    """0 for missing values where x has a gradient: a NaN that a sum skips would reappear in it."""
    return x.masked_fill(missing, 0) if x.requires_grad else x


def named(x: Tensor, lead: Tensor) -> Tensor:
    """Statistics [L, …] of leads by number [B, L] -> [B, L, …]; a lead without a name has the mean over leads."""
    return torch.cat([x, x.mean(0, keepdim=True)])[lead]


def patches(x: Tensor, samples: int) -> Tensor:
    """Cut the leads of a view: [B, L, time] -> [B, L·patches, samples]."""
    return x.unfold(2, samples, samples).flatten(1, 2)
