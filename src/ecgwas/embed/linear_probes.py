"""Embeddings and labels of recordings -> out-of-fold linear predictions, and scores with intervals."""

from collections.abc import Iterator

import numpy as np

from ecgwas.stats import bootstrap

FOLDS = 5
REPLICATES = 300
PENALTIES = 10.0 ** np.arange(-5, 3)  # of the ridge, per recording, for columns of variance 1
CELLS = 4_000_000  # of the weights held at once


def folds(person: np.ndarray, seed: int) -> np.ndarray:
    """Number of the fold of each recording, int [recording]; all recordings of a person are in one fold."""
    ids, group = np.unique(person, return_inverse=True)
    return (np.random.default_rng([seed, 1]).permutation(len(ids)) % FOLDS)[group]


def features(values: np.ndarray) -> np.ndarray:
    """Columns [recording, feature] of mean 0 and variance 1; constant columns are excluded.

    A missing value takes its column's mean, and indicators of missing values follow as columns. Computed from all
    recordings: no label is used.
    """
    missing = ~np.isfinite(values)
    count = (~missing).sum(0)
    mean = np.where(missing, 0, values).sum(0) / np.maximum(count, 1)
    x = np.column_stack([np.where(missing, mean, values), missing[:, missing.any(0)]]).astype(np.float64)
    x -= x.mean(0)
    scale = x.std(0)
    kept = scale > 1e-9 * max(1.0, float(np.abs(mean).max(initial=0.0)))
    return x[:, kept] / scale[kept]


def ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Predictions [new recording, target] of ridge regression of y [recording, target] on x, with an intercept.

    One penalty for all targets: the least generalised cross-validation error (Golub, Heath & Wahba 1979,
    Technometrics 21:215, eq. 1.4), from one eigendecomposition.
    """
    n, mean, middle = len(x), x.mean(0), y.mean(0)
    a, b = x - mean, y - middle
    s, v = np.linalg.eigh(a.T @ a)
    s = s.clip(min=0)
    along = v.T @ (a.T @ b)
    square = (along**2).sum(1)
    best, chosen = np.inf, n * PENALTIES[-1]
    for penalty in n * PENALTIES:
        error = (b**2).sum() - (square * (s + 2 * penalty) / (s + penalty) ** 2).sum()
        free = 1 - (1 + (s / (s + penalty)).sum()) / n
        if free > 0 and error / free**2 < best:
            best, chosen = error / free**2, penalty
    return middle + (new - mean) @ (v @ (along / (s + chosen)[:, None]))


def out_of_fold(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predictions [recording, target], each made without the recording's fold."""
    predicted = np.full(y.shape, np.nan)
    for k in np.unique(fold):
        out = fold == k
        predicted[out] = ridge(x[~out], y[~out], x[out])
    return predicted


def weights(group: np.ndarray, seed: int, replicates: int = REPLICATES) -> Iterator[np.ndarray]:
    """Bootstrap weights [replicate, recording], some replicates at a time: how often each group was drawn.

    With the person as the group: people are drawn, with all their recordings (Davison & Hinkley 1997, section 3.8).
    """
    rng, n = np.random.default_rng([seed, 2]), int(group.max()) + 1
    step = max(1, CELLS // len(group))
    for start in range(0, replicates, step):
        draws = rng.multinomial(n, np.full(n, 1 / n), size=min(step, replicates - start))
        yield draws[:, group].astype(np.float64)


def interval(replicates: np.ndarray) -> tuple[float, float]:
    """Percentile interval of the replicates that could be computed (Efron 1979); NaN where none could."""
    return bootstrap.interval(replicates[np.isfinite(replicates)])


def r2(y: np.ndarray, predicted: np.ndarray, w: np.ndarray) -> np.ndarray:
    """1 - residual over total sum of squares [replicate] of y [recording] under weights w [replicate, recording]."""
    y, error = y - y.mean(), y - predicted
    total = w @ y**2 - (w @ y) ** 2 / w.sum(1)
    return 1 - (w @ error**2) / total


def concordance(score: np.ndarray, positive: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concordant pairs of a positive with a negative, ties half, and all pairs [replicate], weighted by w."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    up = np.add.reduceat(np.where(positive, w, 0)[:, order], starts, axis=1)
    down = np.add.reduceat(np.where(positive, 0, w)[:, order], starts, axis=1)
    return (up * (np.cumsum(down, 1) - down / 2)).sum(1), up.sum(1) * down.sum(1)


def macro_auroc(label: np.ndarray, predicted: np.ndarray, fold: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Mean over classes of the area under the ROC curve of one against the rest, [replicate].

    Pairs are compared within a fold only: predictions of different folds have different intercepts, which would pull
    the area below a half where nothing is there to be read (Parker, Guenter & Bedo 2007, BMC Bioinformatics 8:326).
    """
    areas = []
    for k in range(predicted.shape[1]):
        found = [concordance(predicted[f, k], label[f] == k, w[:, f]) for f in (fold == i for i in np.unique(fold))]
        pairs = sum(of for _, of in found)
        with np.errstate(invalid="ignore", divide="ignore"):
            areas.append(sum(agree for agree, _ in found) / pairs)
    return np.mean(areas, 0)
