"""Do relatives and strata leave false positives? Type-I error of plain OLS with PCs and of step 1 + 2, and power.

Families by gene dropping on 22 chromosomes of 1 Morgan, variants independent in founders (so: pruned), four
populations. Traits have causes on odd chromosomes and a population offset; the even ones, where nothing is, are tested.

python benchmarks/calibration.py [--traits 128 --people 3000 --per_chromosome 750]
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from ecgwas.cli import run
from ecgwas.gwas import trait_groups
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.gwas.scan import t_values
from ecgwas.gwas.step1 import ridge
from ecgwas.stats import linear

CHROMOSOMES = 22
POPULATIONS = 4
FST = 0.03
LEVELS = {"1e3": 1e-3, "1e4": 1e-4}
GENOME_WIDE = 5e-8


@dataclass(frozen=True)
class Cohort:
    """ALT counts int8 [variant, person], chromosome [variant], family and population [person]."""

    g: np.ndarray
    chromosome: np.ndarray
    family: np.ndarray
    population: np.ndarray


def sizes(design: str, people: int, rng: np.random.Generator) -> np.ndarray:
    """People of each family: all unrelated; 30 % of people in pairs of siblings; or sibships of 3 to 5."""
    if design == "unrelated":
        return np.ones(people, int)
    if design == "biobank":
        pairs = round(0.15 * people)
        return np.r_[np.full(pairs, 2), np.ones(people - 2 * pairs, int)]
    drawn = rng.integers(3, 6, people // 3 + 1)
    return drawn[np.cumsum(drawn) <= people]


def frequencies(m: int, rng: np.random.Generator) -> np.ndarray:
    """ALT frequencies [population, m] around ancestral ones: Balding & Nichols 1995 (Genetica 96:3)."""
    ancestral = rng.uniform(0.1, 0.9, m)
    scale = (1 - FST) / FST
    return rng.beta(ancestral * scale, (1 - ancestral) * scale, (POPULATIONS, m)).clip(0.02, 0.98)


def gamete(parent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One haplotype [family, m] of parents [family, 2, m]: crossovers at one a Morgan, no interference (Haldane)."""
    n, _, m = parent.shape
    start = rng.integers(0, 2, (n, 1), dtype=np.int8)
    crossed = rng.random((n, m), dtype=np.float32) < 1 / m
    strand = (start + np.cumsum(crossed, axis=1, dtype=np.int8)) % 2
    return np.where(strand == 0, parent[:, 0], parent[:, 1])


def simulate(design: str, people: int, per_chromosome: int, rng: np.random.Generator) -> Cohort:
    """Children of families whose parents are drawn from one population each."""
    size = sizes(design, people, rng)
    population = np.arange(len(size)) % POPULATIONS
    parts = []
    for _ in range(CHROMOSOMES):
        p = frequencies(per_chromosome, rng)[population][:, None, None]  # [family, 1, 1, m]
        parents = (rng.random((len(size), 2, 2, per_chromosome), dtype=np.float32) < p).astype(np.int8)
        children = np.empty((size.sum(), per_chromosome), np.int8)
        first = np.cumsum(size) - size
        for child in range(size.max()):
            has = size > child
            children[first[has] + child] = gamete(parents[has, 0], rng) + gamete(parents[has, 1], rng)
        parts.append(children.T)
    family = np.repeat(np.arange(len(size)), size)
    chromosome = np.repeat(np.arange(1, CHROMOSOMES + 1), per_chromosome)
    return Cohort(np.concatenate(parts), chromosome, family, population[family])


