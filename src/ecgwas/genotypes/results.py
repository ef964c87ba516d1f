"""a cohort after quality control -> the tables that leave the stage."""

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.genotypes.qc import qc
from ecgwas.genotypes.qc.cohort import Cohort
from ecgwas.genotypes.structure.relatedness import Relatedness


def sample_table(cohort: Cohort, related: Relatedness) -> pl.DataFrame:
    """samples.parquet: every sample of the files, in file order, but of people who withdrew consent."""
    unrelated = np.zeros(cohort.samples.height, bool)
    unrelated[cohort.keep] = related.unrelated
    group = np.full(cohort.samples.height, -1)
    group[cohort.keep] = related.group
    ids = np.array(cohort.samples["sample_id"].to_list(), object)
    copy_of = np.full(cohort.samples.height, None, object)
    copy_of[cohort.keep] = np.where(related.copy_of < 0, None, ids[cohort.keep][related.copy_of])
    table = cohort.samples.with_columns(
        copy_of=pl.Series(copy_of.tolist(), dtype=pl.String),
        keep=pl.Series(cohort.keep),
        unrelated=pl.Series(unrelated),
        ancestry_group=pl.Series(group, dtype=pl.Int32),
    )
    return tables.SAMPLES.typed(table.filter(~pl.col("withdrawn")).drop("withdrawn"))


def kinship_table(cohort: Cohort, related: Relatedness) -> pl.DataFrame:
    """kinship.parquet: the related pairs, in file order."""
    ids = cohort.samples.filter(pl.Series(cohort.keep))["sample_id"].to_list()
    rows = {"sample_1": [ids[i] for i, _ in related.pairs], "sample_2": [ids[j] for _, j in related.pairs]}
    return tables.KINSHIP.typed(pl.DataFrame({**rows, "king": related.king, "pc_relate": related.pc_relate}))


def pc_table(cohort: Cohort, related: Relatedness) -> pl.DataFrame:
    """pcs.parquet: scores of every kept sample, rounded to float32, which hides most of the BLAS's last digits."""
    ids = cohort.samples.filter(pl.Series(cohort.keep)).select("sample_id")
    scores = related.scores.astype(np.float32).astype(np.float64)
    return ids.with_columns(pl.Series(f"pc{k + 1}", scores[:, k]) for k in range(scores.shape[1]))


def excluded_table(cohort: Cohort, related: Relatedness) -> pl.DataFrame:
    """excluded.parquet: a row a reason; `duplicate` and `related` for kept samples outside the unrelated set.

    Copies and twins leave every analysis (one of them stays), relatives only those of unrelated people.
    """
    kept = cohort.samples.filter(pl.Series(cohort.keep)).with_columns(nearest=pl.Series(related.nearest).fill_nan(None))
    copy = pl.Series(related.copy_of >= 0)
    limit = cohort.settings.duplicate_threshold
    copies = qc.excluded(
        "sample", kept.filter(copy), pl.col("sample_id"), "duplicate", pl.col("nearest"), pl.lit(limit)
    )
    rows = kept.filter(~pl.Series(related.unrelated) & ~copy)
    outside = qc.excluded("sample", rows, pl.col("sample_id"), "related", pl.col("nearest"), pl.lit(related.limit))
    return pl.concat([*cohort.excluded, copies, outside])


def variant_table(cohort: Cohort) -> pl.DataFrame:
    """variants.parquet: the kept variants in genome order."""
    return tables.VARIANTS.typed(cohort.variants.drop("id"))
