"""Small genotype data with structure, relatives and missing calls, and writers of PLINK and BGEN files."""

from pathlib import Path

import numpy as np
import pytest


def mate(mother: np.ndarray, father: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A child's haplotypes [2, variant] of unlinked variants."""
    rows = np.arange(mother.shape[1])
    return np.stack([mother[rng.integers(0, 2, len(rows)), rows], father[rng.integers(0, 2, len(rows)), rows]])


@pytest.fixture(scope="session")
def family_calls() -> np.ndarray:
    """Calls int8 [3000, 120] of two populations; 0-1 duplicates, 2-3 parent and child, 4-5 siblings; 1 % missing."""
    rng = np.random.default_rng([11])
    p = rng.uniform(0.1, 0.9, 3000)
    q = np.clip(p + rng.normal(0, 0.12, 3000), 0.05, 0.95)
    people = [(rng.random((2, 3000)) < (p if i < 60 else q)).astype(np.int8) for i in range(120)]
    people[1] = people[0].copy()
    people[3] = mate(people[2], people[50], rng)
    people[4], people[5] = mate(people[51], people[52], rng), mate(people[51], people[52], rng)
    people[50], people[51], people[52] = ((rng.random((2, 3000)) < p).astype(np.int8) for _ in range(3))
    calls = np.stack([haplotypes.sum(0) for haplotypes in people], 1).astype(np.int8)
    calls[rng.random(calls.shape) < 0.01] = -1
    return calls


def write_plink(prefix: Path, calls: np.ndarray, contig: list[str], position: list[int], ids: list[str]) -> Path:
    """A .bed by the format's text: two bits a call, low bits first, 00 homozygous A1, 01 missing, 10 het, 11 A2."""
    bits = np.choose(calls + 1, [1, 3, 2, 0]).astype(np.uint8)
    bits = np.pad(bits, ((0, 0), (0, -calls.shape[1] % 4)))
    packed = (bits.reshape(len(calls), -1, 4) << np.array([0, 2, 4, 6], np.uint8)).sum(2).astype(np.uint8)
    prefix.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + packed.tobytes())
    rows = [f"{c}\tv{i}\t0\t{p}\tG\tA\n" for i, (c, p) in enumerate(zip(contig, position, strict=True))]
    prefix.with_suffix(".bim").write_text("".join(rows))
    prefix.with_suffix(".fam").write_text("".join(f"{i} {i} 0 0 0 -9\n" for i in ids))
    return prefix.with_suffix(".bed")


def write_bgen(path: Path, probabilities: np.ndarray, contig: list[str], position: list[int], ids: list[str]) -> Path:
    """A BGEN of [variant, sample, 3] probabilities (NaN missing) with REF A first, ALT G second, and its .sample."""
    from bgen import BgenWriter

    with BgenWriter(str(path), n_samples=len(ids), samples=ids, compression="zlib") as stream:
        for i, (c, p) in enumerate(zip(contig, position, strict=True)):
            stream.add_variant(f"v{i}", f"v{i}", c, p, ["A", "G"], probabilities[i], bit_depth=8)
    text = "ID_1 ID_2 missing\n0 0 0\n" + "".join(f"{i} {i} 0\n" for i in ids)
    path.with_suffix(".sample").write_text(text)
    return path


@pytest.fixture(scope="session")
def writers() -> tuple:
    """write_plink and write_bgen."""
    return write_plink, write_bgen
