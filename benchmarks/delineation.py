"""How well waves are found: QRS complexes, limits of waves, flags; against simulated truth and other people's marks.

python benchmarks/delineation.py [--data ../shared/data] [--n 192]
"""

import json
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import wfdb

from ecgwas.cli import run
from ecgwas.config import LEADS, Ingest
from ecgwas.ecg.beats import BEFORE_S, median_beat, rr_intervals
from ecgwas.ecg.canonical import INDEPENDENT
from ecgwas.ecg.filters import Spectrum
from ecgwas.ecg.intervals import marked, without_neighbours
from ecgwas.ecg.qrs import detect
from ecgwas.ecg.quality import Excluded
from ecgwas.ecg.rhythm import irregular, normal_intervals
from ecgwas.ingest.process import WIDE_HZ, process
from ecgwas.signals.recording import Recording
from ecgwas.simulate.ecg import CHUNK, PARAMETERS, simulate_recordings, twelve_leads
from ecgwas.simulate.ecg_rhythm import RHYTHMS, draw_beats

RATE_HZ, SECONDS = 500.0, 10.0
WITHIN_S = 0.15
WIDER_MS = {"paced": 70.0, "lbbb": 55.0, "rbbb": 45.0}
FIDUCIALS = ("p_onset", "p_offset", "qrs_onset", "qrs_offset", "t_end")
BEAT_SYMBOLS = set("NLRBAaJSVrFejnE/fQ?")


class Simulated(NamedTuple):
    """Recordings with their truth; limits in ms from the R peak."""

    signals: np.ndarray  # [n, 12, sample] microvolts
    r_time: list[np.ndarray]  # [n] of [beat] s, extrasystoles too
    normal: list[np.ndarray]  # [n] of [beat] s, the others alone
    limits: dict[str, np.ndarray]  # [n]


class Found(NamedTuple):
    """What is found in one recording."""

    peaks_s: np.ndarray
    r_s: np.ndarray  # where the R peaks of the averaged beats lie
    limits: dict[str, float]  # ms from R


def simulated(rhythm: str, noise_db: float | None, n: int, seed: int) -> Simulated:
    """People drawn independently, muscle-like noise added at this ratio of RMS, a lead's to its noise's."""
    rng = np.random.default_rng([seed])
    z = {name: rng.standard_normal(n) for name in PARAMETERS}
    slope = PARAMETERS["qt_ms"].heart_rate
    z["qt_ms"] = slope * z["heart_rate_bpm"] + np.sqrt(1 - slope**2) * z["qt_ms"]
    people = {name: np.clip(p.mean + p.sd * z[name], p.low, p.high) for name, p in PARAMETERS.items()}
    signals, beats = [], []
    for start in range(0, n, CHUNK):
        chunk = {name: values[start : start + CHUNK] for name, values in people.items()}
        rhythms = np.full(len(chunk["pr_ms"]), rhythm)
        signals.append(simulate_recordings(chunk, rhythms, np.random.default_rng([seed, start]), RATE_HZ, SECONDS))
        drawn = draw_beats(chunk["heart_rate_bpm"], rhythms, np.random.default_rng([seed, start]), SECONDS)
        beats += [(t[(t > 0) & (t < SECONDS)], v[(t > 0) & (t < SECONDS)]) for t, v in zip(*drawn[0:4:3], strict=True)]
    noisy = with_noise(np.concatenate(signals), noise_db, rng)
    return Simulated(noisy, [t for t, _ in beats], [t[~v] for t, v in beats], true_limits(people, rhythm))


def with_noise(signals: np.ndarray, noise_db: float | None, rng: np.random.Generator) -> np.ndarray:
    """[n, 12, sample] with noise, flat to half the band, in the independent leads; the others follow."""
    if noise_db is None:
        return signals.astype(float)
    eight = signals[:, list(INDEPENDENT)].astype(float)
    white = rng.standard_normal((*eight.shape[:2], eight.shape[2] + 1))
    size = eight.std(axis=2, keepdims=True) * 10 ** (-noise_db / 20)
    return twelve_leads(np.rint(eight + (white[..., 1:] + white[..., :-1]) / 2**0.5 * size).astype(np.int16))


def true_limits(people: dict[str, np.ndarray], rhythm: str) -> dict[str, np.ndarray]:
    """Limits [n] in ms from R as the simulator defines them: 4 % of the height of P, Q and S; the tangent of T."""
    qrs = people["qrs_ms"] + WIDER_MS.get(rhythm, 0.0)
    qt = people["qt_ms"] + 0.6 * (qrs - people["qrs_ms"])
    p_onset = -qrs / 2 - people["pr_ms"]
    return dict(zip(FIDUCIALS, (p_onset, p_onset + 110.0, -qrs / 2, qrs / 2, qt - qrs / 2), strict=True))


