"""Positions on the genome -> positions along one axis, contig after contig."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ecgwas.report.scan import contig_key


@dataclass(frozen=True)
class Mark:
    """A labelled position on the genome: a lead, or a planted variant."""

    contig: str
    position: int
    label: str
    class_: str


@dataclass(frozen=True)
class Genome:
    """Contigs laid end to end, each as long as the region that was tested."""

    contigs: list[str]
    first: dict[str, int]
    offset: dict[str, float]
    length: dict[str, float]

    @property
    def total(self) -> float:
        """Length of all, base pairs."""
        return sum(self.length.values())

    def at(self, contig: str, position: np.ndarray | float) -> np.ndarray | float:
        """Position along the axis, base pairs."""
        return np.asarray(position, float) - self.first[contig] + self.offset[contig]


def genome(scan: pl.DataFrame) -> Genome:
    """Layout of the contigs of `scan`."""
    spans = scan.group_by("contig").agg(pl.col("position").min().alias("low"), pl.col("position").max().alias("high"))
    found = sorted(spans.rows(), key=lambda row: (contig_key(row[0]), row[0]))
    length = {c: float(high - low) for c, low, high in found}
    gap = 0.004 * sum(length.values()) + 1
    offset, so_far = {}, 0.0
    for contig in length:
        offset[contig] = so_far + gap / 2
        length[contig] += gap
        so_far += length[contig]
    return Genome(list(length), {c: low for c, low, _ in found}, offset, length)
