"""Imputed dosages through every format: the law of benchmarks/imputed.py at a small size."""

import pytest
from benchmarks import imputed


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    data = imputed.simulate(400, 160, 4, 1)
    return imputed.law(data, tmp_path_factory.mktemp("imputed"), 40, imputed.without_hail)


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
