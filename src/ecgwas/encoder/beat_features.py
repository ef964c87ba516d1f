"""Median beats and RR intervals -> the standardised features of the principal components."""

import numpy as np

from ecgwas.signals import data

CLIP = 3.0  # standard deviations, as in the transformer


def features(batch: data.Batch, statistics: dict[str, np.ndarray]) -> np.ndarray:
    """Features [recording, 8·T + 1] in float64: standardised median beat, lead by lead, and log RR.

    RR gets the weight of one lead (the square root of T). A missing lead or RR takes the mean, which is 0.
    """
    beat = np.where(batch.beat == data.MISSING, np.nan, batch.beat / 1000.0)[:, data.COLUMNS]
    beat = (beat - statistics["beat_mean"][data.COLUMNS]) / statistics["beat_scale"][data.COLUMNS]
    rr = (np.log(batch.rr_ms.astype(float)) - statistics["rr_mean"]) / statistics["rr_scale"]
    weight = np.sqrt(beat.shape[2])
    beat, rr = beat.clip(-CLIP, CLIP), rr.clip(-CLIP, CLIP)
    return np.nan_to_num(np.column_stack([beat.reshape(len(beat), -1), weight * rr]))
