"""Traits, covariates and samples of a model -> arrays of the people analysed."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.errors import UserError

EVERY = "all"  # predictions from every chromosome: for contigs that step 1 does not use


@dataclass(frozen=True)
class People:
    """Traits [n, T] (NaN missing), covariates [n, c] and sample positions [n] of the people analysed, in one order."""

    y: np.ndarray
    c: np.ndarray
    traits: list[str]
    samples: np.ndarray
    loco: Path | None = None
    order: np.ndarray | None = None  # [n] rows of the trait table; None: as they are there
    binary: bool = False  # the traits are 0/1

    def in_file_order(self) -> "People":
        """The same people in the order of the genotype files, which saves reordering every genotype."""
        order = np.argsort(self.samples, kind="stable")
        return replace(self, y=self.y[order], c=self.c[order], samples=self.samples[order], order=order)

    def on(self, contig: str) -> np.ndarray:
        """Traits [n, T] to be tested on `contig`: less their prediction from all other chromosomes, if there is one.

        0/1 traits stay as they are: their predictions are covariates.
        """
        predicted = None if self.binary else self.predictions(contig)
        return self.y if predicted is None else self.y - predicted

    def predictions(self, contig: str) -> np.ndarray | None:
        """Predictions [n, T] of the traits from all chromosomes but `contig`, where there are any."""
        if self.loco is None:
            return None
        whole = tables.LOCO.scan(self.loco)
        named = whole.filter(contig=contig).collect()
        predicted = named if named.height else whole.filter(contig=EVERY).collect()
        if predicted.height != len(self.y) or predicted.columns != ["contig", *self.traits]:
            raise UserError(
                f"{self.loco}: predictions of {predicted.height} people for {predicted.width - 1} traits, but the trait"
                f" table has {len(self.y)} and {len(self.traits)}; run step 1 again"
            )
        offset = predicted.drop("contig").to_numpy()
        return offset if self.order is None else offset[self.order]


def read_people(traits: Path, covariates: Path, samples: Path, loco: Path | None = None) -> People:
    """People of the trait table, with covariates and the rows of their samples in the genotype files."""
    y, c = tables.TRAITS.read(traits), tables.COVARIATES.read(covariates)
    genotyped = tables.SAMPLES.read(samples, ["sample_id", "index"])
    joined = y.select("sample_id").join(
        genotyped.select("sample_id", "index"), on="sample_id", how="left", maintain_order="left"
    )
    n_missing = joined["index"].null_count()
    if n_missing or y.is_empty():
        raise UserError(
            f"{traits}: {y.height} people with traits, {genotyped.height} samples in {samples},"
            f" {y.height - n_missing} in both; all must have a sample: make the traits again from these samples"
        )
    if y["sample_id"].to_list() != c["sample_id"].to_list():
        raise UserError(
            f"{covariates}: rows are not the {y.height} people of {traits} in the same order; make both again"
        )
    names = [name for name in y.columns if name not in ("person_id", "sample_id")]
    columns = c.drop("person_id", "sample_id")
    return People(
        y.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy(),
        columns.to_numpy() if columns.width else np.zeros((y.height, 0)),
        names,
        joined["index"].to_numpy().astype(np.int64),
        loco,
        binary=is_binary(traits, y.select(names)),
    )


def is_binary(path: Path, traits: pl.DataFrame) -> bool:
    """Whether the traits are 0/1: boolean columns, all or none."""
    kinds = {dtype == pl.Boolean for dtype in traits.dtypes}
    if len(kinds) > 1:
        raise UserError(f"{path}: boolean and other traits in one table; give 0/1 outcomes a model of their own")
    return kinds == {True}
