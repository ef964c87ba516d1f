"""tables of metrics -> which samples and variants stay, and a row with reason, value and limit for each that goes."""

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.config import Genotypes
from ecgwas.genotype_files import contigs

REF, ALT = r"^[ACGTN]+$", r"^(?:[ACGTN]+|<.+>|\*)$"  # alleles that can be analysed
VARIANT = pl.format("{}:{}:{}:{}", "contig", "position", "ref", "alt")


def excluded(
    kind: str, table: pl.DataFrame, ids: pl.Expr, reason: str | pl.Expr, value: pl.Expr, limit: pl.Expr
) -> pl.DataFrame:
    """Rows of the table of exclusions for every row of `table`; the reason is a word, or an expression."""
    reason = pl.lit(reason) if isinstance(reason, str) else reason
    rows = table.select(
        kind=pl.lit(kind), id=ids, reason=reason, value=value.cast(pl.Float64), limit=limit.cast(pl.Float64)
    )
    return tables.GENOTYPES_EXCLUDED.typed(rows)


def fails(
    kind: str, table: pl.DataFrame, ids: pl.Expr, rules: dict[str, tuple[pl.Expr, pl.Expr, pl.Expr]]
) -> pl.DataFrame:
    """One row per rule failed: reason -> (fails, value, limit). A null is no failure."""
    parts = [
        excluded(kind, table.filter(bad), ids, reason, value, limit) for reason, (bad, value, limit) in rules.items()
    ]
    return pl.concat(parts)


def unusable_variants(variants: pl.DataFrame) -> pl.DataFrame:
    """Rows of the files that cannot be analysed, whatever the calls: contig, position, duplicates, no alternate.

    Two rows with one position and the same two alleles both go: nothing says which is right. Of a SNP the order does
    not matter (files count either allele); C > CT and CT > C are an insertion and a deletion.
    """
    snp = (pl.col("ref").str.len_bytes() == 1) & (pl.col("alt").str.len_bytes() == 1)
    first = pl.when(snp).then(pl.min_horizontal("ref", "alt")).otherwise("ref")
    second = pl.when(snp).then(pl.max_horizontal("ref", "alt")).otherwise("alt")
    copies = pl.len().over("contig", "position", first.alias("first"), second.alias("second"))
    table = variants.with_columns(copies=copies)
    known = pl.col("contig").is_in(contigs.CONTIGS)
    bases = pl.col("ref").str.contains(REF) & pl.col("alt").str.contains(ALT)
    several = pl.col("alt").str.contains(",")
    null = pl.lit(None, pl.Float64)
    rules = {
        "contig": (~known, null, null),
        "position": (known & (pl.col("position") < 1), pl.col("position"), pl.lit(1)),
        "multiallelic": (known & several, null, null),
        "alleles": (known & ~bases & ~several, null, null),
        "duplicate": (known & (pl.col("copies") > 1), pl.col("copies"), pl.lit(1)),
    }
    return fails("variant", table, VARIANT, rules)


