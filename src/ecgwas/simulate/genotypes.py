"""Settings -> founder haplotypes: the coalescent by msprime's command line, read with tskit, one contig a job.

msprime is run as a program, not imported: it is under GPL-3, ecgwas under Apache-2.0.
"""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tskit

from ecgwas.config import Simulate
from ecgwas.errors import UserError
from ecgwas.simulate.genotypes_people import Pedigree, drop_genes

# Four fifths of human recombination happen in hotspots (Myers et al. 2005, Science 310:321): the coalescent runs at
# the rate between them, and hotspots of the sparse part are made by `redeal`.
RECOMBINATION = 3e-9  # per base and generation
HOTSPOT_BP = 5_000
DENSE_BP = 500_000  # block around a planted variant, free of hotspots
SPARSE_MAF, DENSE_MAF = 0.05, 0.01  # in each population, as variants of an array are chosen; in all together
MIN_ALLELES = 25  # a rarer variant could not pass quality control in a small cohort

# Start of the simulated region on GRCh37, base pairs: at least 16 Mb free of the long-range LD regions of
# Price et al. 2008 (AJHG 83:132), of the HLA and of centromeres; X between its pseudo-autosomal regions.
REGION_START = {
    **{"1": 60, "2": 20, "3": 20, "4": 20, "5": 60, "6": 70, "7": 20, "8": 60, "9": 80, "10": 60, "11": 20, "12": 60},
    **{"13": 40, "14": 40, "15": 40, "16": 50, "17": 30, "18": 30, "19": 35, "20": 40, "21": 25, "22": 30, "X": 100},
}
CONTIGS = tuple(REGION_START)

# Three populations that split as out of Africa (Fst 0.05 to 0.1) with late growth, and a fourth mixed of two 12
# generations ago: Gutenkunst et al. 2009 (PLoS Genet 5:e1000695) made simple.
DEMOGRAPHY = """\
time_units: generations
demes:
- {name: root, epochs: [{end_time: 2000, start_size: 12000}]}
- {name: A, ancestors: [root], epochs: [{end_time: 100, start_size: 14000}, {end_time: 0, end_size: 60000}]}
- {name: out, ancestors: [root], epochs: [{end_time: 900, start_size: 6000}]}
- {name: B, ancestors: [out], epochs: [{end_time: 100, start_size: 8000}, {end_time: 0, end_size: 60000}]}
- {name: C, ancestors: [out], epochs: [{end_time: 100, start_size: 8000}, {end_time: 0, end_size: 60000}]}
- {name: M, ancestors: [A, B], proportions: [0.4, 0.6], start_time: 12, epochs: [{end_time: 0, start_size: 30000}]}
"""


@dataclass(frozen=True)
class Variants:
    """Variants of one or more contigs, in genome order, with the genotypes of the cohort's members."""

    contig: np.ndarray  # str [variant]
    position: np.ndarray  # int64 [variant], 1-based
    ref: np.ndarray  # str [variant]
    alt: np.ndarray  # str [variant]
    dense: np.ndarray  # bool [variant], in the block around a planted variant
    planted: np.ndarray  # int64 [variant], number of the planted locus or -1
    genotypes: np.ndarray  # int8 [variant, member], ALT alleles 0 to 2; males on X 0 or 2; -1 missing

    @property
    def rsid(self) -> np.ndarray:
        """Names in the files, str [variant]."""
        return np.array([f"snp{c}_{p}" for c, p in zip(self.contig, self.position, strict=True)])

    @property
    def names(self) -> list[str]:
        """contig:position:ref:alt [variant]."""
        columns = (self.contig, self.position, self.ref, self.alt)
        return [":".join(map(str, row)) for row in zip(*columns, strict=True)]


def simulate_genotypes(settings: Simulate, pedigree: Pedigree, seed: int, threads: int) -> Variants:
    """Genotypes of the members of `pedigree` at the variants of all contigs; equal for any number of threads."""
    if settings.chromosome_mb > 16:
        raise UserError(f"simulate.chromosome_mb is {settings.chromosome_mb}; the regions chosen have room for 16")
    if len(settings.loci) > 22:
        raise UserError(f"simulate.loci has {len(settings.loci)} entries; there is one autosome each for 22")
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(simulate_contig, settings, pedigree, seed, number) for number in range(len(CONTIGS))]
        parts = [job.result() for job in jobs]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Variants.__annotations__}
    return Variants(**columns)


