"""Exports: the same numbers as the sumstats, in each format's own columns, sorted, indexed; and the validator."""

import gzip
import json
import math

import numpy as np
import polars as pl
import pysam
import pytest
import yaml
from tests.unit.gwas.test_scan import files, run_scan, study  # noqa: F401 (a fixture)

from ecgwas.associations import scan_statistics
from ecgwas.config import Exports, Gwas
from ecgwas.errors import UserError
from ecgwas.gwas.export import formats, validate_ssf

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
    formats.main(parts, study / "per-trait.parquet", *paths, WANTED, "toy", study / "exports")
    return study, parts


def text(path):
    return gzip.decompress(path.read_bytes())


def read(path, separator="\t"):
    return pl.read_csv(text(path), separator=separator, infer_schema_length=None, null_values=["#NA"])


def test_numbers_are_those_of_the_scan(written):
    folder, parts = written
    scan = scan_statistics.read_scan(parts, folder / "per-trait.parquet")
    rows = np.arange(scan.variants.height)
    beta, se = scan_statistics.effects(scan.t, scan.gg(), scan.yy(rows), scan.traits["df"].to_numpy())
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


def test_alleles_that_are_no_bases_are_not_in_a_standard_file(study, tmp_path):  # noqa: F811
    table = pl.read_parquet(study / "variants.parquet").with_columns(af=pl.lit(0.2), info=pl.lit(None, pl.Float64))
    odd = pl.when(pl.col("rsid") == "rs3").then(pl.lit("*")).when(pl.col("rsid") == "rs5").then(pl.lit("<DEL>"))
    table.with_columns(alt=odd.otherwise("alt")).write_parquet(study / "variants.parquet")
    part, paths = run_scan(study, Gwas()), files(study, "variants", "covariates", "manifest")
    formats.main([part], study / "per-trait.parquet", *paths, WANTED, "toy", tmp_path / "exports")
    made = tmp_path / "exports/gwas-ssf/a.tsv.gz"
    assert validate_ssf.faults(made, min_rows=1) == []
    rows = read(made).height
    assert read(tmp_path / "exports/regenie/a.regenie.gz", " ").height == rows + 2


def test_a_region_is_found_by_its_index(written):
    path = written[0] / "exports/gwas-ssf/b.tsv.gz"
    with pysam.TabixFile(str(path)) as file:
        rows = [line.split("\t") for line in file.fetch("2", 400_000, 480_001)]
    whole = read(path).filter(pl.col("chromosome") == 2, pl.col("base_pair_location").is_between(400_001, 480_001))
    assert [int(row[1]) for row in rows] == whole["base_pair_location"].to_list()


def test_what_is_written_is_valid_and_bit_for_bit_the_same_again(written):
    folder, parts = written
    for trait in "abc":
        validate_ssf.main(folder / f"exports/gwas-ssf/{trait}.tsv.gz", min_rows=100)
    about = yaml.safe_load((folder / "exports/gwas-ssf/a.tsv.gz-meta.yaml").read_text())
    assert about["samples"] == [{"sample_size": 400, "cohort": ["toy"]}]
    assert about["adjusted_covariates"] == ["age", "sex"]
    paths = files(folder, "variants", "covariates", "manifest")
    formats.main(parts, folder / "per-trait.parquet", *paths, WANTED, "toy", folder / "again")
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
        validate_ssf.main(tmp_path / "broken.tsv", min_rows=100, check_metadata=False)


def test_columns_out_of_order_and_too_few_rows(written, tmp_path):
    path = written[0] / "exports/gwas-ssf/a.tsv.gz"
    with pytest.raises(UserError, match="fewer than 100000"):
        validate_ssf.main(path)
    table = pl.read_csv(text(path), separator="\t", infer_schema=False)
    table.select(pl.col("beta"), pl.exclude("beta")).write_csv(tmp_path / "x.tsv", separator="\t")
    with pytest.raises(UserError, match="column 1 is beta, expected chromosome"):
        validate_ssf.main(tmp_path / "x.tsv", check_metadata=False)


