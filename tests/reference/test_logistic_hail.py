"""0/1 outcomes: score, Wald, likelihood-ratio and Firth tests, ours and Hail's, are one answer."""

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import special
from tests.unit.gwas.test_torch_logistic import N, arrays, filled, run, study  # noqa: F401 (a fixture)

from ecgwas.associations import scan_statistics
from ecgwas.associations.analysed import People
from ecgwas.config import Gwas
from ecgwas.gwas import crosscheck_binary, scan_binary, trait_groups
from ecgwas.gwas.engines import torch_logistic
from ecgwas.hail_session import hail_session

pytestmark = pytest.mark.hail

AF = np.array([0.005, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.995])


@pytest.fixture(scope="module")
def data():
    """Dosages [V, n] with missing calls, covariates correlated with them, two outcomes: one common, one of 3 % cases
    with a third of the people unknown."""
    rng = np.random.default_rng(11)
    n = 900
    g = rng.binomial(2, AF[:, None], (len(AF), n)).astype(float)
    c = rng.normal(size=(n, 2)) + 0.5 * g[[3, 5]].T
    eta = np.column_stack([-0.5 + 0.4 * g[2] + c @ [0.3, -0.2], -3.6 + 0.8 * g[4] + 0.3 * c[:, 0]])
    y = (rng.random((n, 2)) < special.expit(eta)).astype(float)
    y[rng.random(n) < 0.3, 1] = np.nan
    g[::2] = np.clip(g[::2] + rng.uniform(-0.1, 0.1, g[::2].shape), 0, 2)
    g[rng.random(g.shape) < 0.01] = np.nan
    return g, People(y, c, ["common", "rare"], np.arange(n), binary=True)


TESTS = ["score", "wald", "lrt", "firth"]


@pytest.fixture(scope="module")
def from_hail(data):
    """What Hail finds, and what engine `hail` makes of it for each test."""
    from ecgwas.gwas.engines import hail_regression

    g, people = data
    with hail_session(threads=2, memory_gb=1.5):
        raw = hail_regression.logistic(g, people.y, people.c, TESTS)
        made = trait_groups.build(people.y, people.c, axes=False)
        wanted = {test: Gwas(engine="hail", hail_test=test) for test in TESTS}
        return raw, {test: scan_binary.tester(people, "", made, wanted[test])(g) for test in TESTS}


@pytest.fixture(scope="module")
def by_hail(from_hail):
    return from_hail[0]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-5), ("float32", 1e-3)])
def test_every_test_is_hails(data, by_hail, dtype, tolerance):
    g, people = data
    apart = crosscheck_binary.differences(crosscheck_binary.ours(g, people, Gwas(dtype=dtype)), by_hail)
    assert set(apart) >= {"beta_difference", "se_difference", "score_difference", "lrt_difference", "firth_difference"}
    for name, value in apart.items():
        assert value.max() < tolerance, name
    assert np.isfinite(by_hail["firth_chi_sq_stat"]).all()
    assert np.isfinite(by_hail["wald_beta"]).sum() >= 14


@pytest.mark.parametrize("test", TESTS)
def test_the_scan_by_hail_has_its_chi_square_and_a_beta_and_error_that_agree(data, from_hail, test):
    raw, found = from_hail[0], from_hail[1][test]
    good = found.test == scan_statistics.TESTS.index(test)
    assert good.sum() >= 14
    assert np.isin(found.test, [scan_statistics.TESTS.index(test), torch_logistic.FAILED]).all()
    assert np.isnan(found.z[~good]).all()
    z, v = found.z[good], found.v[good]
    if test == "wald":
        np.testing.assert_allclose(z / np.sqrt(v), raw["wald_beta"][good], rtol=1e-9)
        np.testing.assert_allclose(1 / np.sqrt(v), raw["wald_standard_error"][good], rtol=1e-9)
        return
    np.testing.assert_allclose(z**2, raw[f"{test}_chi_sq_stat"][good], rtol=1e-9)
    if test == "score":
        g, people = data
        ours = scan_binary.tester(
            people, "", trait_groups.build(people.y, people.c, axes=False), Gwas(correction="none")
        )(g)
        np.testing.assert_allclose(z, ours.z[good], atol=1e-3)
    else:
        np.testing.assert_allclose(z / np.sqrt(v), raw[f"{test}_beta"][good], rtol=1e-6)


def test_outcomes_go_through_the_scan_by_hail_with_predictions_as_covariates(study):  # noqa: F811
    rng = np.random.default_rng(5)
    order, traits = pl.read_parquet(study / "traits.parquet")["person_id"].to_list(), ["hf", "mi", "dead"]
    predicted = {contig: rng.normal(0.3, 0.1, (N, 3)) for contig in "12"}
    pieces = [pl.DataFrame(p, schema=traits).with_columns(contig=pl.lit(k)) for k, p in predicted.items()]
    pl.concat(pieces).select("contig", *traits).write_parquet(study / "loco.parquet")
    found = run(study, loco=study / "loco.parquet", engine="hail", hail_test="wald", block=120)
    y, x, g = arrays(study)
    assert order[0] == f"s{N - 1}"
    beta, se = scan_statistics.effects(found.t, found.gg(), found.yy(np.arange(240)), found.df)
    for j, t in ((40, 0), (150, 2)):
        seen, own = np.isfinite(y[:, t]), predicted["1" if j < 120 else "2"][::-1][:, t]
        design = np.column_stack([x[seen], own[seen], filled(g[j, seen])])
        theirs = sm.Logit(y[seen, t], design).fit(disp=0, tol=1e-12)
        np.testing.assert_allclose([beta[j, t], se[j, t]], [theirs.params[-1], theirs.bse[-1]], rtol=1e-4)
    assert np.isnan(found.t[7]).all()
    assert (found.variants["test:hf"].to_numpy()[np.arange(240) != 7] == scan_statistics.TESTS.index("wald")).all()
