"""Recording -> recording without what was never a heart: padding and calibration pulses at its ends.

A machine writes them into all leads at once: a stretch of zeros, of missing samples or of the last value repeated, and
a rectangular pulse of 1 mV (Philips: in the last half second of eleven). No heart holds every lead still for so long.
"""

from dataclasses import replace

import numpy as np

from ecgwas.signals.recording import Recording

LEAST_S = 0.2  # shorter stretches stay: coarse samples of a quiet baseline are constant, too
PIECE_S = 0.05  # each level of a calibration pulse stands at least so long in every lead
EDGE_S = 0.02  # and goes to the next within this time
COMMON_LEADS = 6  # so many leads that move alike are none of a heart: limb leads add up to zero
ALIKE = 0.02  # steps of one pulse differ between leads by less: gains are rounded
ROUNDING = 1e-6  # of the largest sample
CALIBRATION, PADDING = "calibration", "padding"


def trimmed(recording: Recording) -> Recording:
    """`recording` without the stretches at both ends in which all leads are constant, or step together.

    Missing samples are cut off however few, others from `LEAST_S` on. Times of beats move with the start. A recording
    that is constant throughout is left whole: its leads are flat, which its quality says.
    """
    signal, rate_hz = recording.signal, recording.rate_hz
    start, stop = _present(signal)
    inside = signal[:, start:stop]
    head, tail = (_still(part, rate_hz) for part in (inside, inside[:, ::-1]))
    if head + tail >= stop - start:
        head = tail = 0
    first, last = start + head, stop - tail
    if (first, last) == (0, signal.shape[1]):
        return recording
    before_s, after_s = first / rate_hz, (signal.shape[1] - last) / rate_hz
    kept = round(recording.seconds * rate_hz) - first - (signal.shape[1] - last)
    moves = [_moves(part) for part in (signal[:, start:first], signal[:, last:stop])]
    padded = start > 0 or stop < signal.shape[1] or any(n and not m for n, m in zip((head, tail), moves, strict=True))
    kinds = [CALIBRATION] * any(moves) + [PADDING] * padded
    return replace(
        recording,
        signal=signal[:, first:last],
        seconds=kept / rate_hz,
        valid_from_s=recording.valid_from_s + before_s,
        cut_end_s=recording.cut_end_s + after_s,
        cut=tuple(dict.fromkeys((*recording.cut, *kinds))),
        beat_times_s=tuple(time - before_s for time in recording.beat_times_s),
    )


def _present(signal: np.ndarray) -> tuple[int, int]:
    """First and one past the last sample of [lead, sample] that is present in some lead; all where none is."""
    n = signal.shape[1]
    if not n or (np.isfinite(signal[:, 0]).any() and np.isfinite(signal[:, -1]).any()):
        return 0, n
    there = np.flatnonzero(np.isfinite(signal).any(axis=0))
    return (int(there[0]), int(there[-1]) + 1) if len(there) else (0, n)


def _moves(part: np.ndarray) -> bool:
    """Whether [lead, sample] has more than one level: a pulse and not padding."""
    return bool(part.shape[1]) and bool(np.ptp(np.nan_to_num(part), axis=1).any())


def _still(signal: np.ndarray, rate_hz: float) -> int:
    """Samples from the first on in which [lead, sample] is padding or a calibration pulse; 0 for less than `LEAST_S`.

    Padding has one level in all leads; a pulse goes from level to level by the same steps in all leads. Leads that
    stand at levels of their own have lost their electrodes: that is for the quality to say.
    """
    n = signal.shape[1]
    if n < 4 or not _same(signal[:, :4]).all():
        return 0
    edges = np.flatnonzero(~_same(signal))  # the sample behind each differs in some lead
    if not len(edges):
        return n
    active = np.isfinite(signal).all(axis=1) & (signal != signal[:, :1]).any(axis=1)
    if not active.any():
        return 0
    levels = signal[active]
    lengths = np.diff(np.concatenate([[-1], edges, [n - 1]]))  # of the stretches between edges
    end = _common(levels, lengths, max(2, round(PIECE_S * rate_hz)), max(1, round(EDGE_S * rate_hz)))
    same_level = np.ptp(levels[:, 0]) <= ROUNDING * np.abs(levels).max()
    return end if end >= LEAST_S * rate_hz and (same_level or _moves(levels[:, :end])) else 0


def _common(levels: np.ndarray, lengths: np.ndarray, piece: int, edge: int) -> int:
    """End of the stretches of `lengths` that are `piece` long or longer, at most `edge` apart, and step alike."""
    place = end = 0
    for length in lengths.tolist():
        if length >= piece:
            step = levels[:, place] - levels[:, 0]
            if np.ptp(step) > ALIKE * np.abs(step).max():
                break
            end = place + length
        elif place + length - end > edge:
            break
        place += length
    return end


def _same(signal: np.ndarray) -> np.ndarray:
    """[sample - 1] whether all of [lead, sample] are as one sample before, or move by one value alike."""
    before, after = signal[:, :-1], signal[:, 1:]
    constant = ((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=0)
    present = np.isfinite(signal).all(axis=1)
    if constant.all() or present.sum() < COMMON_LEADS or not present.any():
        return constant
    steps = np.diff(signal[present], axis=1)
    alike = np.ptp(steps, axis=0) <= ROUNDING * np.abs(signal[present]).max()
    return constant | (alike & (np.isnan(signal[~present]).all() if not present.all() else True))
