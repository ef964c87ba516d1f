"""Is the p of the joint test right at low allele counts? Type-I error and power, by permutation of people.

Type I: carriers are drawn at random from people whose traits differ in size (noise, recordings, heavy tails). A
permutation of people is cut into blocks of ten, whose sums are put together to sets of carriers in several ways; sets
of one permutation share blocks, so the standard error between batches is printed beside that of independent sets.
`--part real` permutes residual traits against real genotypes and their principal components, by the code of the
calibration step. Power: an effect in one random direction against the exact permutation test, whose thresholds are
quantiles of R^2 in the same traits. Counts are appended to `--out` batch by batch: a run that was stopped goes on.

python benchmarks/joint_calibration.py --part typeI --noise worst --axes 16 --tests 10000000 --macs 20,50,100,400
python benchmarks/joint_calibration.py --part real --plink shared/geno_1kg_phase1/x --axes 16
python benchmarks/joint_calibration.py --part power --noise worst --axes 16
python benchmarks/joint_calibration.py --part table
"""

import functools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import special, stats

from ecgwas.cli import run
from ecgwas.gwas import trait_groups
from ecgwas.gwas.engines import joint, leverages
from ecgwas.gwas.engines.squares import Squares
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.gwas.permutations import permuted
from ecgwas.phenotypes.normalise import normal_scores
from ecgwas.stats import tails

LEVELS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
NOISES = {  # what makes people differ
    "repeats": {"twice": 0.2},
    "lognormal": {"twice": 0.2, "log_sd": 0.2},
    "worst": {"twice": 0.2, "log_sd": 0.2, "size_df": 6},
    "heavy": {"twice": 0.2, "log_sd": 0.2, "trait_df": 5, "ranked": False},
    "normal": {},
}
COVARIATES = 4
PEOPLE = 2801
COMMON = 0.3  # minor alleles a person
BLOCK = 10  # people summed at a time
WAYS = 8  # in which the blocks of a permutation are put together
AT_ONCE = 40  # permutations
BATCH = 800  # permutations between two lines of the output
SCREEN = 2.2  # standard deviations of R^2 above its mean below which p is above 1e-2 for sure


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


def statistics(sums: torch.Tensor, mac: int, of: Columns) -> tuple[np.ndarray, np.ndarray]:
    """R^2 [S] and leverages.SQUARES [S, 4] of sets of `mac` people with one allele each, from `sums` [S, K + c + 3]."""
    k, c, n = of.group.leverages.axes, of.group.q.shape[1], len(of.rows)
    r2 = sums[:, :k].square().sum(dim=1).double().numpy()
    r2 /= mac - sums[:, k : k + c].square().sum(dim=1).double().numpy()
    last, f = sums[:, k + c :].double().numpy(), mac / n
    within = ((1 - f) ** 2 - f**2) * last[:, :2] + f**2 * of.totals[:2]
    fourth = mac * (1 - f) ** 4 + (n - mac) * f**4
    fourth_pair = ((1 - f) ** 4 - f**4) * last[:, 2] + f**4 * of.totals[2]
    two = np.column_stack([within, np.full(len(r2), mac * (1 - f))])
    return r2, leverages.of_sums(two, np.column_stack([np.full(len(r2), fourth), fourth_pair]))


def screened_p(r2: np.ndarray, features: np.ndarray, found: leverages.Leverages) -> np.ndarray:
    """p of the largest R^2 only; 1 elsewhere, NaN where there is no joint test."""
    m1, m2, _ = leverages.moments(found, features)
    some = (r2 - m1 > SCREEN * np.sqrt(m2 - m1**2)) | ~leverages.enough(features, found)
    p = np.ones(len(r2))
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


