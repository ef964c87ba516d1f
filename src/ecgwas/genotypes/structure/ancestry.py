"""principal components or a panel's names -> groups of like ancestry, to test Hardy-Weinberg proportions within."""

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


def named_groups(names: np.ndarray) -> np.ndarray:
    """Group number [sample] from 0 of ancestries by name (None: undecided), -1 for none.

    Groups of fewer than 50 are not tested, as in `groups`; where no group is as large, everyone has -1.
    """
    result = np.full(len(names), -1)
    known = sorted({name for name in names.tolist() if name is not None})
    large = [name for name in known if (names == name).sum() >= MIN_GROUP]
    for number, name in enumerate(large):
        result[names == name] = number
    return result


def by_panel(names: np.ndarray, components: np.ndarray) -> np.ndarray:
    """`named_groups`, or the groups by `components` where no ancestry has enough people; says who is left out."""
    group = named_groups(names)
    if not (group >= 0).any():
        print(f"  note: no ancestry of the panel has {MIN_GROUP} people; groups are by components", flush=True)
        return components
    undecided = sum(name is None for name in names.tolist())
    print(
        f"Hardy-Weinberg within {group.max() + 1} ancestries of the panel; left out: {undecided} people undecided,"
        f" {(group < 0).sum() - undecided} in ancestries of fewer than {MIN_GROUP}",
        flush=True,
    )
    return group