def find(millivolts: np.ndarray, rate_hz: float, settings: Ingest) -> Found:
    """QRS complexes and limits of waves of [12, sample], by the steps of ingestion."""
    rows, independent = list(range(len(LEADS))), list(INDEPENDENT)
    spectrum = Spectrum(millivolts.astype(np.float32), rate_hz).without_mains()
    wide = spectrum.filtered(settings.highpass_hz, WIDE_HZ)
    smooth = spectrum.filtered(settings.highpass_hz, settings.lowpass_hz)
    peaks = detect(spectrum, rows, independent)
    beat = median_beat(wide, smooth, peaks, rate_hz)
    if beat is None or beat.n_beats < 3:
        return Found(peaks / rate_hz, np.empty(0), {})
    uneven = bool(irregular(*normal_intervals(beat)))
    _, marks = marked(beat, independent, smooth, float(rr_intervals(peaks, rate_hz).mean()), uneven)
    peak_ms = without_neighbours(beat)[1] * 1000 / rate_hz
    r_s = (beat.position[beat.kept] + beat.peak - round(BEFORE_S * rate_hz)) / rate_hz
    return Found(peaks / rate_hz, r_s, {name: getattr(marks, name) - peak_ms for name in FIDUCIALS})


def matched(found_s: np.ndarray, true_s: np.ndarray, seconds: float) -> np.ndarray:
    """True beats, those found, found ones, and those that are true; the first and last 150 ms do not count."""
    inside = lambda t: t[(t >= WITHIN_S) & (t <= seconds - WITHIN_S)]  # noqa: E731
    near = lambda a, b: sum(np.abs(b - t).min(initial=np.inf) <= WITHIN_S for t in a)  # noqa: E731
    t, f = inside(true_s), inside(found_s)
    return np.array([len(t), near(t, found_s), len(f), near(f, true_s)])


def limit_errors(data: Simulated, found: list[Found]) -> dict[str, np.ndarray]:
    """Error in ms of each limit [n], NaN where it is not found, in time of the recording."""
    errors = {name: np.full(len(found), np.nan) for name in FIDUCIALS}
    for k, one in enumerate(found):
        if not len(one.r_s) or not len(data.normal[k]):
            continue
        away = one.r_s[:, None] - data.normal[k]
        shift = 1000 * np.median(away[np.arange(len(away)), np.abs(away).argmin(axis=1)])
        for name in FIDUCIALS:
            errors[name][k] = one.limits[name] + shift - data.limits[name][k]
    return errors


def simulation(n: int, seed: int, settings: Ingest) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]:
    """Prints one table row a rhythm and noise; mean errors in clean to 6 dB sinus rhythm, and counts of beats."""
    means, counts = {}, {}
    print("| rhythm | noise | sensitivity | PPV | " + " | ".join(FIDUCIALS) + " |\n|" + "---|" * (4 + len(FIDUCIALS)))
    for rhythm in RHYTHMS:
        for noise in (None, 12, 6):
            data = simulated(rhythm, noise, n, seed)
            found = [find(signal / 1000, RATE_HZ, settings) for signal in data.signals]
            count = sum(matched(f.peaks_s, t, SECONDS) for f, t in zip(found, data.r_time, strict=True))
            errors = limit_errors(data, found)
            seen = {name: e[np.isfinite(e)] for name, e in errors.items()}
            cells = [f"{e.mean():+.1f} ± {e.std():.1f} ({len(e)})" if len(e) else "– (0)" for e in seen.values()]
            level = f"{noise} dB" if noise else "none"
            print(f"| {rhythm} | {level} | {count[1] / count[0]:.4f} | {count[3] / count[2]:.4f} | ", end="")
            print(" | ".join(cells) + " |", flush=True)
            counts[f"{rhythm}, {level}"] = count
            if rhythm == "sinus":
                means[level] = {name: float(e.mean()) for name, e in seen.items()}
    return means, counts


def intervals(microvolts: np.ndarray, settings: Ingest) -> dict[str, float]:
    """Measurements of [12, sample]; none where the recording is excluded."""
    try:
        recording = Recording(LEADS, ("uV",) * 12, microvolts.astype(np.float32), RATE_HZ, SECONDS)
        return process(recording, settings).intervals
    except Excluded:
        return {}


def flags(n: int, seed: int, settings: Ingest) -> dict[str, list[float]]:
    """Prints and returns sensitivity and specificity of each flag, and how often AF has a PR, all noise levels."""
    rows = {
        (rhythm, noise): [intervals(x, settings) for x in simulated(rhythm, noise, n, seed).signals]
        for rhythm in RHYTHMS
        for noise in (None, 12, 6)
    }
    share = lambda name, keep: float(  # noqa: E731
        np.mean([bool(row.get(name)) for key, values in rows.items() if keep(key[0]) for row in values])
    )
    out = {
        flag: [share(flag, lambda r, f=flag: r == f), 1 - share(flag, lambda r, f=flag: r != f)]
        for flag in ("af", "paced", "lbbb", "rbbb")
    }
    without = [np.mean([not np.isfinite(row.get("pr_ms", np.nan)) for row in rows["af", s]]) for s in (None, 12, 6)]
    present = [np.mean([np.isfinite(row.get("pr_ms", np.nan)) for row in rows["sinus", s]]) for s in (None, 12, 6)]
    out["no_pr_in_af"], out["pr_in_sinus"] = [float(x) for x in without], [float(x) for x in present]
    print("\n" + "\n".join(f"{name}: " + " ".join(f"{x:.3f}" for x in values) for name, values in out.items()))
    return out


