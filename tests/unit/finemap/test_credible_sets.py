"""Credible sets from posteriors."""

import numpy as np

from ecgwas.finemap.credible_sets import credible_sets, purity, smallest_set


def test_smallest_set():
    assert smallest_set(np.array([0.1, 0.6, 0.3]), 0.85).tolist() == [1, 2]
    assert smallest_set(np.array([0.1, 0.6, 0.3]), 0.95).tolist() == [0, 1, 2]
    assert smallest_set(np.full(4, 0.25), 0.4).tolist() == [0, 1]  # ties go to the first


def test_purity():
    R = np.array([[1, -0.9, 0.5], [-0.9, 1, 0.1], [0.5, 0.1, 1]])
    assert purity(np.array([2]), R) == (1, 1)
    smallest, mean = purity(np.array([0, 1, 2]), R)
    assert (smallest, round(mean, 6)) == (0.1, 0.5)


def test_sets_are_pure_distinct_and_sorted_by_evidence():
    R = np.eye(6)
    R[0, 1] = R[1, 0] = 0.8
    alpha = np.array(
        [
            [0.5, 0.5, 0, 0, 0, 0],  # pure
            [0.5, 0.5, 0, 0, 0, 0],  # the same again
            [0, 0, 0.5, 0.5, 0, 0],  # impure
            [0, 0, 0, 0, 0, 1.0],  # strongest
            [0, 0, 0, 0, 1.0, 0],  # without prior variance
        ]
    )
    found = credible_sets(alpha, np.array([1, 1, 1, 1, 0]), np.array([5.0, 4, 9, 20, 30]), R)
    assert [one.variants.tolist() for one in found] == [[5], [0, 1]]
    assert [one.lead for one in found] == [5, 0]
    assert found[1].coverage == 1
    assert found[1].min_abs_corr == 0.8