def flagged_variants(variants: pl.DataFrame, settings: Genotypes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows not flagged, exclusions) by what the file says of its own records.

    `filter`: values of FILTER other than PASS and those that only say how a variant was typed (unless
    `settings.filters` is all); `quality`: the file's measure of imputation, named by `quality_name`, below
    `settings.min_info`. Null is no flag.
    """
    failed = pl.col("filter").is_not_null() if settings.filters == "pass" else pl.lit(False)
    poor = (pl.col("quality") < settings.min_info).fill_null(False)
    null, limit = pl.lit(None, pl.Float64), pl.lit(settings.min_info)
    rows = [
        excluded("variant", variants.filter(failed), VARIANT, pl.format("filter: {}", "filter"), null, null),
        excluded(
            "variant", variants.filter(poor), VARIANT, pl.format("info: {}", "quality_name"), pl.col("quality"), limit
        ),
    ]
    return variants.filter(~failed & ~poor), pl.concat(rows)


def variant_failures(variants: pl.DataFrame, settings: Genotypes) -> pl.DataFrame:
    """Failures of variants with columns call_rate, mac, hwe_p, info (null where it does not apply)."""
    rules = {
        name: (pl.col(column) < limit, pl.col(column), pl.lit(limit))
        for name, column, limit in [
            ("call_rate", "call_rate", settings.variant_call_rate),
            ("mac", "mac", settings.min_mac),
            ("hwe", "hwe_p", settings.hwe_p),
            ("info", "info", settings.min_info),
        ]
    }
    return fails("variant", variants, VARIANT, rules)


def inbreeding(calls: np.ndarray, haploid_males: bool = False) -> np.ndarray:
    """F [sample] = 1 - observed / expected heterozygous calls, of calls int8 [variant, sample], -1 missing.

    The expectation is 2 p (1 - p) n / (n - 1) with n called alleles (Nei 1978, as in PLINK --het); with
    `haploid_males`, where n is not known, plain 2 p (1 - p), as in Hail's agg.inbreeding and impute_sex: about 0 in
    females, 1 in males. NaN where nothing was called.
    """
    called = (calls >= 0).sum(1)
    p = np.where(calls > 0, calls, 0).sum(1, dtype=np.int64) / np.maximum(2 * called, 1)
    correction = 1.0 if haploid_males else 2 * called / np.maximum(2 * called - 1, 1)
    expected = 2 * p * (1 - p) * correction
    per_sample = expected.sum() - np.array([expected[missing].sum() for missing in (calls < 0).T])
    observed = (calls == 1).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(per_sample > 0, 1 - observed / per_sample, np.nan)


def inbreeding_sd(af: np.ndarray) -> float:
    """SD of a woman's X inbreeding coefficient, of independent variants of these frequencies; infinite without any.

    Her heterozygous calls are Σ 2pq on average, with variance Σ 2pq (1 - 2pq); F is 1 less their ratio to Σ 2pq.
    """
    het = 2 * af * (1 - af)
    return float(np.sqrt((het * (1 - het)).sum()) / het.sum()) if het.sum() > 0 else float("inf")


def genetic_sex(f: np.ndarray, settings: Genotypes) -> list[str | None]:
    """female below one limit of the X inbreeding coefficient, male above the other, None between or unknown."""
    return ["female" if x < settings.sex_f_female else "male" if x > settings.sex_f_male else None for x in f.tolist()]


def heterozygosity_z(f: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Robust z-score [sample] of F within ancestry.

    F is regressed on the structural components, their squares and products, as UK Biobank did (Bycroft et al. 2018,
    doi:10.1038/s41586-018-0579-z, S3.5): it holds for admixed people too, which groups would not. Fitted
    twice, the second time without the outliers of the first.
    """
    centred = scores / np.maximum(np.abs(scores).max(0, initial=0), 1e-300)
    products = [centred[:, i] * centred[:, j] for i in range(centred.shape[1]) for j in range(i, centred.shape[1])]
    design = np.column_stack([np.ones(len(f)), centred, *products])
    fit = np.isfinite(f)
    for _ in range(2):
        if fit.sum() <= 2 * design.shape[1]:
            design = design[:, :1]
        residual = f - design @ np.linalg.lstsq(design[fit], f[fit], rcond=None)[0]
        middle = np.median(residual[fit])
        sd = 1.4826 * np.median(np.abs(residual[fit] - middle))
        z = (residual - middle) / sd if sd > 0 else np.zeros_like(residual)
        fit = np.isfinite(f) & (np.abs(z) < 4)
    return z


def prune_candidates(variants: pl.DataFrame, build: str, settings: Genotypes) -> np.ndarray:
    """Bool [variant]: autosomal, common, well called, outside long-range LD; columns call_rate and af."""
    common = pl.min_horizontal("af", 1 - pl.col("af")) >= settings.prune_min_maf
    far = ~contigs.within(contigs.LONG_RANGE_LD[build], unit=1e6)
    good = (pl.col("contig") != "X") & common & (pl.col("call_rate") >= settings.variant_call_rate) & far
    return variants.select(good.fill_null(False)).to_series().to_numpy()
