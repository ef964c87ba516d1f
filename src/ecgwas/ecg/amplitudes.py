"""Median beat at 1 kHz and wave limits -> amplitudes of each lead, axes, angles and voltage criteria."""

import numpy as np

from ecgwas.ecg.delineate import Marks

ST_MS = 60  # after J, where the ST level is read
# Kors et al. 1990 (Eur Heart J 11:1083): X, Y, Z by regression on I, II, V1 to V6.
KORS_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
KORS = np.array(
    [
        [0.38, -0.07, -0.13, 0.05, -0.01, 0.14, 0.06, 0.54],
        [-0.07, 0.93, 0.06, -0.02, -0.05, 0.06, -0.17, 0.13],
        [0.11, -0.23, -0.43, -0.06, -0.14, -0.20, -0.11, 0.31],
    ]
)


def extreme(waves: np.ndarray, centre: float, half: int, level: np.ndarray | float = 0.0) -> np.ndarray:
    """[lead] value of [lead, sample] farthest from `level` [lead] within `half` samples of `centre`, less `level`."""
    if not np.isfinite(centre):
        return np.full(len(waves), np.nan)
    part = waves[:, max(round(centre) - half, 0) : round(centre) + half + 1] - np.reshape(level, (-1, 1))
    return part[np.arange(len(part)), np.abs(part).argmax(axis=1)]


def level_at(waves: np.ndarray, centre: float, half: int) -> np.ndarray:
    """[lead] mean of [lead, sample] within `half` samples of `centre`; NaN beyond its end."""
    at = round(centre)
    inside = half <= at < waves.shape[1] - half
    return waves[:, at - half : at + half + 1].mean(axis=1) if inside else np.full(len(waves), np.nan)


def lead_amplitudes(waves: np.ndarray, marks: Marks) -> dict[str, np.ndarray]:
    """P, Q, R, S, T, J and ST amplitude (mV) of each of [lead, sample], PQ at 0; P above the line of its feet.

    Q and S are positive downward, 0 where there is none; a QRS without R of 0.05 mV is all S. J is the level at QRS
    offset, ST that 60 ms later.
    """
    first, last = round(marks.qrs_onset), round(marks.qrs_offset)
    qrs = waves[:, first : last + 1]
    r, top = np.maximum(qrs.max(axis=1), 0.0), qrs.argmax(axis=1)[:, None]
    has_r, sample = (r > 0.05)[:, None], np.arange(qrs.shape[1])
    p = np.full(len(waves), np.nan)
    if np.isfinite(marks.p_onset) and np.isfinite(marks.p_offset):
        feet = waves[:, [max(round(marks.p_onset), 0), min(round(marks.p_offset), first)]].mean(axis=1)
        p = extreme(waves, marks.p_peak, 20, feet)
    return {
        "p": p,
        "q": np.where(has_r & (sample < top), -qrs, 0.0).clip(0).max(axis=1),
        "r": r,
        "s": np.where(~has_r | (sample >= top), -qrs, 0.0).clip(0).max(axis=1),
        "t": extreme(waves, marks.t_peak, 30),
        "j": level_at(waves, marks.qrs_offset, 2),
        "st": level_at(waves, marks.qrs_offset + ST_MS, 4),
    }


def frontal(one: float, avf: float) -> tuple[float, float]:
    """Axis (degrees) and length of the frontal vector with lead I `one` and lead aVF `avf`.

    Einthoven's triangle: I = x and aVF = (II + III)/2 = (√3/2) y, y pointing to the feet.
    """
    y = 2 / np.sqrt(3) * avf
    return float(np.degrees(np.arctan2(y, one))), float(np.hypot(one, y))


def axes(smooth: np.ndarray, marks: Marks, row: dict[str, int]) -> dict[str, float]:
    """Frontal axes (P and T at their peaks, QRS by its area), their angle, and frontal lengths of P, R and T, mV."""
    if not {"I", "aVF"} <= set(row):
        return {}
    limb = smooth[[row["I"], row["aVF"]]]
    qrs = slice(round(marks.qrs_onset), round(marks.qrs_offset) + 1)
    out = {"qrs_axis_deg": frontal(*limb[:, qrs].sum(axis=1))[0]}
    x, y = limb[0, qrs], 2 / np.sqrt(3) * limb[1, qrs]
    out["r_frontal_mv"] = float(np.hypot(x, y).max())
    if np.isfinite(marks.t_peak):
        out["t_axis_deg"], out["t_frontal_mv"] = frontal(*limb[:, round(marks.t_peak)])
        difference = abs(out["t_axis_deg"] - out["qrs_axis_deg"])
        out["qrst_angle_deg"] = min(difference, 360 - difference)
    if np.isfinite(marks.p_peak) and np.isfinite(marks.p_onset) and np.isfinite(marks.p_offset):
        feet = limb[:, [max(round(marks.p_onset), 0), round(marks.p_offset)]].mean(axis=1)
        out["p_axis_deg"], out["p_frontal_mv"] = frontal(*(limb[:, round(marks.p_peak)] - feet))
    return out


def spatial_angle(smooth: np.ndarray, marks: Marks, row: dict[str, int]) -> dict[str, float]:
    """Angle between the mean QRS and the mean T vector, degrees (X, Y, Z by Kors), and their lengths, mV."""
    if not set(KORS_LEADS) <= set(row) or not np.isfinite(marks.t_end):
        return {}
    leads = smooth[[row[lead] for lead in KORS_LEADS]]
    onset, offset, end = round(marks.qrs_onset), round(marks.qrs_offset), round(marks.t_end)
    if end <= offset + 1:
        return {}
    qrs, t = (KORS @ leads[:, a:b].mean(axis=1) for a, b in ((onset, offset + 1), (offset + 1, end)))
    lengths = float(np.linalg.norm(qrs)), float(np.linalg.norm(t))
    cosine = float(qrs @ t) / max(lengths[0] * lengths[1], 1e-12)
    return {"qrst_angle_spatial_deg": float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))}


def voltages(amplitude: dict[str, dict[str, float]], qrs_ms: float) -> dict[str, float]:
    """Voltage criteria of left ventricular hypertrophy, mV, and their products with QRS duration, mV ms.

    Sokolow & Lyon (1949): S in V1 + the larger R of V5 and V6. Cornell (Casale 1985): R in aVL + S in V3; product
    (Okin 1995) without the 0.6 mV that are added for women. Peguero & Lo Presti (2017): deepest S + S in V4.
    """
    out = {}
    if {"V1", "V5", "V6"} <= set(amplitude):
        out["sokolov_mv"] = amplitude["V1"]["s"] + max(amplitude["V5"]["r"], amplitude["V6"]["r"])
        out["sokolov_product_ms_mv"] = out["sokolov_mv"] * qrs_ms
    if {"aVL", "V3"} <= set(amplitude):
        out["cornell_mv"] = amplitude["aVL"]["r"] + amplitude["V3"]["s"]
        out["cornell_product_ms_mv"] = out["cornell_mv"] * qrs_ms
    if len(amplitude) == 12:
        out["peguero_mv"] = max(lead["s"] for lead in amplitude.values()) + amplitude["V4"]["s"]
    return out
