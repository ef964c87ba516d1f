"""One recording and a predictor -> its table of occlusions, and its maps by segment and by time in the beat."""

from dataclasses import dataclass, field

import numpy as np

from ecgwas import config
from ecgwas.encoder.tokens import Signals
from ecgwas.interpret.predictors import attention, integrated_gradients, occlusion, reference_shapes
from ecgwas.interpret.predictors.segments import Layout, Unexplained, layout, time_shares
from ecgwas.predict.methods.networks import Network

INTEGRATED = ("integrated_flat", "integrated_usual")  # by baseline
SMALL = 1e-3  # logits; residuals are relative to at least this change


@dataclass(frozen=True)
class Map:
    """Attributions of one recording."""

    value: np.ndarray  # [L, G], summed over the cell's samples of both views
    share: np.ndarray  # [L, G], part of the absolute mass; NaN where there is none
    strip: np.ndarray  # [L, A], folded onto the beat
    beat: np.ndarray  # [L, T]


@dataclass(frozen=True)
class Explained:
    """Explanation of one recording."""

    occlusions: dict[str, np.ndarray]  # by replacement: [L, G] change of the logit; NaN: no such segment
    maps: dict[str, Map]
    beat_mv: np.ndarray  # [L, T]
    time_shares: np.ndarray  # [G]
    reasons: dict[str, str]  # segment: why it is missing
    measures: dict[tuple[str, str], float] = field(default_factory=dict)  # (map, check): value


def segments_of(signals: Signals, ingest: config.Ingest) -> Layout:
    """Segments of one recording, signals [1, …]; raises `Unexplained`."""
    if not {"I", "II", "V1"} & set(ingest.channels) or not ingest.heart:
        raise Unexplained("no_ecg")
    return layout(signals.strip[0].cpu().numpy(), signals.beat[0].cpu().numpy(), ingest)


def folds_s(ingest: config.Ingest) -> np.ndarray:
    """Times from the R peak at which strips are folded, s: those of the median beat at the strips' rate."""
    first, last = (round(s * ingest.model_rate_hz) for s in (ingest.beat_before_s, ingest.beat_after_s))
    return np.arange(-first, last) / ingest.model_rate_hz


def as_map(strip: np.ndarray, beat: np.ndarray, found: Layout, ingest: config.Ingest) -> Map:
    """Attributions of samples [L, S], [L, T] by cell and by time in the beat."""
    value = integrated_gradients.by_segment(strip, beat, found)
    share = integrated_gradients.shares(integrated_gradients.by_segment(np.abs(strip), np.abs(beat), found))
    return Map(value, share, integrated_gradients.folded(strip, found, folds_s(ingest)), beat)


def explained(network: Network, signals: Signals, outcome: int, shape: np.ndarray, steps: int) -> Explained:
    """Occlusions and maps of one recording, signals [1, …]; shape [G, L, POINTS]: reference; raises `Unexplained`."""
    ingest = network.ingest
    found = segments_of(signals, ingest)
    usual = reference_shapes.usual(signals, found, shape)
    changes = {
        name: occlusion.changes(network.logits, signals, found, ingest.channels, instead)[:, :, outcome]
        for name, instead in (("line", None), ("usual", usual))
    }
    baselines = (integrated_gradients.flat(signals), usual)
    maps, measures = {}, {}
    for name, baseline in zip(INTEGRATED, baselines, strict=True):
        one = integrated_gradients.integrated(network.logits, signals, baseline, outcome, steps)
        maps[name] = as_map(one.strip, one.beat, found, ingest)
        measures[name, "residual"] = abs(one.residual) / max(abs(one.total), SMALL)
    if attention.readable(network):
        tokens, grid = attention.relevance(network, signals, outcome), network.encoder.grid
        maps["attention"] = as_map(*attention.on_samples(tokens, grid), found, ingest)
        measures["attention", "untimed"] = attention.untimed(tokens, grid)
    beat = signals.beat[0].cpu().numpy()
    return Explained(changes, maps, beat, time_shares(found), found.reasons, measures)


def tables_of(one: Explained) -> dict[str, np.ndarray]:
    """By map, a table [L, G] in which larger values mean a larger contribution to the logit; NaN: no such segment."""
    there = np.isfinite(one.occlusions["line"])
    return {f"occlusion_{by}": -change for by, change in one.occlusions.items()} | {
        name: np.where(there, found.value, np.nan) for name, found in one.maps.items()
    }
