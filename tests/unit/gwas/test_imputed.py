"""Imputed dosages through every format: the law of benchmarks/imputed.py at a small size."""

import polars as pl
import pytest
from benchmarks import imputed

from ecgwas.config import Genotypes
from ecgwas.files import write_json
from ecgwas.genotypes import qc_main, results
from ecgwas.genotypes.cohort import Cohort, quality_control


def without_hail(folder, source, data):
    """The genotypes stage but for Hail's part."""
    people = pl.DataFrame({"sample_id": data.ids, "person_id": data.ids}).with_row_index("index")
    people = people.with_columns(pl.col("index").cast(pl.Int32), sex_reported=pl.lit("female"))
    people = people.with_columns(has_ecg=True, withdrawn=False)
    files = qc_main.open_source(source, folder / "converted", 1)
    cohort = Cohort(files, people, None, Genotypes(pcs=4), source)
    related = quality_control(cohort)
    results.variant_table(cohort).write_parquet(folder / "variants.parquet")
    results.sample_table(cohort, related).write_parquet(folder / "samples.parquet")
    results.excluded_table(cohort, related).write_parquet(folder / "excluded.parquet")
    write_json(cohort.manifest(), folder / "manifest.json")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    data = imputed.simulate(400, 160, 4, 1)
    return imputed.law(data, tmp_path_factory.mktemp("imputed"), "float64", 40, without_hail)


@pytest.mark.parametrize("name", imputed.FORMATS)
def test_every_format_is_statsmodels_on_its_own_dosages(found, name):
    assert found[f"{name}_vs_statsmodels_se"] < 1e-5
    assert found[f"{name}_se_ratio"] < 1e-5
    assert found[f"{name}_within_step"]
    assert abs(found[f"{name}_slope"] - 1) < max(0.03, 4 * found[f"{name}_slope_se"])


@pytest.mark.parametrize("name", imputed.FORMATS[:3])
def test_formats_differ_by_their_rounding_alone(found, name):
    assert found[f"{name}_vs_pgen_of_bound"] < 1


def test_what_leaves_has_its_reason_in_every_format(found):
    for name in imputed.FORMATS:
        assert found[f"{name}_excluded info"] >= imputed.N_PLANTED
        assert f"{name}_excluded hwe" not in found  # dosages are not tested
    for name in ("vcf-ds", "vcf-gp"):
        for reason in imputed.PLANTED.values():
            assert found[f"{name}_excluded {reason}"] == imputed.N_PLANTED
