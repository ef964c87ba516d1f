"""Noisy median beats -> the simulator's parameters by fitting its own waves: what no embedding can be asked to beat.

The simulator's beat (`ecgwas.simulate.ecg`) is a sum of five Gaussian waves whose times and widths follow from PR, QRS
and QT, each with any height in each lead. Heights are linear and solved for (variable projection, Golub & Pereyra 1973,
SIAM J Numer Anal 10:413); times are found by least squares.
"""

import numpy as np
import scipy.optimize

from ecgwas.config import LEADS, Ingest
from ecgwas.ingest.process import MISSING
from ecgwas.simulate.ecg import PARAMETERS

P_SIGMA_S = 0.022
TIMES = ("pr_ms", "qrs_ms", "qt_ms")
FITTED = (*TIMES, "p_amplitude_mv", "t_amplitude_mv")


def waves(times_ms: np.ndarray, at_s: np.ndarray, rr_s: float) -> np.ndarray:
    """Heights [7, sample] of P, Q, R, S, T, a level and a slope; times_ms: PR, QRS, QT and the shift of the R peak.

    The neighbouring beats' waves are there as well, an RR interval away.
    """
    pr, qrs, qt, shift = times_ms / 1000
    fall = 0.105 * qt
    onset = -qrs / 2
    centre = np.array([onset - pr + 2.5 * P_SIGMA_S, -0.30 * qrs, 0.0, 0.30 * qrs, onset + qt - 2 * fall])
    rise = np.array([P_SIGMA_S, 0.08 * qrs, 0.11 * qrs, 0.08 * qrs, 1.5 * fall])
    after = np.r_[rise[:4], fall]
    found = np.zeros((5, len(at_s)))
    for beat in (-rr_s, 0.0, rr_s):
        u = at_s - shift - beat - centre[:, None]
        found += np.exp(-0.5 * (u / np.where(u < 0, rise[:, None], after[:, None])) ** 2)
    return np.vstack([found, np.ones(len(at_s)), at_s])


def fitted(beat_mv: np.ndarray, at_s: np.ndarray, rr_s: float, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """PR, QRS, QT and shift (ms), and heights [5 waves, lead] in mV, of a median beat [lead, sample].

    The search starts at the true times, so that no error is one of a search gone astray.
    """

    def left(times: np.ndarray) -> np.ndarray:
        basis = waves(times, at_s, rr_s)
        return (beat_mv - (basis.T @ np.linalg.lstsq(basis.T, beat_mv.T, rcond=None)[0]).T).ravel()

    low = np.array([PARAMETERS[name].low - 20 for name in TIMES] + [-30.0])
    high = np.array([PARAMETERS[name].high + 20 for name in TIMES] + [30.0])
    bounds, typical = (low, high), [20, 10, 30, 5]
    found = scipy.optimize.least_squares(left, np.r_[truth, 0.0], bounds=bounds, x_scale=typical, max_nfev=30)
    basis = waves(found.x, at_s, rr_s)
    return found.x, np.linalg.lstsq(basis.T, beat_mv.T, rcond=None)[0][:5]


def measured(beats: np.ndarray, rr_ms: np.ndarray, truth_ms: np.ndarray, settings: Ingest) -> np.ndarray:
    """[n, features] fitted to median beats int16 [n, 12, sample] with RR [n]: rate, PR, QRS, QT, heights of P and T.

    truth_ms: the true PR, QRS and QT [n, 3]. The heights are the frontal length, and every lead's own. Leads that are
    missing are not used.
    """
    steps = np.arange(beats.shape[2]) - round(settings.beat_before_s * settings.beat_rate_hz)
    there = (beats[0] != MISSING).all(1)
    one, foot = LEADS.index("I"), LEADS.index("aVF")
    rows = []
    for beat, rr, truth in zip(beats, rr_ms, truth_ms, strict=True):
        times, heights = fitted(beat[there] / 1000, steps / settings.beat_rate_hz, rr / 1000, truth)
        full = np.zeros((5, len(LEADS)))
        full[:, there] = heights
        # aVF is the vertical part of the vector times √3/2 in Einthoven's triangle, where lead II is at 60 degrees.
        frontal = np.hypot(full[:, one], full[:, foot] * 2 / 3**0.5)
        rows.append([60_000 / rr, *times[:3], *frontal[[0, 4]], *heights[[0, 4]].ravel()])
    return np.array(rows)
