"""True genotypes -> genotypes as a laboratory delivers them: missing calls, bad variants and bad samples, listed."""

from dataclasses import dataclass

import numpy as np

from ecgwas.config import Simulate
from ecgwas.simulate.genotypes import Variants

LOW_CALL_VARIANTS = 0.005  # share of all variants
HWE_VARIANTS = 0.005
BAD_SAMPLES_OF_A_KIND = 0.0015  # share of people, at least two


@dataclass(frozen=True)
class Faults:
    """What was planted: numbers of variants and members by kind."""

    variants: dict[str, np.ndarray]  # low_call_rate, hwe
    samples: dict[str, np.ndarray]  # low_call_rate, sex_mismatch, excess_heterozygosity


def choose_faults(settings: Simulate, variants: Variants, candidates: np.ndarray, seed: int) -> Faults:
    """Draw bad variants (no planted one; heterozygote dropout only where it can be seen) and bad `candidates`."""
    rng = np.random.default_rng([seed, 3])
    frequency = variants.genotypes.mean(axis=1) / 2
    common = np.minimum(frequency, 1 - frequency) > 0.15
    autosomal = (variants.planted < 0) & (variants.contig != "X")
    hwe = rng.choice(np.flatnonzero(autosomal & common), round(HWE_VARIANTS * len(frequency)), replace=False)
    free = np.setdiff1d(np.flatnonzero(variants.planted < 0), hwe)
    low = rng.choice(free, round(LOW_CALL_VARIANTS * len(frequency)), replace=False)
    count = max(2, round(BAD_SAMPLES_OF_A_KIND * settings.people))
    bad = rng.choice(candidates, (3, count), replace=False)
    samples = dict(zip(("low_call_rate", "sex_mismatch", "excess_heterozygosity"), np.sort(bad), strict=True))
    return Faults({"low_call_rate": np.sort(low), "hwe": np.sort(hwe)}, samples)


def spoil(variants: Variants, faults: Faults, male: np.ndarray, missing: float, seed: int) -> np.ndarray:
    """int8 [variant, member] with the faults in it; swapped sex is a matter of the tables, not of genotypes."""
    rng = np.random.default_rng([seed, 4])
    calls = variants.genotypes.copy()
    for member in faults.samples["excess_heterozygosity"]:
        contaminate(calls, variants.contig == "X", member, male, rng)
    for row in faults.variants["hwe"]:
        lost = (calls[row] == 1) & (rng.random(calls.shape[1]) < 0.8)
        calls[row, lost] = 2 * rng.integers(0, 2, lost.sum())
    for start in range(0, len(calls), 4096):
        calls[start : start + 4096][rng.random(calls[start : start + 4096].shape, np.float32) < missing] = -1
    for row in faults.variants["low_call_rate"]:
        calls[row, rng.random(calls.shape[1]) < rng.uniform(0.08, 0.25)] = -1
    for member in faults.samples["low_call_rate"]:
        calls[rng.random(len(calls)) < rng.uniform(0.08, 0.2), member] = -1
    return calls


def contaminate(calls: np.ndarray, x: np.ndarray, member: int, male: np.ndarray, rng: np.random.Generator) -> None:
    """Mix another member's DNA into `member`, in place: where the two differ, most calls become heterozygous.

    X is mixed only between people of one sex, so that the sex check sees no second fault.
    """
    others = np.flatnonzero(male == male[member])
    other = rng.choice(others[others != member])
    differs = (calls[:, member] != calls[:, other]) & ~x & (rng.random(len(calls)) < 0.7)
    calls[differs, member] = 1
