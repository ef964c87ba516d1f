"""Exports: the same numbers as the sumstats, in each format's own columns, sorted, indexed; and the validator."""

import gzip
import math

import numpy as np
import polars as pl
import pysam
import pytest
import yaml
from tests.unit.gwas.test_scan import files, run_scan, study  # noqa: F401 (a fixture)

from ecgwas.config import Exports, Gwas
from ecgwas.errors import UserError
from ecgwas.gwas import exports, inputs, ssf

NAMES = ["gwas-ssf", "pheweb", "ldsc", "regenie"]
ABOUT = {"date_metadata_last_modified": "2026-01-01", "genotyping_technology": ["Genome-wide genotyping array"]}
WANTED = Exports(formats=NAMES, metadata=ABOUT)


@pytest.fixture
def written(study):  # noqa: F811
    """Exports of a scan in two parts; X instead of contig 10; INFO in the first part only."""
    table = pl.read_parquet(study / "variants.parquet")
    contig = pl.col("contig").replace({"10": "X"})
    table = table.with_columns(contig, af=pl.lit(0.2), info=pl.when(pl.col("contig") == "1").then(0.9))
    table.write_parquet(study / "variants.parquet")
    settings = Gwas(parts=2, dtype="float64")
    parts = [run_scan(study, settings, part) for part in (0, 1)]
    paths = files(study, "variants", "covariates", "manifest")
    exports.main(parts, study / "per-trait.parquet", *paths, WANTED, "toy", study / "exports")
    return study, parts


def text(path):
    return gzip.decompress(path.read_bytes())


def read(path, separator="\t"):
    return pl.read_csv(text(path), separator=separator, infer_schema_length=None, null_values=["#NA"])


def test_numbers_are_those_of_the_scan(written):
    folder, parts = written
    scan = inputs.read_scan(parts, folder / "per-trait.parquet")
    rows = np.arange(scan.variants.height)
    beta, se = inputs.effects(scan.t, scan.gg(), scan.yy(rows), scan.traits["df"].to_numpy())
    for j, trait in enumerate(scan.names):
        tested = np.isfinite(scan.t[:, j])
        table = read(folder / f"exports/gwas-ssf/{trait}.tsv.gz")
        assert np.allclose(table["beta"], beta[tested, j])
        assert np.allclose(table["standard_error"], se[tested, j])
        p = read(folder / f"exports/pheweb/{trait}.pheweb.tsv.gz")["pval"].to_numpy()
        assert np.allclose(-np.log10(p), table["neg_log_10_p_value"], atol=1e-4)
        other = read(folder / f"exports/regenie/{trait}.regenie.gz", " ")
        assert np.allclose(other["BETA"], table["beta"])
        assert np.allclose(other["CHISQ"], (table["beta"] / table["standard_error"]) ** 2)
        z = read(folder / f"exports/ldsc/{trait}.sumstats.gz")
        assert np.allclose(z["Z"], table.filter(pl.col("rsid").is_not_null())["beta"] / table["standard_error"])


def test_alt_is_the_effect_allele_and_x_is_23(written):
    table = read(written[0] / "exports/gwas-ssf/a.tsv.gz")
    assert table["effect_allele"].unique().to_list() == ["C"]
    assert table["chromosome"].unique().sort().to_list() == [1, 2, 23]
    assert read(written[0] / "exports/pheweb/a.pheweb.tsv.gz")["chrom"].unique().sort().to_list() == ["1", "2", "X"]


def test_info_is_a_column_of_every_part_where_some_variants_have_it(written):
    table = read(written[0] / "exports/gwas-ssf/a.tsv.gz")
    assert table.filter(pl.col("info").is_not_null())["chromosome"].unique().to_list() == [1]
    assert table["n"].null_count() == 0


def test_a_region_is_found_by_its_index(written):
    path = written[0] / "exports/gwas-ssf/b.tsv.gz"
    with pysam.TabixFile(str(path)) as file:
        rows = [line.split("\t") for line in file.fetch("2", 400_000, 480_001)]
    whole = read(path).filter(pl.col("chromosome") == 2, pl.col("base_pair_location").is_between(400_001, 480_001))
    assert [int(row[1]) for row in rows] == whole["base_pair_location"].to_list()


def test_what_is_written_is_valid_and_bit_for_bit_the_same_again(written):
    folder, parts = written
    for trait in "abc":
        ssf.main(folder / f"exports/gwas-ssf/{trait}.tsv.gz", min_rows=100)
    about = yaml.safe_load((folder / "exports/gwas-ssf/a.tsv.gz-meta.yaml").read_text())
    assert about["samples"] == [{"sample_size": 400, "cohort": ["toy"]}]
    assert about["adjusted_covariates"] == ["age", "sex"]
    paths = files(folder, "variants", "covariates", "manifest")
    exports.main(parts, folder / "per-trait.parquet", *paths, WANTED, "toy", folder / "again")
    for path in (folder / "exports").rglob("*.*"):
        assert path.read_bytes() == (folder / "again" / path.relative_to(folder / "exports")).read_bytes(), path


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("chromosome", "X", "from 1 to 25"),
        ("effect_allele", "c", "of A, C, G, T"),
        ("standard_error", "-1", "not negative"),
        ("effect_allele_frequency", "1.2", "from 0 to 1"),
        ("neg_log_10_p_value", "nan", "in its range"),
        ("beta", "", "is a number"),
        ("rsid", "7", "rs and a number"),
        ("base_pair_location", "999999999", "not sorted"),
    ],
)
def test_the_validator_names_line_and_value(written, tmp_path, column, value, rule):
    path = written[0] / "exports/gwas-ssf/a.tsv.gz"
    table = pl.read_csv(text(path), separator="\t", infer_schema=False).with_row_index()
    broken = table.with_columns(pl.when(pl.col("index") == 5).then(pl.lit(value)).otherwise(column).alias(column))
    broken.drop("index").write_csv(tmp_path / "broken.tsv", separator="\t")
    with pytest.raises(UserError, match=rule):
        ssf.main(tmp_path / "broken.tsv", min_rows=100, check_metadata=False)


def test_columns_out_of_order_and_too_few_rows(written, tmp_path):
    path = written[0] / "exports/gwas-ssf/a.tsv.gz"
    with pytest.raises(UserError, match="fewer than 100000"):
        ssf.main(path)
    table = pl.read_csv(text(path), separator="\t", infer_schema=False)
    table.select(pl.col("beta"), pl.exclude("beta")).write_csv(tmp_path / "x.tsv", separator="\t")
    with pytest.raises(UserError, match="column 1 is beta, expected chromosome"):
        ssf.main(tmp_path / "x.tsv", check_metadata=False)


@pytest.mark.parametrize("x", [0.0, 0.3, 1.0, 7.301, 299.9, 400.25, 12345.678])
def test_no_p_is_written_as_zero(x):
    mantissa, exponent = exports.p_text(x).split("e-")
    assert math.log10(float(mantissa)) - int(exponent) == pytest.approx(-x, abs=1e-4)
