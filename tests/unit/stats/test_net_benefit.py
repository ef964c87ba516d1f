"""Net benefit against its definition, and what acting on all, on nobody and by a perfect risk is worth."""

import numpy as np
import pytest

from ecgwas.stats import bootstrap, net_benefit


def drawn(n=400, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, n)
    return (rng.random(n) < p).astype(int), p


def test_net_benefit_is_its_definition_with_and_without_weights():
    y, p = drawn()
    p[:10] = 0.2  # at a threshold: one acts
    w = np.random.default_rng(1).integers(0, 3, (4, 400))
    made = net_benefit.benefits(y, p, w)
    for b in range(4):
        for j in (0, 9, 19, 49):
            t = net_benefit.RISKS[j]
            true, false = (w[b] * ((p >= t) & (y == kind)).astype(int) for kind in (1, 0))
            n = w[b].sum()
            assert made[0, b, j] == pytest.approx(true.sum() / n - false.sum() / n * t / (1 - t))
            share = (w[b] * y).sum() / n
            assert made[1, b, j] == pytest.approx(share - (1 - share) * t / (1 - t))


def test_thresholds_are_one_to_fifty_percent():
    assert net_benefit.RISKS[[0, -1]].tolist() == [0.01, 0.5]
    assert len(net_benefit.RISKS) == 50


def test_a_perfect_risk_is_worth_the_prevalence_and_everyone_called_is_treat_all():
    y, _ = drawn()
    ones = np.ones((1, len(y)))
    assert net_benefit.benefits(y, y.astype(float), ones)[0, 0] == pytest.approx(np.full(50, y.mean()))
    everyone = net_benefit.benefits(y, np.ones(len(y)), ones)
    assert everyone[0] == pytest.approx(everyone[1])
    assert not net_benefit.benefits(y, np.zeros(len(y)), ones)[0].any()


def test_true_risks_never_do_worse_than_all_or_nobody():
    y, p = drawn(20_000, 2)
    draws = bootstrap.draw(np.arange(len(y)), y[:, None].astype(float), 50, 1)
    made = net_benefit.curve(y, p, np.arange(len(y)), draws)
    assert (made.advantage[0] > -0.003).all()
    assert (made.benefit[1] <= made.benefit[0]).all()
    assert (made.benefit[0] <= made.benefit[2]).all()
    better = np.maximum(made.treat_all[0], 0)
    assert made.advantage[0] == pytest.approx(made.benefit[0] - better)
