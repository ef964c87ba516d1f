"""Is the p of the joint test right at low allele counts? Type-I error and power, by permutation of people.

Type I: carriers are drawn at random from people whose traits differ in size (noise, recordings, heavy tails). A
permutation of people is cut into blocks of ten, whose sums are put together to sets of carriers in several ways; sets
of one permutation share blocks, so the standard error between batches is printed beside that of independent sets.
`--part real` permutes residual traits against real genotypes and their principal components, by the code of the
calibration step. Power: an effect in one random direction against the exact permutation test, whose thresholds are
quantiles of R^2 in the same traits. Counts are appended to `--out` batch by batch: a run that was stopped goes on.

python benchmarks/joint_calibration.py --part typeI --noise worst --axes 16 --tests 10000000 --macs 20,50,100,400
python benchmarks/joint_calibration.py --part screen --noise worst --axes 16
python benchmarks/joint_calibration.py --part real --plink geno_1kg_phase1/1kg_phase1 --axes 16 --tests 10000000
python benchmarks/joint_calibration.py --part power --noise worst --axes 16 --macs 50,100,400,1120 --tests 4000
python benchmarks/joint_calibration.py --part table
"""

import functools
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the part below, when run as a script
from benchmarks.joint_calibration_table import LEVELS, PEOPLE, append, known, summary

from ecgwas.cli import run
from ecgwas.gwas import permutations, trait_groups
from ecgwas.gwas.engines import leverages, torch_linear
from ecgwas.gwas.engines.squares import Squares
from ecgwas.phenotypes.normalise import normal_scores
from ecgwas.stats import tails

NOISES = {  # what makes people differ
    "repeats": {"twice": 0.2},
    "lognormal": {"twice": 0.2, "log_sd": 0.2},
    "worst": {"twice": 0.2, "log_sd": 0.2, "size_df": 6},
    "heavy": {"twice": 0.2, "log_sd": 0.2, "trait_df": 5, "ranked": False},
    "normal": {},
}
COVARIATES = 4
BLOCK = 10  # people summed at a time
AT_ONCE = 16  # permutations
BATCH = 800  # permutations between two lines of the output
REAL_AT_ONCE, REAL_BATCH = 10, 500  # the same of `real`
REFERENCE = 4_000_000  # sets of carriers from which the threshold of the permutation test is taken
# Standard deviations of R^2 above its mean below which p is above 1e-2: for average leverages, and for a set's own. Not
# one p below 1e-2 is there in the 1e6 tests a cell of `--part screen`.
ROUGH, SCREEN = 1.5, 2.2


def simulate(n: int, axes: int, noise: str, rng: np.random.Generator) -> np.ndarray:
    """[n, axes]: signal of decaying variance and white noise, whitened and (but for `heavy`) rank-normalised."""
    kind = NOISES[noise]
    spectrum = 1 / np.arange(1, axes + 1)
    signal = rng.standard_normal((n, axes)) * np.sqrt(spectrum / spectrum.mean())
    size = np.where(rng.random(n) < kind.get("twice", 0), np.sqrt(0.5), 1.0)
    size = size * np.exp(kind.get("log_sd", 0) * rng.standard_normal(n))
    y = signal + 0.7 * size[:, None] * rng.standard_normal((n, axes))
    if "trait_df" in kind:
        y = size[:, None] * rng.standard_t(kind["trait_df"], (n, axes))
    if "size_df" in kind:
        y /= np.sqrt(rng.chisquare(kind["size_df"], n) / kind["size_df"])[:, None]
    y = y - y.mean(axis=0)
    value, vector = np.linalg.eigh(y.T @ y / n)
    y = y @ vector / np.sqrt(value)
    return np.column_stack([normal_scores(column) for column in y.T]) if kind.get("ranked", True) else y


def made(people: int, axes: int, noise: str) -> trait_groups.Group:
    """The group of the joint test for one cohort of traits, always the same."""
    rng = np.random.default_rng([axes, list(NOISES).index(noise)])
    y, c = simulate(people, axes, noise, rng), rng.standard_normal((people, COVARIATES))
    return trait_groups.build(y, c)[0]


