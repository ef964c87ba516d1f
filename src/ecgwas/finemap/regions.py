"""Loci, association statistics and genotypes -> the regions that are fine-mapped: each variant in one of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.config import Finemap
from ecgwas.errors import UserError
from ecgwas.finemap import ld
from ecgwas.genotype_files.variants import VARIANT

JOINT = "joint"


@dataclass(frozen=True)
class Span:
    """Places of one region, margins included, and the loci in it by lead position."""

    contig: str
    start: int
    end: int
    loci: list[dict]  # rows of the loci table

    @property
    def name(self) -> str:
        """contig:start-end."""
        return f"{self.contig}:{self.start}-{self.end}"

    def traits(self) -> list[str]:
        """Traits significant at a locus of the region, in the order met."""
        return list(dict.fromkeys(trait for locus in self.loci for trait in wanted_traits(locus)))

    def wanted(self) -> list[tuple[dict, str]]:
        """Each locus with each of its tests that is to be fine-mapped."""
        each = [(locus, trait) for locus in self.loci for trait in wanted_traits(locus)]
        return each + [(locus, JOINT) for locus in self.loci if wants_joint(locus)]


def wanted_traits(locus: dict) -> list[str]:
    """The traits significant at a locus."""
    return list(locus["significant_traits"] or [])


def wants_joint(locus: dict) -> bool:
    """Whether the effect shared by all axes is mapped: no trait is significant, or the joint test is the stronger."""
    return not wanted_traits(locus) or locus["lead_test"] == JOINT


def spans(loci: list[dict], margin_bp: int) -> list[Span]:
    """From the first to the last variant of each locus and a margin on both sides; overlapping ones are one region."""
    order = {contig: number for number, contig in enumerate(dict.fromkeys(locus["contig"] for locus in loci))}
    merged: list[Span] = []
    for locus in sorted(loci, key=lambda row: (order[row["contig"]], row["start"])):
        start, end = max(locus["start"] - margin_bp, 1), locus["end"] + margin_bp
        last = merged[-1] if merged else None
        if last is not None and last.contig == locus["contig"] and start <= last.end:
            merged[-1] = Span(last.contig, last.start, max(last.end, end), [*last.loci, locus])
        else:
            merged.append(Span(locus["contig"], start, end, [locus]))
    return [
        Span(span.contig, span.start, span.end, sorted(span.loci, key=lambda row: row["lead_position"]))
        for span in merged
    ]


@dataclass(frozen=True)
class Region:
    """The variants of one region with their t statistics and dosages."""

    span: Span
    variants: pl.DataFrame  # contig, position, ref, alt, rsid, joint_neg_log10_p, t:{trait} of the wanted traits
    dosages: np.ndarray  # [variant, person], NaN missing; no rows where there are too many variants
    outside: dict[str, float]  # the largest |t|, or -log10 p of the joint test, within a margin of the region

    def t(self, traits: list[str]) -> np.ndarray:
        """t statistics [trait, variant]; NaN where the variant had no test."""
        return as_floats(self.variants, [f"t:{trait}" for trait in traits])

    def joint(self) -> np.ndarray:
        """-log10 p of the joint test [variant]; NaN where there is none."""
        return as_floats(self.variants, ["joint_neg_log10_p"])[0]

    def leads(self) -> np.ndarray:
        """Row of the lead of each locus."""
        at = [
            (pl.col("position") == row["lead_position"])
            & (pl.col("ref") == row["lead_ref"])
            & (pl.col("alt") == row["lead_alt"])
            for row in self.span.loci
        ]
        return np.array([self.variants.select(mine.arg_max()).item() for mine in at], int)

    def nearest(self) -> np.ndarray:
        """[variant]: number of the locus whose lead is nearest (ties: the first)."""
        position = self.variants["position"].to_numpy().astype(np.int64)
        lead = np.array([row["lead_position"] for row in self.span.loci], np.int64)
        return np.abs(position[:, None] - lead).argmin(axis=1)

    def stronger_outside(self, test: str) -> bool:
        """Whether the strongest variant nearby, by this trait or the joint test, is not in the region."""
        inside = self.joint() if test == JOINT else np.abs(self.t([test])[0])
        return self.outside[test] > np.nanmax(inside, initial=-np.inf)


def as_floats(table: pl.DataFrame, names: list[str]) -> np.ndarray:
    """Columns as float64 [column, row], NaN where null."""
    return table.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy().T.reshape(len(names), -1)


def read_region(span: Span, sumstats: list[Path], cohort: ld.Cohort, settings: Finemap) -> Region:
    """Variants of a region in genome order; of those up to a further margin away only the strength.

    No genotypes are read of a region with more variants than `finemap.max_variants`.
    """
    margin_bp = settings.window_bp
    reach = pl.col("position").is_between(span.start - margin_bp, span.end + margin_bp)
    columns = [*VARIANT, "rsid", "joint_neg_log10_p", *(f"t:{trait}" for trait in span.traits())]
    near = (pl.col("contig") == span.contig) & reach
    table = pl.concat([tables.SUMSTATS.scan(path, columns).filter(near) for path in sumstats]).collect()
    inside = pl.col("position").is_between(span.start, span.end)
    variants, others = table.filter(inside), table.filter(~inside)
    if not len(variants):
        raise UserError(f"{sumstats[0]}: no variant near locus {span.loci[0]['locus']}; rerun the gwas stage")
    strength = {trait: np.abs(as_floats(others, [f"t:{trait}"])) for trait in span.traits()}
    strength[JOINT] = as_floats(others, ["joint_neg_log10_p"])
    outside = {name: float(np.nanmax(value, initial=-np.inf)) for name, value in strength.items()}
    few = variants.height <= settings.max_variants
    dosages = cohort.dosages(variants if few else variants.clear())
    return Region(span, variants, dosages, outside)
