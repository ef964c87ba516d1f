"""How well recordings are judged: the score against annotators (nested 5-fold), reversed arms against simulation.

python benchmarks/quality.py [--data ../shared/data] [--fit_weights true]

`--fit_weights true` also prints the weights of `ecgwas.ecg.score` fitted on all labelled recordings.
"""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import scipy.optimize
import scipy.stats

from ecgwas.cli import run
from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.ecg.quality import Excluded
from ecgwas.ecg.score import FEATURES, features
from ecgwas.ingest.process import process
from ecgwas.ingest.readers import open_source
from ecgwas.signals.recording import Recording
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FOLDS = 5
SETA_LEADS = [*LEADS[:4], "aVF", "aVL", *LEADS[6:]]  # by the sums of its limb leads


def measured(recording: Recording, settings: Ingest) -> tuple[dict, str | None]:
    """Measures of quality, and the reason where the recording is excluded."""
    try:
        return process(recording, settings).quality, None
    except Excluded as fault:
        return fault.measures, fault.reason


def labelled(folder: Path, settings: Ingest) -> tuple[list[dict], np.ndarray, list[str | None]]:
    """Measures, whether unacceptable, and reasons of the recordings with a label of set-a."""
    source = EcgSource(
        format="array",
        path=folder / "seta_n1000_lead12_t5000_int16.npy.xz",
        recordings=folder / "records.csv",
        recording_column="record_id",
        person_column="record_id",
        rate_hz=500,
        microvolts_per_count=5,
        leads=SETA_LEADS,
    )
    reader = open_source(source, settings.seconds)
    label = dict(pl.read_csv(folder / "records.csv", infer_schema=False).select("record_id", "quality").iter_rows())
    entries = [e for e in reader.entries.iter_rows(named=True) if label[e["recording_id"]] != "indeterminate"]
    rows = [measured(reader.read(entry["key"]), settings) for entry in entries]
    bad = np.array([label[entry["recording_id"]] == "unacceptable" for entry in entries])
    return [row for row, _ in rows], bad, [reason for _, reason in rows]


def fit(x: np.ndarray, bad: np.ndarray, penalty: float) -> np.ndarray:
    """Weights [feature] of the ridge logistic model of P(bad); the first, the intercept, is free. In units of x."""
    mean, sd = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    mean[0], sd[0] = 0.0, 1.0
    z, free = (x - mean) / sd, np.r_[0.0, np.ones(x.shape[1] - 1)]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        eta = z @ w
        p = 1 / (1 + np.exp(-np.clip(eta, -50, 50)))
        value = np.logaddexp(0, eta).sum() - eta[bad].sum() + 0.5 * penalty * (free * w) @ w
        return value, z.T @ (p - bad) + penalty * free * w

    w = scipy.optimize.minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x / sd
    w[0] -= w[1:] @ mean[1:]
    return w


def auroc(score: np.ndarray, bad: np.ndarray) -> float:
    """Chance that a bad recording scores above a good one."""
    rank = scipy.stats.rankdata(score)
    n = bad.sum()
    return float((rank[bad].sum() - n * (n + 1) / 2) / (n * (len(bad) - n)))


def folds(groups: np.ndarray, seed: int) -> np.ndarray:
    """[recording] number of its fold; recordings of one group share it."""
    order = np.random.default_rng([seed]).permutation(groups.max() + 1)
    return order[groups] % FOLDS


def best_penalty(x: np.ndarray, bad: np.ndarray, groups: np.ndarray, seed: int) -> float:
    """The penalty with the best AUROC over folds."""
    fold = folds(groups, seed)

    def value(penalty: float) -> float:
        out = np.empty(len(x))
        for k in range(FOLDS):
            out[fold == k] = x[fold == k] @ fit(x[fold != k], bad[fold != k], penalty)
        return auroc(out, bad)

    return max(PENALTIES, key=value)


def nested(x: np.ndarray, bad: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """[recording] P(bad), each fitted, and its penalty chosen, without the recording's fold."""
    fold, out = folds(groups, seed), np.empty(len(x))
    for k in range(FOLDS):
        train = fold != k
        _, inner = np.unique(groups[train], return_inverse=True)
        weights = fit(x[train], bad[train], best_penalty(x[train], bad[train], inner, seed + 1))
        out[~train] = 1 / (1 + np.exp(-x[~train] @ weights))
    return out


def reversal(n: int, settings: Ingest) -> dict[str, float]:
    """Sensitivity and specificity of `limb_reversal` in simulated sinus rhythm, arms exchanged or not."""
    rng, found = np.random.default_rng([7]), {}
    people = {name: np.clip(p.mean + p.sd * rng.standard_normal(n), p.low, p.high) for name, p in PARAMETERS.items()}
    for artefact in ("none", "swapped_electrodes"):
        signals = simulate_recordings(people, np.full(n, "sinus"), rng, artefact=np.full(n, artefact))
        rows = [measured(Recording(LEADS, ("uV",) * 12, s.astype(np.float32), 500.0, 10.0), settings) for s in signals]
        found[artefact] = np.mean(["limb_reversal" in row["warnings"] for row, _ in rows])
    return {"sensitivity": float(found["swapped_electrodes"]), "specificity": 1 - float(found["none"])}


def main(data: Path | None = None, fit_weights: bool = False, repeats: int = 5) -> None:
    """Print the figures and, last, one line of JSON.

    Args:
        data: folder of the real recordings; the environment's ECGWAS_REALDATA where left out.
        fit_weights: print the weights fitted on all labelled recordings.
        repeats: nested cross-validations with other folds; their mean is reported.
    """
    folder = data or Path(os.environ.get("ECGWAS_REALDATA", "../shared/data"))
    rows, bad, reasons = labelled(folder / "ecg_challenge2011_seta", Ingest(min_leads=12))
    x = np.array([features(row) for row in rows])
    _, groups = np.unique([row["sample_hash"] for row in rows], return_inverse=True)
    outer = [nested(x, bad, groups, 10 * seed) for seed in range(repeats)]
    aurocs = [auroc(p, bad) for p in outer]
    accuracy = [float(np.mean((p > 0.5) == bad)) for p in outer]
    stored = 1 - np.array([row["score"] for row in rows])
    first = np.unique(groups, return_index=True)[1]
    print(f"{len(rows)} labelled recordings, {bad.sum()} unacceptable, {len(rows) - len(first)} copies of others")
    print(
        f"excluded: {Counter((('acceptable', 'unacceptable')[int(b)], r) for b, r in zip(bad, reasons, strict=True))}"
    )
    print(
        f"nested {FOLDS}-fold AUROC {np.mean(aurocs):.4f} ({min(aurocs):.4f} to {max(aurocs):.4f}), accuracy ", end=""
    )
    print(f"{np.mean(accuracy):.3f}; stored weights, which have seen all of it: {auroc(stored, bad):.4f}")
    if fit_weights:
        weights = fit(x, bad, best_penalty(x, bad, groups, 1))
        print(dict(zip(FEATURES, weights.round(3).tolist(), strict=True)))
    arms = reversal(300, Ingest())
    print(f"arms reversed: sensitivity {arms['sensitivity']:.3f}, specificity {arms['specificity']:.3f}")
    line = {"quality_auroc": float(np.mean(aurocs)), "accuracy": float(np.mean(accuracy)), "limb_reversal": arms}
    print(json.dumps(line))


if __name__ == "__main__":
    run(main)
