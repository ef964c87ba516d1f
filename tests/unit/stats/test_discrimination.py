"""AUROC and average precision are scikit-learn's to the last bit; weights are copies."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from ecgwas.stats import discrimination


def drawn(seed, n=300, k=1):
    """Labels and scores [n, k], rounded in some draws so that there are ties."""
    rng = np.random.default_rng(seed)
    while True:
        y = (rng.random((n, k)) < rng.uniform(0.02, 0.9, k)).astype(int)
        if ((y.sum(0) > 0) & (y.sum(0) < n)).all():
            break
    s = rng.normal(size=(n, k)) + y
    s = s if seed % 3 else np.round(s, int(rng.integers(0, 2)))
    return y, s.astype(np.float32) if seed % 5 == 0 else s


def test_auroc_and_average_precision_are_those_of_scikit_learn_to_the_last_bit():
    for seed in range(300):
        y, s = drawn(seed, n=5 + 3 * seed)
        assert discrimination.auroc(y[:, 0], s[:, 0]) == roc_auc_score(y[:, 0], s[:, 0])
        assert discrimination.auprc(y[:, 0], s[:, 0]) == average_precision_score(y[:, 0], s[:, 0])


def test_macro_values_are_those_of_scikit_learn_to_the_last_bit():
    for seed in range(60):
        y, s = drawn(seed, n=200, k=7)
        assert discrimination.macro_auroc(y, s) == roc_auc_score(y, s, average="macro")
        assert discrimination.macro_auprc(y, s) == average_precision_score(y, s, average="macro")


def test_weights_give_what_copies_of_the_recordings_give():
    rng = np.random.default_rng(0)
    for seed in range(40):
        y, s = drawn(seed, n=60, k=2)
        w = rng.integers(0, 4, (5, 60)).astype(np.int16)
        by_weight = discrimination.macro_auroc(y, s, w), discrimination.macro_auprc(y, s, w)
        for b, counts in enumerate(w):
            rows = np.repeat(np.arange(60), counts)
            copies = y[rows], s[rows]
            assert by_weight[0][b] == pytest.approx(discrimination.macro_auroc(*copies), abs=1e-12, nan_ok=True)
            assert by_weight[1][b] == pytest.approx(discrimination.macro_auprc(*copies), abs=1e-12, nan_ok=True)


def test_without_weights_and_with_weights_of_one_are_the_same():
    y, s = drawn(3)
    ones = np.ones((1, len(y)))
    assert discrimination.auroc(y[:, 0], s[:, 0], ones)[0] == pytest.approx(
        discrimination.auroc(y[:, 0], s[:, 0]), abs=1e-13
    )


def test_rising_transforms_permutations_and_copies_change_nothing():
    y, s = drawn(1)
    y, s = y[:, 0], s[:, 0]
    order = np.random.default_rng(2).permutation(len(y))
    for measure in (discrimination.auroc, discrimination.auprc):
        value = measure(y, s)
        assert measure(y, np.exp(3 * s) + 7) == value
        assert measure(y[order], s[order]) == value
        assert measure(np.tile(y, 3), np.tile(s, 3)) == pytest.approx(value, abs=1e-13)
    assert discrimination.auroc(1 - y, s) == pytest.approx(1 - discrimination.auroc(y, s), abs=1e-13)


def test_ties_count_half_and_one_class_is_not_estimable():
    assert discrimination.auroc(np.array([0, 1, 0, 1]), np.zeros(4)) == 0.5
    assert discrimination.auroc(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])) == 3.5 / 4
    for y in (np.zeros(5), np.ones(5)):
        assert np.isnan(discrimination.auroc(y, np.arange(5)))
        assert np.isnan(discrimination.auprc(y, np.arange(5)))
        assert np.isnan(discrimination.auroc(y, np.arange(5), np.ones((2, 5)))).all()


def test_macro_leaves_out_what_is_not_estimable():
    assert discrimination.macro(np.array([0.5, np.nan, 0.9])) == 0.7
    assert np.isnan(discrimination.macro(np.array([np.nan])))
    assert discrimination.macro(np.array([[0.5, np.nan], [0.5, 1.0]])).tolist() == [0.5, 0.75]
