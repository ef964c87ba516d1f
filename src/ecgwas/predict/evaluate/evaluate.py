"""labels.npy and scores.npy -> macro AUROC as PTB-XL's published evaluation has it, printed with its interval.

The rules of Strodthoff et al. 2021 (IEEE J Biomed Health Inform 25:1519) and their code (ecg_ptbxl_benchmarking):
the unweighted mean over classes of scikit-learn's AUROC, all recordings given; the bootstrap resamples recordings, and
a resample where any class has no positive is redrawn. Recordings without a label of the task are excluded before the
labels are made, so here they are kept unless `unlabelled: remove` asks otherwise.
"""

import json
from pathlib import Path
from typing import Literal

import numpy as np

from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.stats import bootstrap, discrimination


def read(labels: Path, scores: Path) -> tuple[np.ndarray, np.ndarray]:
    """Labels (int) and scores [n, class]; one class may be given as [n]."""
    y, s = _array(labels), _array(scores)
    if y.shape != s.shape:
        raise UserError(f"{scores}: shape {s.shape}, but {labels} has {y.shape}; give a score for each label")
    if y.ndim not in (1, 2) or not y.size:
        raise UserError(f"{labels}: shape {y.shape}; give [recording, class], or [recording] for one class")
    y, s = y.reshape(len(y), -1), s.reshape(len(s), -1)
    _finite(labels, y, "exclude recordings of unknown label")
    _finite(scores, s, "score every recording, or exclude it from both files")
    wrong = np.argwhere((y != 0) & (y != 1))
    if len(wrong):
        row, column = wrong[0]
        raise UserError(f"{labels}: {y[row, column]} at recording {row}, class {column}; labels are 0 or 1")
    if s.dtype.kind in "iu":  # whole numbers may be finer than float64: their ranks are not
        s = np.column_stack([np.unique(column, return_inverse=True)[1] for column in s.T])
    return y.astype(np.int8), s


def _loaded(path: Path) -> np.ndarray:
    """The array of a .npy file; pickled objects are not read."""
    if not path.exists():
        raise UserError(f"{path}: no such file")
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        remedy = "save a plain array with numpy.save, such as values.astype(float)"
        raise UserError(f"{path}: cannot be read as one array ({error}); {remedy}") from error
    if not isinstance(values, np.ndarray):
        raise UserError(f"{path}: several arrays; save one with numpy.save")
    return values


def _array(path: Path) -> np.ndarray:
    """Numbers of a .npy file."""
    values = _loaded(path)
    if values.dtype.kind not in "biuf":
        raise UserError(f"{path}: {values.dtype}, not numbers; save one array of 0/1 labels or of scores")
    return values


def _finite(path: Path, values: np.ndarray, remedy: str) -> None:
    wrong = np.argwhere(~np.isfinite(values.astype(np.float64)))
    if len(wrong):
        row, column = wrong[0]
        raise UserError(
            f"{path}: {values[row, column]} at recording {row}, class {column} ({len(wrong)} such); {remedy}"
        )


def people(path: Path | None, n: int) -> np.ndarray:
    """Person [n] of each recording, numbered; without a file, one person per recording."""
    if path is None:
        return np.arange(n)
    groups = _loaded(path)
    if groups.shape != (n,):
        raise UserError(f"{path}: shape {groups.shape}; give the person of each of the {n} recordings")
    return bootstrap.codes(groups)[0]


