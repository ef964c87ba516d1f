"""Counts of a partition of people -> which of them may be shown: small-cell suppression."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shown:
    """Counts of a partition that may be published."""

    people: np.ndarray  # [group] bool: the number of people, and what is computed from them
    cases: np.ndarray  # [group] bool: the number of cases, and so of controls; never where `people` is not shown
    total_people: bool
    total_cases: bool


def shown(people: np.ndarray, cases: np.ndarray, least: int) -> Shown:
    """Which counts [group] of a partition may be shown beside its totals, where none under `least` may be known.

    Hidden first: groups of fewer people; cases where they or the controls are fewer, none included. What is hidden can
    be added up, as the total less what is shown: so while that is one group only or its sum is under `least`, the
    next smallest group is hidden too, and the total when no group is left (complementary suppression: Hundepool et
    al. 2012, Statistical Disclosure Control, section 4.4). Where `total_people` is not shown, nothing of the
    partition may be, not even how many groups it has.
    """
    people, cases = np.asarray(people, int), np.asarray(cases, int)
    controls = people - cases
    hide = _widened(people < least, [people], least)
    hide_cases = _widened(hide | (cases < least) | (controls < least), [cases, controls], least)
    total = not hide.all() or _safe(hide, [people], least)
    total_cases = total and (not hide_cases.all() or _safe(hide_cases, [cases, controls], least))
    return Shown(~hide, ~hide_cases, total, total_cases)


def _widened(hidden: np.ndarray, counts: list[np.ndarray], least: int) -> np.ndarray:
    """`hidden` [group] and the next smallest groups, until their sums reveal nothing."""
    hidden = hidden.copy()
    smallest = np.minimum.reduce(counts)
    for group in np.argsort(smallest, kind="stable"):
        if not hidden.any() or _safe(hidden, counts, least):
            break
        hidden[group] = True
    return hidden


def _safe(hidden: np.ndarray, counts: list[np.ndarray], least: int) -> bool:
    """Several groups are hidden, and no sum over them tells one of them, even to who knows these rules.

    A sum tells where it is under `least` or about one a group; of people also where it is as large as small groups
    can make it, or where the others hidden, none larger than the smallest shown, leave a small one no choice.
    """
    groups = int(hidden.sum())
    if groups < 2:
        return False
    sums = [int(count[hidden].sum()) for count in counts]
    if min(sums) < max(least, groups + 1):
        return False
    largest = int(counts[0][~hidden].min(initial=np.iinfo(int).max)) - 1
    if len(counts) > 1:
        return True
    fullest = sums[0] == groups * (least - 1)
    return not fullest and sums[0] - (groups - 1) * largest < least - 1


def masked(counts: np.ndarray, visible: np.ndarray) -> list[int | None]:
    """Counts [group] with None where they are not `visible`."""
    return [int(count) if seen else None for count, seen in zip(counts, visible, strict=True)]