def sets(of: Columns, macs: list[int], rng: np.random.Generator) -> Iterator[tuple[int, torch.Tensor]]:
    """mac, sums [S, C]: of AT_ONCE permutations of people, WAYS times."""
    n = len(of.rows) // BLOCK * BLOCK
    order = torch.from_numpy(np.argsort(rng.random((AT_ONCE, len(of.rows)), dtype=np.float32), axis=1)[:, :n].copy())
    blocks = torch.nn.functional.embedding_bag(order.reshape(-1, BLOCK), of.rows, mode="sum")
    per = n // BLOCK
    for _ in range(WAYS):
        mixed = np.argsort(rng.random((AT_ONCE, per), dtype=np.float32), axis=1) + per * np.arange(AT_ONCE)[:, None]
        for mac in macs:
            size = mac // BLOCK
            chosen = torch.from_numpy(mixed[:, : per // size * size].reshape(-1, size).copy())
            yield mac, torch.nn.functional.embedding_bag(chosen, blocks, mode="sum")


def add(one: dict, other: dict) -> dict:
    """Two `counts` together."""
    both = {key: one[key] + other[key] for key in ("tests", "with_p")}
    return both | {key: [a + b for a, b in zip(one[key], other[key], strict=True)] for key in ("f", "ours")}


def known(out: Path) -> list[dict]:
    """Lines of the output."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def append(out: Path, line: dict) -> None:
    """One more."""
    with out.open("a") as file:
        file.write(json.dumps(line) + "\n")


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
                found = counts(*statistics(sums, mac, of), of.group.leverages)
                total[mac] = add(total[mac], found) if mac in total else found
        for mac, found in total.items():
            append(out, {"part": "typeI", "noise": noise, "k": axes, "mac": mac, "batch": batch} | found)
            done[mac] += found["tests"]
        batch += 1


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


def real(plink: Path, axes: int, noise: str, tests: int, macs: list[int], out: Path) -> None:
    """Residual traits permuted against real genotypes and ten principal components, by the calibration step."""
    g = read_plink(plink)
    rng = np.random.default_rng([axes, 3])
    y = simulate(g.shape[1], axes, noise, rng)
    group = trait_groups.build(y, principal(g, 10))[0]
    chosen = {mac: near(g, mac, 400, rng) for mac in macs}
    print({mac: len(some) for mac, some in chosen.items()}, flush=True)
    mine = [row for row in known(out) if (row["part"], row["noise"], row["k"]) == ("real", noise, axes)]
    done = {mac: sum(row["tests"] for row in mine if row["mac"] == mac) for mac in macs}
    batch = max((row["batch"] for row in mine), default=-1) + 1
    while wanted := [mac for mac in macs if done[mac] < tests and len(chosen[mac])]:
        rng, total = np.random.default_rng([axes, batch, 78]), {}
        for _ in range(100):
            moved, w = permuted(group, rng.random((1, len(y))))
            basis = moved[0] @ w[0]
            other = trait_groups.Group(
                "all", group.rows, np.arange(axes), basis, group.c, group.q, basis, np.ones(axes)
            )
            other = trait_groups.with_axes(other)
            test = TorchLinear([other], "float32", "cpu").block
            for mac in wanted:
                stats_ = test(chosen[mac])[0]
                found = counts(joint.r_squared(stats_.r, other.w), stats_.carriers, other.leverages)
                total[mac] = add(total[mac], found) if mac in total else found
        for mac, found in total.items():
            append(out, {"part": "real", "noise": noise, "k": axes, "mac": mac, "batch": batch} | found)
            done[mac] += found["tests"]
        batch += 1


def planted(of: Columns, mac: int, sizes: np.ndarray, draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """R^2 [draws, size] and features of random carriers whose traits are moved by `sizes` SD in a random direction.

    The moved traits are made orthonormal, and people's leverages measured, again: as a scan would see them.
    """
    k, n, q = of.group.leverages.axes, len(of.rows), of.group.q
    carriers = np.argsort(rng.random((draws, n), dtype=np.float32), axis=1)[:, :mac]
    rows, nothing = of.rows[:, :k].double().numpy(), torch.zeros((0, 1), dtype=torch.float64)
    out = {"r2": np.empty((draws, len(sizes))), "features": np.empty((draws, len(sizes), 4))}
    for d in range(draws):
        g = np.zeros(n)
        g[carriers[d]] = 1
        g -= q @ (q.T @ g)
        direction = rng.standard_normal(k)
        for s, size in enumerate(sizes):
            y = rows + np.outer(g, size * direction / np.linalg.norm(direction) / np.sqrt(n))
            u = y @ trait_groups.joint_axes(y, 0)
            out["r2"][d, s] = ((g @ u) ** 2).sum() / (g @ g)
            squares = Squares(leverages.measure(u, q), torch.zeros((0, n), dtype=torch.float64))
            out["features"][d, s] = squares.features(torch.from_numpy(g[None]), torch.zeros(1), nothing)[0]
    return out


def reference(of: Columns, mac: int, level: float, permutations: int, rng: np.random.Generator) -> float:
    """The exact permutation test's threshold for R^2: a quantile over random carriers."""
    found = [statistics(sums, mac, of)[0] for _ in range(permutations // AT_ONCE) for _, sums in sets(of, [mac], rng)]
    return float(np.quantile(np.concatenate(found), 1 - level))


def power(people: int, axes: int, noise: str, macs: list[int], out: Path) -> None:
    """Power at 1e-4 of three effects, where the permutation test has about a third, a half and nine tenths.

    Its threshold is that of the same people without the effect.
    """
    of, level = columns(made(people, axes, noise)), 1e-4
    lev = of.group.leverages
    for mac in macs:
        rng = np.random.default_rng([axes, mac, 5])
        critical = reference(of, mac, level, 4000, rng)
        scale = people * critical * (1 - axes / people) - axes  # noncentrality that reaches the threshold on average
        sizes = np.sqrt(scale / mac * np.array([0.8, 1.0, 1.3]))
        found = planted(of, mac, sizes, 300, rng)
        p = 10.0 ** -leverages.neg_log10_p(found["r2"], found["features"], lev)
        f = 10.0 ** -tails.from_r2(found["r2"], axes, lev.room - axes)
        line = {"part": "power", "noise": noise, "k": axes, "mac": mac, "level": level, "draws": len(p)}
        line |= {name: (value < level).mean(axis=0).tolist() for name, value in (("ours", p), ("f", f))}
        line |= {"permutation": (found["r2"] > critical).mean(axis=0).tolist()}
        append(out, line)
        print(line, flush=True)


def summary(out: Path) -> dict:
    """Rates over levels of each part; names as typeI_1e4_mac20_k16 are of the worst noise."""
    rows, told = known(out), {}
    cells: dict[tuple, list[dict]] = {}
    for row in rows:
        if row["part"] != "power":
            cells.setdefault((row["part"], row["noise"], row["k"], row["mac"]), []).append(row)
    for (part, noise, k, mac), batches in sorted(cells.items()):
        tests = sum(b["with_p"] for b in batches)
        every = sum(b["tests"] for b in batches)
        for j, level in enumerate(LEVELS):
            ours, f = (sum(b[name][j] for b in batches) for name in ("ours", "f"))
            each = np.array([b["ours"][j] / max(b["with_p"], 1) for b in batches])
            spread = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 4 else np.nan
            low, high = special.gammaincinv(max(ours, 1e-9), 0.005), special.gammaincinv(ours + 1, 0.995)
            bounds = f"{low / tests / level:.2f} to {high / tests / level:.2f}"
            deviation = spread / np.sqrt(max(ours, 1)) * tests if ours else np.nan
            head = f"{part:6} {noise:10} K {k:4} mac {mac:4} {tests:.2e} tests  level {level:.0e}"
            rate = f"ours {ours / tests / level:6.2f} ({bounds}; SE x {deviation:.2f})"
            print(f"{head}: {rate}  F {f / every / level:8.2f}")
            name = f"1e{round(-np.log10(level))}_mac{mac}_k{k}"
            if part == "typeI" and noise == "worst":
                told |= {
                    f"typeI_{name}": round(ours / tests / level, 3),
                    f"typeI_f_{name}": round(f / every / level, 2),
                }
        told[f"share_with_joint_p_{part}_{noise}_mac{mac}_k{k}"] = round(tests / every, 5)
    for row in rows:
        if row["part"] == "power":
            ratio = np.array(row["ours"]) / np.maximum(row["permutation"], 1e-9)
            print(f"power  {row['noise']:10} K {row['k']:4} mac {row['mac']:4}: ours {row['ours']}, permutation"
                  f" {row['permutation']}, F {row['f']}")  # fmt: skip
            common = row["mac"] >= COMMON * PEOPLE
            name = "common" if common else f"mac{row['mac']}"
            told[f"power_ratio_{name}_k{row['k']}_{row['noise']}"] = round(float(ratio[1]), 3)
            by_f = np.array(row["ours"]) / np.maximum(row["f"], 1e-9)
            if common:
                told[f"power_of_f_kept_common_k{row['k']}_{row['noise']}"] = round(float(by_f[1]), 3)
    return told


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
    elif part == "real":
        real(plink, axes, noise, tests, counts_of, out)
    elif part == "power":
        power(people, axes, noise, counts_of, out)
    print(json.dumps(summary(out) | {"seconds": round(time.time() - start)}))


if __name__ == "__main__":
    run(main)