@pytest.mark.parametrize("x", [0.0, 0.3, 1.0, 7.301, 299.9, 3.0000001, 400.25, 12345.678])
def test_no_p_is_written_as_zero(x):
    text = pl.DataFrame({"neg_log10_p": [x]}).select(formats.p_text()).item()
    mantissa, exponent = text.split("e-")
    assert 1 <= float(mantissa) < 10
    assert math.log10(float(mantissa)) - int(exponent) == pytest.approx(-x, abs=1e-4)


def table_of(**columns):
    """Rows of formats.statistics; what is not given is alike in all."""
    whole = {
        "contig": "1",
        "position": 1,
        "ref": "A",
        "alt": "G",
        "rsid": None,
        "af": 0.3,
        "info": None,
        "n": 100,
        "ref_checked": False,
    }
    whole |= {"beta": 0.1234567891234, "se": 0.1, "t": 1.2, "neg_log10_p": 0.6} | columns
    return pl.DataFrame(whole, schema_overrides={"info": pl.Float64, "rsid": pl.String})


def written_as(name, table, tmp_path):
    path = tmp_path / name
    formats.write(iter([table]), {path: formats.FORMATS[name]}, False)
    return text(path).decode().splitlines()


def test_ldsc_gets_what_munge_sumstats_would_keep(tmp_path):
    """SNPs named once whose alleles tell the strand: no indel, no A/T or C/G."""
    names, alleles = ["rs1", "rs2", "rs3", "rs4", "rs4", "rs5", "."], ["AG", "AT", "CG", "AC", "AG", "A+", "AG"]
    alt = [pair[1].replace("+", "AC") for pair in alleles]
    made = table_of(rsid=names, ref=[pair[0] for pair in alleles], alt=alt, position=list(range(7)))
    assert [line.split("\t")[:3] for line in written_as("ldsc", made, tmp_path)[1:]] == [
        ["rs1", "G", "A"],
        ["rs4", "C", "A"],
    ]


def test_ldsc_gets_well_imputed_common_variants_as_munge_sumstats_keeps(tmp_path):
    """--info-min 0.9 (kept at the limit) and --maf-min 0.01 (lost at the limit); calls have no INFO and stay."""
    info, af = [0.9, 0.89, None, 1.0, 1.0, 1.0], [0.3, 0.3, 0.3, 0.01, 0.98, 0.995]
    made = table_of(rsid=[f"rs{i}" for i in range(6)], info=info, af=af, position=list(range(6)))
    assert [line.split("\t")[0] for line in written_as("ldsc", made, tmp_path)[1:]] == ["rs0", "rs2", "rs4"]


def test_the_minor_allele_limit_is_that_of_the_lines_written(tmp_path):
    made = table_of(af=[0.3, 0.97, 0.001, 0.002], t=[1.0, 1.0, None, 1.0], alt=["G", "G", "G", "*"])
    done = formats.write(iter([made]), {tmp_path / "a": formats.FORMATS["gwas-ssf"]}, False)
    assert done.min_maf == pytest.approx(0.03)
    assert done.lines == {tmp_path / "a": 2}


def test_variants_without_a_name_are_named_by_place_and_alleles(tmp_path):
    lines = written_as("regenie", table_of(rsid=[".", None, "rs7"]), tmp_path)
    assert [line.split(" ")[2] for line in lines[1:]] == ["1:1:A:G", "1:1:A:G", "rs7"]


def test_digits_beyond_those_of_the_statistics_are_not_written(tmp_path):
    row = dict(
        zip(*(line.split("\t") for line in written_as("gwas-ssf", table_of(rsid=["rs1"]), tmp_path)), strict=True)
    )
    assert row["beta"] == "0.1234568"