@dataclass(frozen=True)
class Columns:
    """What is summed over carriers: axes, covariates, and squares of leverages."""

    rows: torch.Tensor  # [n, K + c + 3] float32
    totals: np.ndarray  # [3] of the last columns over everyone
    group: trait_groups.Group


def columns(group: trait_groups.Group) -> Columns:
    """The axes of the joint test, covariates with the intercept, relative leverage, pair, pair^2."""
    found = group.leverages
    last = np.column_stack([found.relative, found.pair, found.pair**2])
    rows = np.column_stack([group.unit @ group.w, group.q, last])
    return Columns(torch.from_numpy(rows).float(), last.sum(axis=0), group)


def r_squared(sums: torch.Tensor, mac: int, of: Columns) -> np.ndarray:
    """R^2 [S] of sets of `mac` people with one allele each, from `sums` [S, K + c + 3]."""
    k = of.group.leverages.axes
    axes, covariates = (torch.linalg.vector_norm(part, dim=1).double().numpy() for part in (sums[:, :k], sums[:, k:-3]))
    return axes**2 / (mac - covariates**2)


def squares(sums: torch.Tensor, mac: int, of: Columns) -> np.ndarray:
    """leverages.SQUARES [S, 4]: sums over people of (g - f)^2 and (g - f)^4 times their leverages, f = mac/n."""
    last, n = sums[:, -3:].double().numpy(), len(of.rows)
    f = mac / n
    within = ((1 - f) ** 2 - f**2) * last[:, :2] + f**2 * of.totals[:2]
    fourth = mac * (1 - f) ** 4 + (n - mac) * f**4
    fourth_pair = ((1 - f) ** 4 - f**4) * last[:, 2] + f**4 * of.totals[2]
    two = np.column_stack([within, np.full(len(last), mac * (1 - f))])
    return leverages.of_sums(two, np.column_stack([np.full(len(last), fourth), fourth_pair]))


def apart(r2: np.ndarray, features: np.ndarray, found: leverages.Leverages) -> np.ndarray:
    """Standard deviations of R^2 above the mean of its law."""
    m1, m2, _ = leverages.moments(found, features)
    return (r2 - m1) / np.sqrt(m2 - m1**2)


def screened_p(r2: np.ndarray, features: np.ndarray, found: leverages.Leverages) -> np.ndarray:
    """p of the largest R^2 only; 1 elsewhere, NaN where there is no joint test."""
    m1, m2, _ = leverages.moments(found, features.mean(axis=0))
    mean = 1 + found.shrinkage * (features[:, 0] - 1)
    p = np.where(leverages.enough(features, found), 1.0, np.nan)
    rough = np.flatnonzero(r2 > (m1 + ROUGH * np.sqrt(m2 - m1**2)) / mean.mean() * mean)
    some = rough[apart(r2[rough], features[rough], found) > SCREEN]
    p[some] = 10.0 ** -leverages.neg_log10_p(r2[some], features[some], found)
    return p


@functools.cache
def of_f(axes: int, room: int) -> list[float]:
    """R^2 at which the p of the F test is each of LEVELS."""
    return [float(stats.beta.isf(level, axes / 2, (room - axes) / 2)) for level in LEVELS]


def counts(r2: np.ndarray, features: np.ndarray, found: leverages.Leverages) -> dict:
    """Tests, those with a joint p, and how many p are below each level: of the F test and of ours."""
    critical = of_f(found.axes, found.room)
    p = screened_p(r2, features, found)
    return {
        "tests": len(r2), "with_p": int(np.isfinite(p).sum()),
        "f": [int((r2 > c).sum()) for c in critical], "ours": [int((p < level).sum()) for level in LEVELS],
    }  # fmt: skip