def standardised(g: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and variance 1, float32; constant rows are 0."""
    z = g.astype(np.float32)
    z -= z.mean(1, keepdims=True)
    return z / np.maximum(z.std(1, keepdims=True), 1e-6)


def make_traits(
    cohort: Cohort, causal: np.ndarray, n: int, h2: float, strata: float, rng: np.random.Generator
) -> np.ndarray:
    """Traits [person, n]: share h2 from normal effects of the rows `causal`, share `strata` between populations."""
    value = standardised(cohort.g[causal]).T @ rng.standard_normal((len(causal), n)).astype(np.float32)
    offset = rng.standard_normal((POPULATIONS, n))[cohort.population]
    noise = rng.standard_normal(value.shape)
    shares = ((value, h2), (offset, strata), (noise, 1 - h2 - strata))
    return sum(np.sqrt(share) * (x - x.mean(0)) / x.std(0) for x, share in shares)


def components(cohort: Cohort, k: int = POPULATIONS - 1) -> np.ndarray:
    """PCs [person, k] of every fifth variant, from one person a family, the rest projected."""
    z = standardised(cohort.g[::5])
    unrelated = np.unique(cohort.family, return_index=True)[1]
    value, vector = np.linalg.eigh(z[:, unrelated].T @ z[:, unrelated])
    loadings = z[:, unrelated] @ (vector[:, -k:] / np.sqrt(value[-k:]))
    return (z.T @ loadings).astype(float)


def offsets(cohort: Cohort, y: np.ndarray, c: np.ndarray, block: int, rng: np.random.Generator) -> np.ndarray:
    """Leave-one-chromosome-out predictions [C + 1, person, trait] of step 1."""
    q = linear.orthonormal(c)
    starts = [
        (k, first) for k in range(1, CHROMOSOMES + 1) for first in range(0, int((cohort.chromosome == k).sum()), block)
    ]
    rows = {k: np.flatnonzero(cohort.chromosome == k) for k in range(1, CHROMOSOMES + 1)}

    def blocks() -> Iterator[tuple[str, np.ndarray]]:
        for k, first in starts:
            yield str(k), cohort.g[rows[k][first : first + block]].astype(np.float32)

    fold = rng.permutation(np.arange(len(y)) % 5)
    names = [str(k) for k in rows]
    genotypes = ridge.Genotypes(blocks, len(cohort.g), len(starts), names)
    return ridge.predict(genotypes, linear.project_out(q, y), q, fold, ridge.Options(y.shape[1])).loco


def scan(cohort: Cohort, y: np.ndarray, c: np.ndarray, loco: np.ndarray | None, tested: list[int]) -> np.ndarray:
    """t [chromosome, variant, trait] of the chromosomes `tested`, of y less the predictions from the others."""
    out = []
    for k in tested:
        made = trait_groups.build(y if loco is None else y - loco[k - 1], c)
        dosage = cohort.g[cohort.chromosome == k].astype(np.float32)
        out.append(t_values(TorchLinear(made[:1], "float32").block(dosage)[0].r, made[0].df))
    return np.stack(out)


def jackknife(hits: np.ndarray) -> float:
    """Standard error of the mean of hits [chromosome, trait], delete one at a time; traits and chromosomes added."""
    variance = 0.0
    for axis in (0, 1):
        means = hits.mean(1 - axis)
        variance += means.var(ddof=1) / len(means)
    return float(np.sqrt(variance))


def type1(t: np.ndarray, alpha: float, df: int) -> dict[str, float | bool]:
    """Share of null tests below alpha, the upper 99 % bound of a calibrated test, and the deficit 1 - rate/alpha."""
    hits = (np.abs(t) > stats.t.isf(alpha / 2, df)).mean(1)  # [chromosome, trait]
    rate, bound = float(hits.mean()), alpha + float(stats.norm.ppf(0.99)) * jackknife(hits)
    deficit = round(1 - rate / alpha, 4)
    return {"rate": float(f"{rate:.4g}"), "bound": float(f"{bound:.4g}"), "ok": rate < bound, "deficit": deficit}


def calibration(design: str, people: int, per_chromosome: int, n: int, seed: int) -> dict[str, dict]:
    """Type-I error of OLS and of step 1 + 2 on the even chromosomes."""
    rng = np.random.default_rng([seed, len(design)])
    cohort = simulate(design, people, per_chromosome, rng)
    causal = rng.choice(np.flatnonzero(cohort.chromosome % 2 == 1), min(1000, 5 * per_chromosome), replace=False)
    y = make_traits(cohort, causal, n, 0.6, 0.2, rng)
    c = components(cohort)
    even = list(range(2, CHROMOSOMES + 1, 2))
    loco = offsets(cohort, y, c, per_chromosome, rng)
    told = {}
    for method, less in (("ols", None), ("step1", loco)):
        t = scan(cohort, y, c, less, even)
        df = len(y) - c.shape[1] - 2
        for name, alpha in LEVELS.items():
            told[f"type1_{method}_{design}_{name}"] = found = type1(t, alpha, df)
            print(
                f"| {design} | {method} | {alpha:.0e} | {t.size} | {found['rate']:.3g} | {found['bound']:.3g} |"
                f" {found['deficit']:+.1%} | {'yes' if found['ok'] else 'NO'} | {np.mean(t**2):.3f} |",
                flush=True,
            )
    return told


def power(people: int, per_chromosome: int, n: int, seed: int) -> dict[str, float]:
    """Mean t² at causal variants, and how many pass 5e-8, of OLS and step 1 + 2 on unrelated people."""
    rng = np.random.default_rng([seed, 99])
    cohort = simulate("unrelated", people, per_chromosome, rng)
    causal = np.sort(rng.choice(len(cohort.g), max(CHROMOSOMES * 2, len(cohort.g) // 200), replace=False))
    y, c = make_traits(cohort, causal, n, 0.5, 0.1, rng), components(cohort)
    loco = offsets(cohort, y, c, per_chromosome, rng)
    everything = list(range(1, CHROMOSOMES + 1))
    told, threshold = {}, stats.t.isf(GENOME_WIDE / 2, len(y) - c.shape[1] - 2)
    for method, less in (("ols", None), ("step1", loco)):
        t = scan(cohort, y, c, less, everything).reshape(len(cohort.g), n)[causal]
        told |= {f"{method}_t2": float(np.mean(t**2)), f"{method}_found": int((np.abs(t) > threshold).sum())}
    print(f"power, {len(causal)} causes of h² 0.5, {n} traits: {told}", flush=True)
    told["t2_ratio"] = (told["step1_t2"] - 1) / (told["ols_t2"] - 1)
    told["found_ratio"] = told["step1_found"] / max(told["ols_found"], 1)
    return {name: round(value, 4) for name, value in told.items()}


def main(people: int = 3000, per_chromosome: int = 750, traits: int = 128, seed: int = 1, threads: int = 2) -> None:
    """Print a table and, last, a line of JSON.

    Args:
        people: Of each cohort.
        per_chromosome: Variants a chromosome.
        traits: Simulated traits; 11 chromosomes x variants x traits are tested.
        seed: Of all random numbers.
        threads: Of torch.
    """
    torch.set_num_threads(threads)
    start, told = time.perf_counter(), {}
    print("| design | method | level | tests | type-I error | upper 99 % bound | deficit | below | mean t² |")
    print("|---|---|---|---|---|---|---|---|---|")
    for design in ("biobank", "sibships"):
        told |= calibration(design, people, per_chromosome, traits, seed)
    told["power_gain"] = power(people, per_chromosome, traits, seed)
    print(json.dumps(told | {"seconds": round(time.perf_counter() - start)}))


if __name__ == "__main__":
    run(main)