def test_the_reference_allele_is_named_where_a_fasta_told_it(written, tmp_path):
    folder, parts = written
    table = pl.read_parquet(folder / "variants.parquet")
    assert read(folder / "exports/gwas-ssf/a.tsv.gz")["ref_allele"].null_count() > 0
    known = pl.col("position") % 80_000 == 1
    table.with_columns(ref_checked=known).write_parquet(folder / "variants.parquet")
    paths = files(folder, "variants", "covariates", "manifest")
    formats.main(parts, folder / "per-trait.parquet", *paths, WANTED, "toy", tmp_path / "again")
    path = tmp_path / "again/gwas-ssf/a.tsv.gz"
    validate_ssf.main(path, min_rows=100)
    found = read(path)
    expected = pl.when(pl.col("base_pair_location") % 80_000 == 1).then(pl.lit("OA"))
    assert found["ref_allele"].equals(found.select(expected).to_series(), check_names=False)
    broken = found.with_columns(ref_allele=pl.lit("A")).fill_null("#NA")
    broken.write_csv(tmp_path / "broken.tsv", separator="\t", null_value="#NA")
    with pytest.raises(UserError, match="ref_allele is EA, OA or #NA"):
        validate_ssf.main(tmp_path / "broken.tsv", min_rows=100, check_metadata=False)
    table[1:].write_parquet(folder / "variants.parquet")
    with pytest.raises(UserError, match="row by row"):
        formats.main(parts, folder / "per-trait.parquet", *paths, WANTED, "toy", tmp_path / "less")


def test_traits_of_any_name_become_files(study):  # noqa: F811
    traits = pl.read_parquet(study / "traits.parquet").rename({"a": "QT/RR (ms)"})
    traits.write_parquet(study / "traits.parquet")
    table = pl.read_parquet(study / "variants.parquet").with_columns(af=pl.lit(0.2), info=pl.lit(None, pl.Float64))
    table.write_parquet(study / "variants.parquet")
    part, paths = run_scan(study, Gwas()), files(study, "variants", "covariates", "manifest")
    wanted = Exports(formats=[*NAMES, "ldsc"])  # one named twice is written once
    formats.main([part], study / "per-trait.parquet", *paths, wanted, "toy", study / "exports")
    folder = study / "exports"
    assert validate_ssf.faults(folder / "gwas-ssf/QT_RR__ms_.tsv.gz", 100) == []
    about = yaml.safe_load((folder / "gwas-ssf/QT_RR__ms_.tsv.gz-meta.yaml").read_text())
    assert about["trait_description"] == ["QT/RR (ms)"]
    listed = json.loads((folder / "pheweb/pheno-list.json").read_text())
    assert [entry["phenocode"] for entry in listed] == ["QT_RR__ms_", "b", "c"]
    assert listed[0]["phenostring"] == "QT/RR (ms)"
    assert all((folder / "pheweb" / entry["assoc_files"][0]).is_file() for entry in listed)
    with pytest.raises(UserError, match="'b b' and 'b/b'"):
        formats.file_names(["b b", "b/b"])


@pytest.mark.parametrize(
    ("content", "meta", "words"),
    [
        (b"", None, "cannot be read"),
        (b"chromosome\tbase_pair_location\n1\t2\t3\n", None, "cannot be read"),
        (None, "- a list", "not keys and values"),
        (None, "a: [", "not YAML"),
        (None, "", "not keys and values"),
    ],
)
def test_a_broken_file_is_a_finding_not_a_crash(written, tmp_path, content, meta, words):
    whole = (written[0] / "exports/gwas-ssf/a.tsv.gz").read_bytes()
    path = tmp_path / ("x.tsv" if content is not None else "x.tsv.gz")
    path.write_bytes(whole if content is None else content)
    if meta is not None:
        path.with_name(f"{path.name}-meta.yaml").write_text(meta)
    with pytest.raises(UserError, match=words):
        validate_ssf.main(path, min_rows=100, check_metadata=meta is not None)
