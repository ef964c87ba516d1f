"""Heart rate and rhythm -> R peak times and the height of each wave at each beat."""

from typing import NamedTuple

import numpy as np

RHYTHMS = ("sinus", "af", "paced", "lbbb", "rbbb", "pvc")

LEAD_IN_S = 1.5  # beats start this long before the recording, so that its first second holds their T waves
AF_RATE = 1.15  # ventricular rate in AF over the person's sinus rate


class Beats(NamedTuple):
    """Beats of n recordings, k the largest number of beats."""

    r_time: np.ndarray  # [n, k] s from the start of the recording
    rr_deviation: np.ndarray  # [n, k] s, RR before the beat minus the recording's mean
    gain: np.ndarray  # [n, k] height of all waves: 1 with respiration and noise, 0 = not within the recording
    premature: np.ndarray  # [n, k] bool, ventricular extrasystole
    rhythm: np.ndarray  # [n]

    def height(self, wave: str) -> np.ndarray:
        """Height [n, k] of one wave of `ecg.WAVES` at each beat."""
        sinus = self.gain * ~self.premature
        if wave in ("v_qrs", "v_t"):
            return self.gain * self.premature
        if wave == "p":
            return sinus * ~np.isin(self.rhythm, ["af", "paced"])[:, None]
        if wave == "spike":
            return sinus * (self.rhythm == "paced")[:, None]
        if wave == "extra":
            return sinus * np.isin(self.rhythm, ["lbbb", "rbbb", "paced"])[:, None]
        return sinus


def draw_beats(heart_rate: np.ndarray, rhythm: np.ndarray, rng: np.random.Generator, seconds: float) -> Beats:
    """Beats of recordings with mean `heart_rate` [n] per minute and `rhythm` [n] of RHYTHMS."""
    mean = 60 / (heart_rate * np.where(rhythm == "af", AF_RATE, 1.0))
    n, k = len(mean), int(np.ceil((seconds + 2 * LEAD_IN_S) / mean.min() * 1.25)) + 2
    breath = 2 * np.pi * rng.uniform(0.2, 0.32, (n, 1)) * np.arange(k) * mean[:, None] + rng.uniform(0, 7, (n, 1))
    slow = 2 * np.pi * 0.1 * np.arange(k) * mean[:, None] + rng.uniform(0, 7, (n, 1))
    rr = mean[:, None] * _relative_rr(rhythm, breath, slow, rng)
    premature = np.zeros((n, k), bool)
    if (rhythm == "pvc").any():
        rr, premature = _extrasystoles(rr, rhythm == "pvc", rng)
    r_time = -LEAD_IN_S - rng.uniform(0, 1, (n, 1)) * mean[:, None] + np.cumsum(rr, 1)
    inside = (r_time > -1) & (r_time < seconds + 1)
    gain = 1 + 0.03 * np.sin(breath + 1) + 0.02 * rng.standard_normal((n, k))
    deviation = np.clip(rr - mean[:, None], -0.5 * mean[:, None], 0.5 * mean[:, None])
    return Beats(r_time, deviation, gain * inside, premature, rhythm)


def _relative_rr(rhythm: np.ndarray, breath: np.ndarray, slow: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """RR intervals [n, k] relative to their mean.

    Sinus: respiratory (0.2 to 0.32 Hz) and Mayer-wave (0.1 Hz) modulation of a few per cent (Task Force 1996,
    Circulation 93:1043). AF: independent, coefficient of variation 0.22, never under 0.55. Paced: constant.
    """
    n, k = breath.shape
    depth = np.abs(rng.normal(0.02, 0.012, (2, n, 1)))
    sinus = 1 + depth[0] * np.sin(breath) + depth[1] * np.sin(slow) + 0.005 * rng.standard_normal((n, k))
    irregular = np.maximum(rng.gamma(20, 1 / 20, (n, k)), 0.55)
    kind = rhythm[:, None]
    return np.where(kind == "af", irregular, np.where(kind == "paced", 1.0, sinus))


def _extrasystoles(rr: np.ndarray, affected: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """RR [n, k] with early beats and full compensatory pauses, and which beats [n, k] are early.

    About one in six beats of `affected` recordings, never two in a row, and always one within the recording.
    """
    n, k = rr.shape
    wish = (rng.random((n, k)) < 0.2) & affected[:, None]
    wish[affected, 6] = True
    wish[:, :2] = wish[:, -1:] = False
    early = wish & ~np.roll(wish, 1, axis=1)
    change = early * rr * rng.uniform(0.30, 0.42, (n, 1))
    return rr - change + np.roll(change, 1, axis=1), early
