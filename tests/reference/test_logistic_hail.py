"""0/1 outcomes: score, Wald, likelihood-ratio and Firth tests, ours and Hail's, are one answer."""

import numpy as np
import pytest
from scipy import special

from ecgwas.config import Gwas
from ecgwas.gwas import crosscheck_binary, inputs
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
    return g, inputs.People(y, c, ["common", "rare"], np.arange(n), binary=True)


@pytest.fixture(scope="module")
def by_hail(data):
    from ecgwas.gwas import engine_hail

    g, people = data
    with hail_session(threads=2, memory_gb=1.5):
        return engine_hail.logistic(g, people.y, people.c, ["score", "wald", "lrt", "firth"])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-5), ("float32", 1e-3)])
def test_every_test_is_hails(data, by_hail, dtype, tolerance):
    g, people = data
    apart = crosscheck_binary.differences(crosscheck_binary.ours(g, people, Gwas(dtype=dtype)), by_hail)
    assert set(apart) >= {"beta_difference", "se_difference", "score_difference", "lrt_difference", "firth_difference"}
    for name, value in apart.items():
        assert value.max() < tolerance, name
    assert np.isfinite(by_hail["firth_chi_sq_stat"]).all()
    assert np.isfinite(by_hail["wald_beta"]).sum() >= 14
