"""Recording, segments and leads -> change of a predictor's logits when a segment of a lead is replaced.

Letters of the shapes: L leads, G segments, C occlusions, O outcomes; S and T as in `segments`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ecgwas.encoder.tokens import Signals
from ecgwas.interpret.predictors.segments import SEGMENTS, Layout

Logits = Callable[[Signals], Tensor]  # signals of B recordings -> logits [B, O]

# What limb leads are of I and II (Einthoven 1913, Goldberger 1942), and what I and II lose with one unit of them: the
# heart vector's part along the lead, so that the lead loses that unit and a lead at a right angle to it nothing.
SUMS = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
ALONG = {"III": (-0.5, 0.5), "aVR": (-1.0, -1.0), "aVL": (1.0, 0.0), "aVF": (0.0, 1.0)}
BATCH = 128  # occluded copies that are scored at once


def single(n_leads: int) -> np.ndarray:
    """Every segment of every lead alone: bool [L·G, L, G], lead by lead."""
    n = n_leads * len(SEGMENTS)
    return np.eye(n, dtype=bool).reshape(n, n_leads, len(SEGMENTS))


def bridged(x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """x [samples] with `hidden` samples interpolated linearly, constant at the ends; missing samples stay missing."""
    there = np.isfinite(x)
    known, asked = there & ~hidden, there & hidden
    if not asked.any():
        return x
    out = x.copy()
    out[asked] = np.interp(np.flatnonzero(asked), np.flatnonzero(known), x[known]) if known.any() else 0.0
    return out


def occluded(
    x: np.ndarray, labels: np.ndarray, cells: np.ndarray, channels: Sequence[str], instead: np.ndarray | None = None
) -> np.ndarray:
    """One view x [L, samples] of a recording with the segments `cells` [C, L, G] occluded: [C, L, samples].

    By straight lines, or by the same samples of `instead` [L, samples].

    With I and II, the other limb leads follow them; one of these is occluded by what I and II lose with it.
    """
    place = np.clip(labels, 0, None)
    hidden = cells[:, :, place] & (labels >= 0)  # [C, L, samples]
    out = np.repeat(x[None], len(cells), 0)
    for c, lead in np.argwhere(hidden.any(2)):
        there = hidden[c, lead]
        out[c, lead] = bridged(x[lead], there) if instead is None else np.where(there, instead[lead], x[lead])
    if not summed(x, channels):
        return out
    row = {name: k for k, name in enumerate(channels)}
    change = np.nan_to_num(out - x)
    one, two = change[:, row["I"]].copy(), change[:, row["II"]].copy()
    for name, (a, b) in ALONG.items():
        if name in row:
            one, two = one + a * change[:, row[name]], two + b * change[:, row[name]]
    out[:, row["I"]], out[:, row["II"]] = x[row["I"]] + one, x[row["II"]] + two
    for name, (a, b) in SUMS.items():
        if name in row:
            out[:, row[name]] = x[row[name]] + a * one + b * two
    return out


def summed(x: np.ndarray, channels: Sequence[str]) -> bool:
    """Whether I and II of x [L, samples] are both recorded, so that the other limb leads are their sums."""
    return {"I", "II"} <= set(channels) and all(np.isfinite(x[channels.index(name)]).any() for name in ("I", "II"))


def copies(
    signals: Signals, found: Layout, cells: np.ndarray, channels: Sequence[str], instead: Signals | None = None
) -> Signals:
    """Copies of one recording, signals [1, …], one for each occlusion of `cells` [C, L, G]."""
    changed = {}
    for name, labels in (("strip", found.strip), ("beat", found.beat)):
        x, other = getattr(signals, name), None if instead is None else getattr(instead, name)[0].cpu().numpy()
        changed[name] = torch.from_numpy(occluded(x[0].cpu().numpy(), labels, cells, channels, other)).to(x)
    n = len(cells)
    return Signals(**changed, rr_ms=signals.rr_ms.expand(n), millivolt=signals.millivolt.expand(n),
                   lead=signals.lead.expand(n, -1))  # fmt: skip


@torch.no_grad()
def scored(
    logits: Logits,
    signals: Signals,
    found: Layout,
    cells: np.ndarray,
    channels: Sequence[str],
    batch: int = BATCH,
    instead: Signals | None = None,
) -> np.ndarray:
    """Logits [C, O] of one recording with each of `cells` [C, L, G] occluded, `batch` at once."""
    parts = [cells[k : k + batch] for k in range(0, len(cells), batch)]
    return np.concatenate(
        [logits(copies(signals, found, part, channels, instead)).double().cpu().numpy() for part in parts]
    )


def changes(
    logits: Logits, signals: Signals, found: Layout, channels: Sequence[str], instead: Signals | None = None
) -> np.ndarray:
    """Change of each logit with each segment of each lead occluded, [L, G, O]; NaN where there is no such segment."""
    n_leads = len(channels)
    with torch.no_grad():
        before = logits(signals).double().cpu().numpy()
    there = np.isfinite(signals.strip[0].cpu().numpy()).any(1) | np.isfinite(signals.beat[0].cpu().numpy()).any(1)
    seen = np.array([(found.strip == k).any() or (found.beat == k).any() for k in range(len(SEGMENTS))])
    asked = np.flatnonzero((there[:, None] & seen).ravel())
    out = np.full((n_leads * len(SEGMENTS), before.shape[1]), np.nan)
    out[asked] = scored(logits, signals, found, single(n_leads)[asked], channels, instead=instead) - before
    return out.reshape(n_leads, len(SEGMENTS), -1)
