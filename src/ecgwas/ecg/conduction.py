"""Median beat and wave limits -> signs of bundle branch block."""

import numpy as np

from ecgwas.ecg.delineate import RATE_HZ, Marks

BLOCK_QRS_MS = 120.0


def bundle_branch_block(beat: np.ndarray, row: dict[str, int], marks: Marks, pacing: bool) -> dict[str, bool | None]:
    """lbbb and rbbb of a beat [lead, sample] at 1 kHz with leads `row`, PQ at 0; None without lead I, V1 or V6.

    After Surawicz et al. 2009 (J Am Coll Cardiol 53:976): QRS of 120 ms or more; left, V1 negative on the whole and
    at its end, I and V6 positive without Q; right, the last third of QRS positive in V1, negative in I or V6.
    """
    if not {"I", "V1", "V6"} <= set(row):
        return {"lbbb": None, "rbbb": None}
    first, last = round(marks.qrs_onset), round(marks.qrs_offset)
    one, v1, v6 = (beat[row[lead], first : last + 1] for lead in ("I", "V1", "V6"))
    wide = (last - first) * 1000 / RATE_HZ >= BLOCK_QRS_MS and not pacing
    third = len(v1) // 3
    end = {name: wave[-third:].mean() for name, wave in (("I", one), ("V1", v1), ("V6", v6))}
    no_q = all(-wave[: wave.argmax() + 1].min() < 0.1 * wave.max() for wave in (one, v6))
    left = v1.mean() < 0 and end["V1"] < 0 and one.mean() > 0 and v6.mean() > 0 and no_q
    right = end["V1"] > 0 and v1[-2 * third :].max() > 0.5 * max(v1.max(), 1e-9) and min(end["I"], end["V6"]) < 0
    return {"lbbb": bool(wide and left), "rbbb": bool(wide and right and not left)}
