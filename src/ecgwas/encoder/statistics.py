"""Some recordings -> robust centres and scales for standardisation, without labels."""

import warnings

import numpy as np

from ecgwas.signals.data import STATISTICS, Signals, in_units

SMALLEST_SD = 0.001  # mV; flatter leads are not amplified


def statistics(signals: Signals, seed: int, patch: int = 20, recordings: int = 2000) -> dict[str, np.ndarray]:
    """Robust centres and scales of up to `recordings` recordings; L leads, T samples of the median beat.

    beat_mean, beat_scale [L, T] mV: of each sample of the median beat. shape_mean, shape_scale [L, T]: the same of
    beats divided by their lead's standard deviation. energy_mean, energy_scale [L, patches]: of `log_energy`.
    amplitude_mean, amplitude_scale [L, 2]: of the log standard deviation of strip and beat. rr_mean, rr_scale: of
    log(RR / ms). Sizes in mV are those of the recordings that are in mV, of all where none is.
    """
    rows = np.sort(np.random.default_rng([seed, STATISTICS]).permutation(len(signals))[:recordings])
    batch = signals.read(rows)
    strip, beat = in_units(batch.strip), in_units(batch.beat)
    sized = batch.millivolt if batch.millivolt.any() else np.ones(len(batch), bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a lead that no recording has gives NaN: centre 0, scale 1
        spread = np.stack([deviation(strip), deviation(beat)], -1)  # [recording, L, 2]
        patches = beat[..., : beat.shape[2] // patch * patch].reshape(*beat.shape[:2], -1, patch)
        found = {
            "beat": _by_sample(beat[sized]),
            "shape": _by_sample(beat / spread[..., 1:]),
            "energy": _robust(log_energy(patches[sized])),
            "amplitude": _robust(np.log(spread[sized])),
            "rr": _robust(np.log(batch.rr_ms)),
        }
    means = {f"{name}_mean": np.nan_to_num(mean) for name, (mean, _) in found.items()}
    scales = {f"{name}_scale": np.where(scale > 0, scale, 1) for name, (_, scale) in found.items()}
    return {name: np.asarray(x, np.float32) for name, x in sorted((means | scales).items())}


def deviation(x: np.ndarray) -> np.ndarray:
    """Standard deviation over the last axis, at least `SMALLEST_SD`; NaN where all is missing."""
    return np.maximum(np.nanstd(x, -1), SMALLEST_SD)


def log_energy(patches: np.ndarray) -> np.ndarray:
    """Log of the root mean square of patches [..., samples] in mV: the amplitude of a wave, not only its timing.

    20 microvolts, about the noise of a median beat, are added.
    """
    return np.log(np.sqrt((patches**2).mean(-1)) + 0.02)


def _by_sample(beat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and scale of each sample of beats [recording, L, T].

    The scale is the geometric mean of the sample's own (at least half its lead's median, so that noise between the
    waves is not blown up) and its lead's, so that a P wave is not drowned by the QRS complex.
    """
    mean, scale = _robust(beat)
    own = np.maximum(scale, np.nanmedian(scale, 1, keepdims=True) / 2)
    return mean, np.sqrt(own * np.sqrt((own**2).mean(1, keepdims=True)))


def _robust(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and interquartile range / 1.349 (the standard deviation of a normal) over the first axis, without NaN."""
    low, middle, high = np.nanpercentile(x, [25, 50, 75], axis=0)
    return middle, (high - low) / 1.349
