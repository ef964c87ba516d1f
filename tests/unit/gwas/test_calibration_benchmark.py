"""A small run of the calibration benchmark: families inflate plain least squares and not step 1 + 2."""

import numpy as np
from benchmarks import calibration


def test_genes_drop_as_they_should():
    rng = np.random.default_rng(0)
    cohort = calibration.simulate("sibships", 600, 40, rng)
    z = calibration.standardised(cohort.g - _means(cohort))
    r = z.T @ z / len(z)
    same = (cohort.family[:, None] == cohort.family) & ~np.eye(len(r), dtype=bool)
    strangers = cohort.population[:, None] != cohort.population
    # Within families, less the population's mean: siblings share half.
    assert abs(r[same].mean() - 0.5) < 0.05
    assert abs(r[strangers].mean()) < 0.02
    assert set(np.bincount(cohort.family)) <= {3, 4, 5}


def _means(cohort):
    """[variant, person] mean count of each person's population."""
    means = np.stack([cohort.g[:, cohort.population == k].mean(1) for k in range(calibration.POPULATIONS)], axis=1)
    return means[:, cohort.population]


def test_sibships_inflate_least_squares_and_not_step_one():
    told = calibration.calibration("sibships", 800, 60, 24, 1)
    ols, step1 = told["type1_ols_sibships_1e3"], told["type1_step1_sibships_1e3"]
    assert not ols["ok"]
    assert ols["rate"] > 3e-3
    assert step1["ok"]
    assert step1["rate"] < 0.5 * ols["rate"]


def test_the_jackknife_is_the_standard_error_of_independent_tests():
    hits = np.random.default_rng(1).binomial(2000, 1e-3, (11, 128)) / 2000
    expected = np.sqrt(1e-3 / (2000 * 11 * 128))
    assert expected < calibration.jackknife(hits) < 2.2 * expected
