"""variants, reference FASTA -> alleles turned to the reference, indels left-aligned, a row for each misfit."""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.errors import UserError, reading
from ecgwas.genotype_files import contigs
from ecgwas.genotypes.qc import qc

FIT = 0.8  # share of SNPs with the reference base among their alleles; positions at random give about half
STRAND = 0.01  # share of SNPs on the other strand above which A/T and C/G SNPs cannot be trusted
ENOUGH = 20
COMPLEMENT = str.maketrans("ACGT", "TGCA")
INDEX = "it may be truncated, or its index of another file: run samtools faidx on it"
BAD = ("strand", "ambiguous", "ref_mismatch")


def state(sequence: str, position: int, ref: str, alt: str) -> str:
    """What the reference says of one variant: fits, swapped, strand, ambiguous, ref_mismatch, or unknown (an N)."""
    there = [sequence[position - 1 : position - 1 + len(a)] for a in (ref, alt)]
    palindrome = len(ref) == len(alt) == 1 and ref.translate(COMPLEMENT) == alt
    if "N" in there[0] or not there[0]:
        return "unknown"
    if there[0] == ref:
        return "fits"
    if there[1] == alt:
        return "ambiguous" if palindrome else "swapped"
    other = (ref.translate(COMPLEMENT)[::-1], alt.translate(COMPLEMENT)[::-1])
    return "strand" if there[0] == other[0] or there[1] == other[1] else "ref_mismatch"


def told(sequence: str, position: int, ref: str, alt: str) -> bool:
    """Whether a reference that has REF rules ALT out: in a repeat it may have a longer ALT as well."""
    return len(alt) <= len(ref) or sequence[position - 1 : position - 1 + len(alt)] != alt


def left_align(sequence: str, position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """The leftmost, shortest form of a variant (Tan et al. 2015, doi:10.1093/bioinformatics/btv112, algorithm 1)."""
    given = position, ref, alt
    while ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
        if not ref or not alt:
            if position == 1:
                return given
            position -= 1
            ref, alt = sequence[position - 1] + ref, sequence[position - 1] + alt
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        position, ref, alt = position + 1, ref[1:], alt[1:]
    return position, ref, alt


def _sequence(fasta: object, contig: str) -> str:
    """The contig's bases in capitals, under whichever of its names the FASTA has; empty where it has none."""
    name = next((n for n in (contig, f"chr{contig}") if n in fasta.references), None)
    return fasta.fetch(name).upper() if name else ""


def _look(variants: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Columns seen (what `state` says), position, ref, alt (turned and aligned), flipped, ref_checked (`told`)."""
    import pysam

    with reading(path, "an indexed FASTA", INDEX):
        fasta = pysam.FastaFile(str(path))
    lacking = [c for c in variants["contig"].unique(maintain_order=True) if not {c, f"chr{c}"} & set(fasta.references)]
    if lacking:
        names, first = ", ".join(fasta.references[:3]), lacking[0]
        raise UserError(
            f"{path}: has no contig {first} or chr{first}, where the genotypes have variants ({len(lacking)} such);"
            f" the FASTA has {names}, …); give a FASTA of all their chromosomes under these names, or rename its"
            " contigs (such as NC_000001.11 to 1) and run samtools faidx"
        )
    parts = []
    for (contig,), table in variants.with_row_index("row").group_by("contig", maintain_order=True):
        with reading(path, "an indexed FASTA", INDEX):
            sequence = _sequence(fasta, contig)
        for row, position, ref, alt in table.select("row", "position", "ref", "alt").iter_rows():
            seen = state(sequence, position, ref, alt)
            turned = seen == "swapped"
            ref, alt = (alt, ref) if turned else (ref, alt)
            fits = seen in ("fits", "swapped")
            known = fits and (turned or told(sequence, position, ref, alt))
            aligned = fits and len(ref) != len(alt)
            place = left_align(sequence, position, ref, alt) if aligned else (position, ref, alt)
            parts.append((row, seen, *place, turned, known))
    types = {"row": pl.UInt32, "seen": pl.String, "position": pl.Int32, "ref": pl.String, "alt": pl.String}
    found = pl.DataFrame(parts, schema=types | {"flipped": pl.Boolean, "ref_checked": pl.Boolean}, orient="row")
    return found.sort("row").drop("row")


def check(variants: pl.DataFrame, path: Path, build: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Variants that fit the reference, turned and left-aligned, and the excluded rows of the others.

    Column flipped: turned; ref_checked: the reference has REF and not ALT.

    A/T and C/G SNPs look the same on both strands: where the reference base is their ALT they are `ambiguous`, and all
    of them are where more than one in a hundred other SNPs is on the other strand.
    """
    bases = pl.col("ref").str.contains("^[ACGTN]+$") & pl.col("alt").str.contains("^[ACGTN]+$")
    usable = pl.col("contig").is_in(contigs.CONTIGS) & bases & (pl.col("position") > 0)
    others = variants.filter(~usable).with_columns(flipped=pl.lit(False), ref_checked=pl.lit(False))
    variants = variants.filter(usable)
    found = _look(variants, path)
    pair = variants["ref"] + variants["alt"]
    palindrome = pair.is_in(["AT", "TA", "CG", "GC"])
    snps = ((pair.str.len_bytes() == 2) & (found["seen"] != "unknown")).to_numpy()
    plain = snps & ~palindrome.to_numpy()
    seen = found["seen"].to_numpy()
    fit = np.isin(seen[plain], ["fits", "swapped"])
    if plain.sum() >= ENOUGH and fit.mean() < FIT:
        raise UserError(
            f"{path}: the reference base is an allele of only {fit.sum()} of {plain.sum()} SNPs; `build` "
            f"({build}) is not that of the genotypes, the FASTA is another reference, or many alleles are on the other "
            "strand: correct `build` and `fasta`, or turn the strand in the files (plink --flip)"
        )
    if plain.any() and (seen[plain] == "strand").mean() > STRAND:
        seen = np.where(palindrome.to_numpy(), "ambiguous", seen)
    counts = ", ".join(f"{n} {word}" for word, n in zip(*np.unique(seen, return_counts=True), strict=True))
    print(f"variants against the reference: {counts}", flush=True)
    null = pl.lit(None, pl.Float64)
    rows = [
        qc.excluded("variant", variants.filter(pl.Series(seen == reason)), qc.VARIANT, reason, null, null)
        for reason in BAD
    ]
    good = pl.Series(~np.isin(seen, BAD))
    kept = variants.with_columns(found.drop("seen")).filter(good)
    return pl.concat([kept, others.select(kept.columns)]), pl.concat(rows)