def evaluated(y: np.ndarray, s: np.ndarray, person: np.ndarray, resamples: int, seed: int) -> dict:
    """AUROC and average precision by class and macro, with bootstrap intervals of the macro values."""
    positives = y.sum(0)
    estimable = np.flatnonzero((positives > 0) & (positives < len(y)))
    auroc = [discrimination.auroc(y[:, k], s[:, k]) for k in range(y.shape[1])]
    auprc = [discrimination.auprc(y[:, k], s[:, k]) for k in range(y.shape[1])]
    made = {"macro_auroc": _value(discrimination.macro(np.array(auroc))), "auroc": [_value(v) for v in auroc]}
    made |= {"macro_auprc": _value(discrimination.macro(np.array(auprc))), "auprc": [_value(v) for v in auprc]}
    made |= {"n": len(y), "people": len(np.unique(person)), "positives": positives.tolist()}
    made |= {"not_estimable": [k for k in range(y.shape[1]) if k not in estimable]}
    made |= {"unlabelled": int((y.sum(1) == 0).sum())}
    if resamples and len(estimable):
        made |= _intervals(y[:, estimable], s[:, estimable], person, resamples, seed)
    return made


def _intervals(y: np.ndarray, s: np.ndarray, person: np.ndarray, resamples: int, seed: int) -> dict:
    draws = bootstrap.draw(person, y.astype(np.float64), resamples, seed)
    if draws.reason:
        return {"resamples": 0, "redrawn": draws.redrawn, "reason": draws.reason}
    ranks = [discrimination.ranking(y[:, k], s[:, k]) for k in range(y.shape[1])]
    again = draws.over(person, lambda w: np.mean([discrimination.ranked(r, w) for r in ranks], axis=0))
    made: dict = {"resamples": resamples, "redrawn": draws.redrawn}
    for j, name in enumerate(("macro_auroc", "macro_auprc")):
        made[f"{name}_95"] = list(bootstrap.interval(again[:, j]))
        made[f"{name}_90"] = list(bootstrap.interval(again[:, j], 0.9))
    return made


def _value(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def lines(made: dict, drawn: str = "people") -> list[str]:
    """What is printed, the last line JSON; `drawn`: what is resampled."""
    words = []
    for k, (value, count) in enumerate(zip(made["auroc"], made["positives"], strict=True)):
        shown = "not estimable: one value only" if value is None else repr(value)
        words.append(f"class {k}: AUROC {shown}, {count} of {made['n']} positive")
    used = len(made["auroc"]) - len(made["not_estimable"])
    words.append(f"macro AUROC over {used} of {len(made['auroc'])} classes: {made['macro_auroc']!r}")
    if "macro_auroc_95" in made:
        low, high = made["macro_auroc_95"]
        words.append(f"95 % interval {low:.6f} to {high:.6f}: {made['resamples']} resamples of {drawn}")
    if "reason" in made:
        words.append(f"no interval: {made['reason']}")
    if made["unlabelled"] and len(made["auroc"]) > 1:
        words.append(f"{made['unlabelled']} recordings have no label; --unlabelled remove excludes them")
    return [*words, json.dumps(made)]


def main(
    labels: Path,
    scores: Path,
    groups: Path | None = None,
    resamples: int = 1000,
    unlabelled: Literal["keep", "remove"] = "keep",
    seed: int = 1,
) -> None:
    """Print AUROC by class and macro AUROC to all digits; the last line is JSON.

    Args:
        labels: .npy, 0/1 [recording, class], or [recording] for one class.
        scores: .npy of the same shape: any numbers that increase with the probability of the class.
        groups: .npy [recording]: the person of each recording, to resample people; else recordings are resampled.
        resamples: Bootstrap resamples; 0: no interval.
        unlabelled: keep or remove recordings that have no class at all.
        seed: Seed of the bootstrap.
    """
    if resamples < 0:
        raise UserError(f"--resamples {resamples}: give 0 for no interval, or a number such as 1000")
    y, s = read(labels, scores)
    person = people(groups, len(y))
    if unlabelled == "remove":
        kept = y.any(1)
        if not kept.any():
            raise UserError(f"{labels}: no recording has any class; unlabelled: remove leaves none")
        y, s, person = y[kept], s[kept], bootstrap.codes(person[kept])[0]
    made = evaluated(y, s, person, resamples, seed) | ({} if groups else {"people": None})
    print("\n".join(lines(made, "people" if groups else "recordings")), flush=True)


if __name__ == "__main__":
    run(main)
