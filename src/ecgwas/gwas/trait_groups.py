"""Traits and covariates -> groups of traits with the same people, covariates projected out (stats/linear.py)."""

from dataclasses import dataclass, replace

import numpy as np

from ecgwas.errors import UserError
from ecgwas.gwas.engines.leverages import Leverages, measure
from ecgwas.stats.linear import ROUNDING, orthonormal, project_out

EIGEN_FLOOR = 1e-4  # of the correlation matrix: traits more collinear than this are one trait to the joint test
MIN_PEOPLE = 10  # degrees of freedom of a test, and one


@dataclass(frozen=True)
class Group:
    """Traits observed in the same people, ready for matrix products. n people, T traits, K joint axes, c covariates."""

    name: str  # "all": everyone
    rows: np.ndarray  # [n] positions among the people analysed
    traits: np.ndarray  # [T] positions among the traits; empty where only the genotype's own numbers are wanted
    y: np.ndarray  # [n, T] the traits
    c: np.ndarray  # [n, c] covariates without intercept
    q: np.ndarray  # [n, 1 + c] orthonormal basis of intercept and covariates
    unit: np.ndarray  # [n, T] residual traits of length 1
    yy: np.ndarray  # [T] squared length of the residual traits
    w: np.ndarray | None = (
        None  # [T, K] unit @ w is an orthonormal basis of the residual traits: the joint test is here
    )
    leverages: Leverages | None = None  # of the people, in that basis

    @property
    def df(self) -> int:
        """Residual degrees of freedom of one genotype's regression: n - 1 - c - 1."""
        return len(self.rows) - self.q.shape[1] - 1


def joint_axes(unit: np.ndarray, floor: float = EIGEN_FLOOR) -> np.ndarray:
    """[T, K]: weights that turn unit residual traits [n, T] into K orthonormal columns spanning them.

    Directions with an eigenvalue of the correlation matrix below `floor` are excluded.
    """
    value, vector = np.linalg.eigh(unit.T @ unit)
    kept = value > floor
    return vector[:, kept] / np.sqrt(value[kept])


def make(name: str, rows: np.ndarray, traits: np.ndarray, y: np.ndarray, c: np.ndarray) -> Group:
    """One group from all people's traits `y` and covariates `c`."""
    y, c = y[np.ix_(rows, traits)], c[rows]
    q = orthonormal(c)
    residuals = project_out(q, y)
    length = np.linalg.norm(residuals, axis=0)
    unit = np.divide(residuals, length, out=np.zeros_like(residuals), where=length > 0)
    return Group(name, rows, traits, y, c, q, unit, length**2)


def untestable(y: np.ndarray, fewest: int) -> list[str | None]:
    """Why each trait of `y` [n, T] has no test (no_values, too_few, constant); None where it has one."""
    seen = np.isfinite(y)
    n, size = seen.sum(axis=0), np.abs(np.where(seen, y, 0)).max(axis=0, initial=0)
    top, bottom = np.where(seen, y, -np.inf).max(axis=0), np.where(seen, y, np.inf).min(axis=0)
    spread = np.where(n > 0, top - bottom, 0)
    words = np.select([n == 0, n < fewest, spread <= ROUNDING * size], ["no_values", "too_few", "constant"], "")
    return [str(word) or None for word in words]


def build(y: np.ndarray, c: np.ndarray, min_people: int = MIN_PEOPLE, axes: bool = True) -> list[Group]:
    """Groups for traits `y` [n, T] (NaN missing) and covariates `c` [n, c].

    The first is "all": everyone, with the traits observed in all of them and the `untestable` ones, whose statistics
    are NaN. Then g1, g2, …, one per pattern of missing values.
    The joint test runs on people complete in all traits: in "all" where nothing is missing, else in a last group
    "joint", whose single-trait statistics are not reported; there is none where those people are too few, or
    without `axes`.
    """
    seen = np.isfinite(y)
    everyone = np.arange(len(y))
    spare = c.shape[1] + 2 + min_people
    if len(y) < spare:
        raise UserError(f"{len(y)} people for {c.shape[1]} covariates: too few; give fewer covariates or more people")
    dropped = np.array([reason is not None for reason in untestable(y, spare)], bool)
    tested = np.flatnonzero(~dropped)
    patterns: dict[bytes, list[int]] = {}
    for j in tested:
        patterns.setdefault(seen[:, j].tobytes(), []).append(int(j))
    whole = patterns.pop(np.ones(len(y), bool).tobytes(), [])
    whole = np.array(sorted([*whole, *np.flatnonzero(dropped)]), dtype=int)
    groups = [without(make("all", everyone, whole, np.where(dropped, 0, y), c), dropped[whole], y)]
    for k, members in enumerate(patterns.values()):
        rows = np.flatnonzero(seen[:, members[0]])
        groups.append(make(f"g{k + 1}", rows, np.array(members), y, c))
    complete = np.flatnonzero(seen[:, tested].all(axis=1))
    if not axes or not len(tested):
        return groups
    if len(groups) == 1 and not dropped.any():
        groups[0] = with_axes(groups[0])
    elif len(complete) >= spare + len(tested):
        groups.append(with_axes(make("joint", complete, tested, y, c)))
    else:
        print(f"no joint test: only {len(complete)} people have all {len(tested)} traits", flush=True)
    return groups


def with_axes(group: Group) -> Group:
    """The group with the axes of the joint test and people's leverages on them."""
    w = joint_axes(group.unit)
    return replace(group, w=w, leverages=measure(group.unit @ w, group.q))


def without(group: Group, dropped: np.ndarray, y: np.ndarray) -> Group:
    """The group with its traits as in `y` again and no residual of those `dropped` (bool [T]): they have no test."""
    if not dropped.any():
        return group
    own = {"y": y[np.ix_(group.rows, group.traits)], "unit": np.where(dropped, np.nan, group.unit)}
    return replace(group, **own, yy=np.where(dropped, np.nan, group.yy))