def record_100(folder: Path) -> np.ndarray:
    """Counts of beats, as `matched`, of MIT-BIH record 100, both leads, 30 minutes."""
    record, marks = wfdb.rdrecord(str(folder / "100")), wfdb.rdann(str(folder / "100"), "atr")
    spectrum = Spectrum(record.p_signal.T.astype(np.float32), record.fs).without_mains()
    beats = np.array([s for s, symbol in zip(marks.sample, marks.symbol, strict=True) if symbol in BEAT_SYMBOLS])
    peaks = detect(spectrum, [0, 1], [0, 1])
    return matched(peaks / record.fs, beats / record.fs, record.sig_len / record.fs)


def manual(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """LUDB record 1: {limit: {lead: times in s}} of all annotated waves."""
    times = defaultdict(lambda: defaultdict(list))
    for lead in LEADS:
        marks = wfdb.rdann(str(folder / "ludb-ecg"), lead.lower())
        symbol, at = marks.symbol, marks.sample / 500.0
        for k in range(1, len(symbol) - 1):
            if (symbol[k - 1], symbol[k + 1]) == ("(", ")") and symbol[k] in "pNt":
                wave = {"p": "p", "N": "qrs", "t": "t"}[symbol[k]]
                times[f"{wave}_onset"][lead].append(at[k - 1])
                times[f"{wave}_offset" if wave != "t" else "t_end"][lead].append(at[k + 1])
    return {name: {lead: np.array(t) for lead, t in leads.items()} for name, leads in times.items()}


def ludb(folder: Path, settings: Ingest) -> dict[str, tuple[float, float]]:
    """Prints errors against LUDB's marks: to the median over leads and to the earliest onset or latest offset."""
    header = (folder / "ludb-ecg.hea").read_text().splitlines()
    raw = np.fromfile(folder / "ludb-ecg.dat", dtype="<i2").reshape(-1, 12).T
    gains = [re.match(r"([\d.]+)\(?(-?\d+)?", line.split()[2]).groups() for line in header[1:13]]
    found = find(
        np.stack([(x - float(b or 0)) / float(g) for x, (g, b) in zip(raw, gains, strict=True)]), 500.0, settings
    )
    out = {}
    print("\n| LUDB record 1 | to the median over leads | to the earliest onset, latest offset |\n|---|---|---|")
    for name, leads in manual(folder).items():
        if name not in FIDUCIALS:
            continue
        middle, outer = [], []
        for r in found.r_s:
            ours = r + found.limits[name] / 1000
            near = [t[np.abs(t - ours).argmin()] for t in leads.values() if np.abs(t - ours).min() < WITHIN_S]
            if near:
                middle.append(1000 * (ours - np.median(near)))
                outer.append(1000 * (ours - (min(near) if name.endswith("onset") else max(near))))
        cells = [f"{np.mean(e):+.1f} ± {np.std(e):.1f} ({len(e)})" for e in (middle, outer)]
        print(f"| {name} | {cells[0]} | {cells[1]} |")
        out[name] = (float(np.mean(middle)), float(np.mean(outer)))
    return out


def main(data: Path | None = None, n: int = 192, seed: int = 101) -> None:
    """Print the tables and, last, one line of JSON.

    Args:
        data: folder of the real recordings; the environment's ECGWAS_REALDATA where left out.
        n: simulated recordings a rhythm and noise level.
        seed: seed of the simulation.
    """
    folder, settings = data or Path(os.environ.get("ECGWAS_REALDATA", "../shared/data")), Ingest()
    means, counts = simulation(n, seed, settings)
    flagged = flags(max(n // 2, 8), seed + 1, settings)
    real = ludb(folder / "ecg_ludb_one", settings)
    counts["record 100"] = record_100(folder / "ecg_wfdb_samples")
    arrhythmia = sum(count for name, count in counts.items() if name.startswith(("af", "pvc", "paced")))
    rates = lambda c: [round(float(c[1] / c[0]), 5), round(float(c[3] / c[2]), 5)]  # noqa: E731
    print(f"\nrecord 100: sensitivity, PPV {rates(counts['record 100'])}; arrhythmias {rates(arrhythmia)}")
    line = {
        "sinus_mean_error_ms": means,
        "ludb_error_ms": {name: [round(x, 1) for x in values] for name, values in real.items()},
        "record_100": rates(counts["record 100"]),
        "arrhythmias": rates(arrhythmia),
        "lowest": [min(rates(c)[k] for c in counts.values()) for k in (0, 1)],
        "flags": flagged,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    run(main)