def ways(mac: int) -> int:
    """How many times the blocks of a permutation are put together to sets: more where it holds few."""
    return min(40, max(8, mac // 3))


def shuffled(rows: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """[rows, n] permutations of 0 to n - 1."""
    return rng.permuted(np.tile(np.arange(n, dtype=np.int32), (rows, 1)), axis=1)


def sets(of: Columns, macs: list[int], rng: np.random.Generator) -> Iterator[tuple[int, torch.Tensor]]:
    """mac, sums [S, C]: of AT_ONCE permutations of people, each put together in `ways`."""
    per = len(of.rows) // BLOCK
    order = torch.from_numpy(shuffled(AT_ONCE, len(of.rows), rng)[:, : per * BLOCK].reshape(-1, BLOCK))
    blocks = torch.nn.functional.embedding_bag(order, of.rows, mode="sum")
    for mac in macs:
        size, first = mac // BLOCK, per * np.arange(AT_ONCE, dtype=np.int32).repeat(ways(mac))
        mixed = shuffled(len(first), per, rng) + first[:, None]
        chosen = torch.from_numpy(mixed[:, : per // size * size].reshape(-1, size))
        yield mac, torch.nn.functional.embedding_bag(chosen, blocks, mode="sum")


def add(one: dict, other: dict) -> dict:
    """Two `counts` together."""
    both = {key: one[key] + other[key] for key in ("tests", "with_p")}
    return both | {key: [a + b for a, b in zip(one[key], other[key], strict=True)] for key in ("f", "ours")}


def type_one(people: int, axes: int, noise: str, tests: int, macs: list[int], out: Path) -> None:
    """Batches until every count of alleles has its `tests`."""
    of = columns(made(people, axes, noise))
    mine = [row for row in known(out) if (row["part"], row["noise"], row["k"]) == ("typeI", noise, axes)]
    done = {mac: sum(row["tests"] for row in mine if row["mac"] == mac) for mac in macs}
    batch = max((row["batch"] for row in mine), default=-1) + 1
    while wanted := [mac for mac in macs if done[mac] < tests]:
        rng, total = np.random.default_rng([axes, list(NOISES).index(noise), batch, 77]), {}
        for _ in range(BATCH // AT_ONCE):
            for mac, sums in sets(of, wanted, rng):
                found = counts(r_squared(sums, mac, of), squares(sums, mac, of), of.group.leverages)
                total[mac] = add(total[mac], found) if mac in total else found
        for mac, found in total.items():
            append(out, {"part": "typeI", "noise": noise, "k": axes, "mac": mac, "batch": batch} | found)
            done[mac] += found["tests"]
        batch += 1


def screen(people: int, axes: int, noise: str, tests: int, macs: list[int], out: Path) -> None:
    """How many p below the first of LEVELS `screened_p` misses, where every p is computed."""
    of = columns(made(people, axes, noise))
    for mac in macs:
        rng, total = np.random.default_rng([axes, mac, 79]), {"tests": 0, "below": 0, "missed": 0, "differ": 0}
        while total["tests"] < tests:
            for _, sums in sets(of, [mac], rng):
                r2, features = r_squared(sums, mac, of), squares(sums, mac, of)
                p = 10.0 ** -leverages.neg_log10_p(r2, features, of.group.leverages)
                found, below = screened_p(r2, features, of.group.leverages), p < LEVELS[0]
                total["tests"] += len(p)
                total["below"] += int(below.sum())
                total["missed"] += int((below & (found == 1)).sum())
                total["differ"] += int(
                    ((found != 1) & (found != p) & ~np.isnan(p) | (np.isnan(found) != np.isnan(p))).sum()
                )
        append(out, {"part": "screen", "noise": noise, "k": axes, "mac": mac} | total)


def read_plink(prefix: Path) -> np.ndarray:
    """ALT counts float32 [V, n] of a PLINK 1 file, missing calls at the mean."""
    n = len(Path(f"{prefix}.fam").read_text().splitlines())
    raw = np.fromfile(f"{prefix}.bed", np.uint8)[3:].reshape(-1, (n + 3) // 4)
    codes = np.stack([raw >> shift & 3 for shift in (0, 2, 4, 6)], axis=2).reshape(len(raw), -1)[:, :n]
    g = np.array([2, np.nan, 1, 0], np.float32)[codes]
    return np.where(np.isnan(g), np.nanmean(g, axis=1, keepdims=True), g).astype(np.float32)


def near(g: np.ndarray, mac: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Up to `most` genotypes with within 20 % of `mac` minor alleles."""
    count = np.minimum(g.sum(axis=1), 2 * g.shape[1] - g.sum(axis=1))
    have = np.flatnonzero(np.abs(count - mac) <= 0.2 * mac)
    return g[rng.permutation(have)[:most]]


def principal(g: np.ndarray, k: int) -> np.ndarray:
    """[n, k] principal components of standardised genotypes."""
    z = g - g.mean(axis=1, keepdims=True)
    z = z / np.maximum(z.std(axis=1, keepdims=True), 1e-6)
    return np.linalg.eigh(z.T @ z)[1][:, -k:]


def drawn(g: torch.Tensor, group: trait_groups.Group, keys: np.ndarray) -> Iterator[tuple]:
    """R^2 [V], leverages.SQUARES [V, 4] and people's leverages of each permutation, as in the calibration step."""
    moved, w = permutations.permuted(group, keys)
    basis = moved @ w
    found = [leverages.measure(one, group.q) for one in basis]
    right = np.column_stack([group.q, basis.transpose(1, 0, 2).reshape(len(group.q), -1)])
    right, c = torch.from_numpy(right).float(), group.q.shape[1]
    r = torch_linear.partial_correlations(g, right, c)[2]
    r2 = (r.reshape(len(g), *w.shape[::2]) ** 2).sum(axis=2)
    yield from zip(r2.T, permutations.squares(g, right[:, :c], found), found, strict=True)


def real(plink: Path, axes: int, noise: str, tests: int, macs: list[int], out: Path) -> None:
    """Residual traits permuted against real genotypes and ten principal components."""
    g = read_plink(plink)
    rng = np.random.default_rng([axes, 3])
    y = simulate(g.shape[1], axes, noise, rng)
    group = trait_groups.build(y, principal(g, 10))[0]
    chosen = {mac: torch.from_numpy(torch_linear.coded(near(g, mac, 400, rng))[0]) for mac in macs}
    print({mac: len(some) for mac, some in chosen.items()}, flush=True)
    mine = [row for row in known(out) if (row["part"], row["noise"], row["k"]) == ("real", noise, axes)]
    done = {mac: sum(row["tests"] for row in mine if row["mac"] == mac) for mac in macs}
    batch = max((row["batch"] for row in mine), default=-1) + 1
    while wanted := [mac for mac in macs if done[mac] < tests and len(chosen[mac])]:
        rng, total = np.random.default_rng([axes, batch, 78]), {}
        both, ends = torch.cat([chosen[mac] for mac in wanted]), np.cumsum([0, *(len(chosen[m]) for m in wanted)])
        for _ in range(REAL_BATCH // REAL_AT_ONCE):
            for r2, features, found in drawn(both, group, rng.random((REAL_AT_ONCE, len(y)))):
                for mac, first, last in zip(wanted, ends[:-1], ends[1:], strict=True):
                    some = counts(r2[first:last], features[first:last], found)
                    total[mac] = add(total[mac], some) if mac in total else some
        for mac, some in total.items():
            append(out, {"part": "real", "noise": noise, "k": axes, "mac": mac, "batch": batch} | some)
            done[mac] += some["tests"]
        batch += 1


@dataclass(frozen=True)
class Planted:
    """Y + g b': orthonormal residual traits Y [n, K] of people of whom those with a genotype residual g [n] are moved.

    Their Gram matrix is I + P C P' with P = [Y'g, b] and C = [[0, 1], [1, g'g]]; its inverse is Woodbury's.
    """

    r2: float
    h: np.ndarray  # [n] leverages of the moved traits


def planted(rows: np.ndarray, h: np.ndarray, g: np.ndarray, b: np.ndarray) -> Planted:
    """R^2 and leverages of `rows` + `g` `b`', for `rows` [n, K] of leverages `h` [n], `b` [K]."""
    gg, p = g @ g, np.column_stack([g @ rows, b])
    middle = np.linalg.inv(np.linalg.inv([[0, 1], [1, gg]]) + p.T @ p)
    z = p[:, 0] + gg * b
    of_rows = rows @ p
    projected = of_rows + np.outer(g, b @ p)
    length = h + 2 * g * of_rows[:, 1] + g**2 * (b @ b)
    r2 = (z @ z - (z @ p) @ middle @ (p.T @ z)) / gg
    return Planted(float(r2), length - np.einsum("np,pq,nq->n", projected, middle, projected))


def effects(of: Columns, mac: int, sizes: np.ndarray, draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """R^2 and our p [draws, size] of random carriers whose traits are moved by `sizes` SD in a random direction.

    The moved traits are made orthonormal, and people's leverages measured, again: as a scan would see them.
    """
    k, n, q = of.group.leverages.axes, len(of.rows), of.group.q
    rows = of.group.unit @ of.group.w
    h, nothing = np.einsum("nk,nk->n", rows, rows), torch.zeros((0, 1), dtype=torch.float64)
    out = {"r2": np.empty((draws, len(sizes))), "p": np.empty((draws, len(sizes)))}
    for d in range(draws):
        g = np.zeros(n)
        g[rng.permutation(n)[:mac]] = 1
        g -= q @ (q.T @ g)
        direction = rng.standard_normal(k)
        for s, size in enumerate(sizes):
            moved = planted(rows, h, g, size * direction / np.linalg.norm(direction) / np.sqrt(n))
            found = leverages.of_people(moved.h, k, q)
            squares_of = Squares(found, torch.zeros((0, n), dtype=torch.float64))
            features = squares_of.features(torch.from_numpy(g[None]), torch.zeros(1), nothing)[0]
            out["r2"][d, s] = moved.r2
            out["p"][d, s] = 10.0 ** -leverages.neg_log10_p(np.array(moved.r2), features, found)
    return out


def reference(of: Columns, mac: int, level: float, rng: np.random.Generator) -> float:
    """The exact permutation test's threshold for R^2: a quantile over REFERENCE random sets of carriers."""
    top, total = [], 0
    while total < REFERENCE:
        for _, sums in sets(of, [mac], rng):
            r2 = r_squared(sums, mac, of)
            top.append(np.sort(r2)[-(len(r2) // 20) :])
            total += len(r2)
    return float(np.sort(np.concatenate(top))[-round(level * total)])


def power(people: int, axes: int, noise: str, draws: int, macs: list[int], out: Path) -> None:
    """Power at 1e-4 of three effects, where the permutation test has about a third, a half and nine tenths.

    Its threshold is that of the same people without the effect.
    """
    of, level = columns(made(people, axes, noise)), 1e-4
    have = {(row["noise"], row["k"], row["mac"]) for row in known(out) if row["part"] == "power"}
    for mac in [mac for mac in macs if (noise, axes, mac) not in have]:
        rng = np.random.default_rng([axes, mac, 5])
        critical = reference(of, mac, level, rng)
        share = (critical - axes / people) / (1 - axes / people)  # explained by an effect at the threshold on average
        sizes = np.sqrt(share / (1 - share) * people / (mac * (1 - mac / people)) * np.array([0.8, 1.0, 1.3]))
        found = effects(of, mac, sizes, draws, rng)
        f = 10.0 ** -tails.from_r2(found["r2"], axes, of.group.leverages.room - axes)
        below = {"ours": found["p"] < level, "f": f < level, "permutation": found["r2"] > critical}
        line = {"part": "power", "noise": noise, "k": axes, "mac": mac, "level": level, "draws": draws}
        line |= {name: some.mean(axis=0).tolist() for name, some in below.items()}
        for other in ("f", "permutation"):
            line[f"differ_{other}"] = (below["ours"] != below[other]).mean(axis=0).tolist()
        append(out, line | {"sizes": sizes.tolist()})


def main(
    part: str = "table",
    noise: str = "worst",
    axes: int = 16,
    tests: int = 1_000_000,
    macs: str = "20,50,100,400",
    people: int = PEOPLE,
    plink: Path | None = None,
    out: Path = Path("joint_calibration.jsonl"),
) -> None:
    """One part: typeI, real, power; or the table of all that `out` holds. The last line is JSON."""
    torch.set_num_threads(1)
    start, counts_of = time.time(), [int(mac) for mac in macs.split(",")]
    if part == "typeI":
        type_one(people, axes, noise, tests, counts_of, out)
    elif part == "screen":
        screen(people, axes, noise, tests, counts_of, out)
    elif part == "real":
        real(plink, axes, noise, tests, counts_of, out)
    elif part == "power":
        power(people, axes, noise, min(tests, 4000), counts_of, out)
    print(json.dumps(summary(out) | {"seconds": round(time.time() - start)}))


if __name__ == "__main__":
    run(main)