def simulate_contig(settings: Simulate, pedigree: Pedigree, seed: int, number: int) -> Variants:
    """The variants of one contig: coalescent of the founders, choice of variants, gene-dropping to the members."""
    contig = CONTIGS[number]
    rng = np.random.default_rng([seed, 100 + number])
    locus = settings.loci[number] if number < len(settings.loci) else None
    length = round(settings.chromosome_mb * 1e6)
    block = ((length - DENSE_BP) // 2, (length + DENSE_BP) // 2) if locus else (0, 0)
    wanted = [settings.sparse_variants // 23 + (number < settings.sparse_variants % 23), settings.dense_variants]
    floor = MIN_ALLELES / (2 * settings.people)
    with tempfile.TemporaryDirectory() as folder:
        ancestry = run_ancestry(Path(folder), pedigree.founders_of_deme(), length, rng)
        deme = np.repeat(pedigree.founder_deme, 2)
        position, haplotypes = draw_variants(ancestry, (0, length), block, max(SPARSE_MAF, floor), wanted[0], deme, rng)
        keep = spread(len(position), wanted[0])
        position, planted = position[keep], np.full(len(keep), -1)
        haplotypes = redeal(haplotypes[keep], position, deme, rng)
        if locus:
            dense, dense_haplotypes = draw_variants(
                ancestry, block, (0, 0), max(DENSE_MAF, floor), wanted[1], 0 * deme, rng
            )
            causal = choose_causal(dense, dense_haplotypes, deme, locus.maf, sum(block) / 2)
            others = np.delete(np.arange(len(dense)), causal)
            keep = np.sort(np.append(others[spread(len(others), wanted[1] - 1)], causal))
            planted = np.concatenate([planted, np.where(keep == causal, number, -1)])
            position = np.concatenate([position, dense[keep]])
            haplotypes = np.concatenate([haplotypes, dense_haplotypes[keep]])
    order = np.argsort(position, kind="stable")
    genotypes = drop_genes(haplotypes[order], position[order], pedigree, length, contig == "X", rng)
    return name_variants(contig, position[order], planted[order], block, genotypes, rng)


def run_ancestry(folder: Path, founders: dict[str, int], length: int, rng: np.random.Generator) -> Path:
    """Run `msp ancestry` for `founders` diploid people of each deme: path of the tree sequence."""
    (folder / "demography.yaml").write_text(DEMOGRAPHY)
    samples = [f"{deme}:{count}" for deme, count in founders.items() if count]
    out = folder / "ancestry.trees"
    options = ["--length", length, "--recombination-rate", RECOMBINATION, "--demography", folder / "demography.yaml"]
    run_msprime("ancestry", "--random-seed", rng.integers(1, 2**31), *options, "--output", out, *samples)
    return out


def run_msprime(*arguments: object) -> None:
    """Run the program `msp` of this environment; `RuntimeError` with its message where it fails."""
    beside = Path(sys.executable).with_name("msp")
    program = str(beside) if beside.exists() else shutil.which("msp")
    if program is None:
        raise UserError("the program msp is missing; install msprime: pip install msprime")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"msprime {arguments[0]}: {done.stderr.strip()}")


def draw_variants(
    ancestry: Path,
    inside: tuple[int, int],
    outside: tuple[int, int],
    min_maf: float,
    count: int,
    group: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """At least `count` variants: positions int64 [variant] and haplotypes int8 [variant, haplotype].

    Their minor allele frequency is `min_maf` or more in each `group` of haplotypes. They lie in `inside` and not in
    `outside` (base pairs). The mutation rate is only as high as needed.
    """
    trees = tskit.load(ancestry)
    trees = trees.keep_intervals([inside]) if inside[1] - inside[0] < trees.sequence_length else trees
    trees = trees.delete_intervals([outside]) if outside[1] > outside[0] else trees
    bare = ancestry.with_name("bare.trees")
    trees.dump(bare)
    rate = 1e-5 * count / (inside[1] - inside[0] - (outside[1] - outside[0]))
    for _ in range(8):
        run_mutations(bare, rate, rng)
        position, haplotypes = common_variants(tskit.load(ancestry.with_name("mutations.trees")), min_maf, group)
        if len(position) >= count:
            return position, haplotypes
        rate *= 2
    raise RuntimeError(f"msprime gave {len(position)} variants of minor allele frequency {min_maf}, not {count}")


def run_mutations(trees: Path, rate: float, rng: np.random.Generator) -> None:
    """Run `msp mutations` with two alleles a site; writes mutations.trees beside `trees`."""
    out = trees.with_name("mutations.trees")
    run_msprime("mutations", "--random-seed", rng.integers(1, 2**31), "--model", "binary", "--output", out, rate, trees)


def common_variants(trees: tskit.TreeSequence, min_maf: float, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions int64 [variant] and haplotypes int8 [variant, haplotype] that are common in every `group`."""
    positions, rows = [], []
    members = np.bincount(group)
    for variant in trees.variants(copy=False):
        counts = np.bincount(group[variant.genotypes == 1], minlength=len(members))
        if variant.num_alleles == 2 and (np.minimum(counts, members - counts) >= min_maf * members).all():
            positions.append(int(variant.site.position))
            rows.append(variant.genotypes.astype(np.int8))
    return np.array(positions, np.int64), np.array(rows, np.int8).reshape(len(rows), trees.num_samples)


def spread(available: int, wanted: int) -> np.ndarray:
    """Indices of `wanted` of `available` ordered variants, evenly thinned."""
    return np.unique(np.linspace(0, available - 1, wanted).round().astype(int))


def redeal(haplotypes: np.ndarray, position: np.ndarray, deme: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`haplotypes` int8 [variant, haplotype] dealt anew within each deme at every hotspot.

    Haplotypes of a deme are exchangeable, so this is a sample of the same model with hotspots that leave no LD. A few
    megabases then hold as many independent variants as kinship needs: with M of them KING's standard error for an
    unrelated pair is about 0.8 / sqrt(M), and it must stay five times below the threshold of third-degree relatives.
    """
    out = np.empty_like(haplotypes)
    segment = position // HOTSPOT_BP
    for number in np.unique(segment):
        out[segment == number] = haplotypes[segment == number][:, np.argsort(deme + rng.random(len(deme)))]
    return out


def choose_causal(position: np.ndarray, haplotypes: np.ndarray, deme: np.ndarray, maf: float, centre: float) -> int:
    """Index of the variant to plant: near the centre and `maf`, and of those the least different among demes.

    A variant that mostly tells ancestry has no power left once principal components are adjusted for.
    """
    frequency = haplotypes.mean(axis=1)
    distance = np.abs(np.minimum(frequency, 1 - frequency) - maf)
    distance[np.abs(position - centre) > DENSE_BP / 5] += 1
    near = np.argsort(distance, kind="stable")[:20]
    near = near[distance[near] <= max(distance[near[0]], 0.05 * maf)]
    within = sum(haplotypes[near][:, deme == d].var(axis=1) * np.mean(deme == d) for d in range(deme.max() + 1))
    return int(near[np.argmax(within / haplotypes[near].var(axis=1))])


def name_variants(
    contig: str,
    offset: np.ndarray,
    planted: np.ndarray,
    block: tuple[int, int],
    genotypes: np.ndarray,
    rng: np.random.Generator,
) -> Variants:
    """Place variants on GRCh37 and give them alleles; in half of them ALT is the ancestral allele, as in real data."""
    pairs = np.array([(a, b) for a in "ACGT" for b in "ACGT" if a != b])[rng.integers(0, 12, len(offset))]
    flip = rng.random(len(offset)) < 0.5
    return Variants(
        contig=np.full(len(offset), contig, dtype="<U2"),
        position=offset + REGION_START[contig] * 1_000_000 + 1,
        ref=pairs[:, 0],
        alt=pairs[:, 1],
        dense=(offset >= block[0]) & (offset < block[1]),
        planted=planted,
        genotypes=np.where(flip[:, None], 2 - genotypes, genotypes).astype(np.int8),
    )
