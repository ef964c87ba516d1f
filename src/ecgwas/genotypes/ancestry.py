"""principal components -> groups of like ancestry, to test Hardy-Weinberg proportions within."""

import numpy as np

MIN_GROUP = 50


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances [point, centre]."""
    return ((points[:, None] - centres[None]) ** 2).sum(2)


def k_means(points: np.ndarray, k: int, rounds: int = 100) -> np.ndarray:
    """Labels [point] of `k` clusters; starts from the point farthest from those taken, so no chance is involved."""
    centres = points[[int(_distances(points, np.median(points, 0)[None])[:, 0].argmax())]]
    for _ in range(k - 1):
        centres = np.vstack([centres, points[_distances(points, centres).min(1).argmax()]])
    labels = np.full(len(points), -1)
    for _ in range(rounds):
        nearest = _distances(points, centres).argmin(1)
        if (nearest == labels).all():
            break
        labels = nearest
        for i in np.unique(labels):
            centres[i] = np.median(points[labels == i], 0)  # medians: a few outliers must not drag a centre
    return labels


def groups(scores: np.ndarray, n_structural: int) -> np.ndarray:
    """Group number [sample] from 0, or -1: k-means on the structural components, without people between groups.

    Mixing ancestries in one group makes well-genotyped variants look short of heterozygotes (Wahlund effect), and so
    do admixed people between the groups' centres. Kept are those within median + 3 robust SD of their centre; groups
    of fewer than 50 are not tested (unless there is no other). Without structure everyone is one group.
    """
    if n_structural == 0 or len(scores) < 2 * MIN_GROUP:
        return np.zeros(len(scores), int)
    points = scores[:, :n_structural]
    labels = k_means(points, n_structural + 1)
    result = np.full(len(points), -1)
    number = 0
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        distance = np.sqrt(_distances(points[members], np.median(points[members], 0)[None])[:, 0])
        spread = 1.4826 * np.median(np.abs(distance - np.median(distance)))
        core = members[distance <= np.median(distance) + 3 * spread]
        if len(core) >= MIN_GROUP:
            result[core] = number
            number += 1
    return result if number else np.zeros(len(scores), int)
