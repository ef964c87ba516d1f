"""Several measurements of the same person -> the person's mean, and the reliability of one measurement."""

import numpy as np

from ecgwas.stats import circular

MIN_PEOPLE = 10  # with several values: fewer have no ICC


def person_means(
    person: np.ndarray, values: np.ndarray, angles: list[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted person ids and the mean over each one's recordings [person, column]; NaN where there is none.

    `angles`: columns of degrees, whose means are circular.
    """
    ids, group = np.unique(person.astype(str), return_inverse=True)
    seen = np.isfinite(values)
    total = np.zeros((len(ids), values.shape[1]))
    count = np.zeros_like(total)
    np.add.at(total, group, np.where(seen, values, 0.0))
    np.add.at(count, group, seen)
    means = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    for j in angles or []:
        means[:, j] = circular.group_means(values[:, j], group, len(ids))
    return ids, means


def icc(values: np.ndarray, person: np.ndarray) -> tuple[int, float]:
    """People with two or more values, and ICC(1,1), the reliability of one recording.

    One-way random effects: (MSB - MSW) / (MSB + (k0 - 1) MSW), Shrout & Fleiss 1979 (Psychol Bull 86:420) Case 1;
    k0 = (N - sum n_i^2 / N) / (a - 1) for a people with unequal counts n_i, N values in all
    (Donner 1986, Int Stat Rev 54:67).
    """
    _, group, counts = np.unique(person, return_inverse=True, return_counts=True)
    use = (counts >= 2)[group]
    if not use.any():
        return 0, float("nan")
    _, group, counts = np.unique(person[use], return_inverse=True, return_counts=True)
    y, a, total = values[use], len(counts), int(counts.sum())
    if a < MIN_PEOPLE:
        return a, float("nan")
    mean = np.bincount(group, y) / counts
    within = np.sum((y - mean[group]) ** 2) / (total - a)
    between = np.sum(counts * (mean - y.mean()) ** 2) / (a - 1)
    k0 = (total - np.sum(counts**2) / total) / (a - 1)
    denominator = between + (k0 - 1) * within
    return a, float((between - within) / denominator) if denominator > 0 else float("nan")
