"""Laws of the probes: scikit-learn's optimum, the validation split alone selects, unlabelled rows count nothing."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ecgwas.predict.methods import probe
from ecgwas.stats import ridge


def auroc(y: np.ndarray, s: np.ndarray) -> float:
    gaps = s[y == 1][:, None] - s[y == 0]
    return float(((gaps > 0) + 0.5 * (gaps == 0)).mean())


def people(seed: int, n: int = 300, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of unequal centres and scales, and labels that two of their axes tell."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, width)) * np.geomspace(0.1, 10, width) + rng.normal(0, 5, width)
    z = (x - x.mean(0)) / x.std(0)
    return x, (z[:, 0] - z[:, 1] + rng.standard_normal(n) > 0.3).astype(float)


@pytest.mark.parametrize("penalty", probe.PENALTIES[[0, 3, 5, 8]])
@pytest.mark.parametrize("scale", list(probe.SCALES))
def test_a_probe_is_the_optimum_of_scikit_learn(penalty: float, scale: str) -> None:
    """As a map of raw embeddings, standardisation folded in."""
    x, y = people(1)
    fits = probe.fit_scaled(x, y, scale, ridge.logistic)
    (found,) = [one for one in fits if one.penalty == penalty]
    z = probe.scaled(x, *probe.SCALES[scale](x))
    expected = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(z, y)
    np.testing.assert_allclose(found.logits(x), expected.decision_function(z), atol=2e-3)


def test_few_recordings_in_many_dimensions_have_the_same_optimum() -> None:
    x, y = people(2, n=20, width=40)
    z = probe.scaled(x, *probe.spread(x))
    expected = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(z, y).decision_function(z)
    fits = {one.penalty: one for one in probe.fit_scaled(x, y, "standardised", lambda x, y, _: ridge.logistic(x, y, 1))}
    np.testing.assert_allclose(next(iter(fits.values())).logits(x), expected, atol=1e-3)


def test_separable_labels_do_not_break_the_probe() -> None:
    x = np.vstack([np.eye(5), -np.eye(5)])
    y = np.r_[np.ones(5), np.zeros(5)]
    weights = ridge.logistic(x, y, 1e-2)
    assert np.isfinite(weights).all()
    assert auroc(y, weights[0] + x @ weights[1:]) == 1


def test_those_who_choose_decide_and_unknown_labels_count_nothing() -> None:
    """The chosen fit has the least loss of all; recordings without a label or an embedding change no number."""
    x, y = people(3)
    train, validation = np.arange(200), np.arange(200, 300)
    found = probe.fit(x[train], y[train], x[validation], y[validation])
    fits = [one for name in probe.SCALES for one in probe.fit_scaled(x[train], y[train], name, ridge.logistic)]
    losses = [probe.log_loss(one.logits(x[validation]), y[validation]) / 100 for one in fits]
    assert found.loss == pytest.approx(min(losses))
    assert len({round(loss, 6) for loss in losses}) > 2
    more_x, more_y = np.vstack([x, x + 7, np.full_like(x, np.nan)]), np.r_[y, np.full(300, np.nan), y]
    rows = np.r_[train, train + 300, train + 600]
    again = probe.fit(more_x[rows], more_y[rows], more_x[validation], more_y[validation])
    np.testing.assert_array_equal(again.weight, found.weight)
    nobody = probe.fit(x[train], y[train], x[:0], y[:0])
    assert (nobody.scale, nobody.penalty) == ("standardised", probe.DEFAULT_PENALTY)
    assert np.isnan(nobody.loss)


def test_few_labels_are_not_lost_in_noisy_components() -> None:
    """One strong column that tells, many weak ones that do not: their own scale finds it, unit variance does not."""
    rng = np.random.default_rng(12)
    x = rng.standard_normal((400, 60)) * np.r_[20.0, np.ones(59)]
    y = (x[:, 0] > 0).astype(float)
    found = probe.fit(x[:15], y[:15], x[100:200], y[100:200])
    assert found.scale == "one"
    assert auroc(y[200:], found.logits(x[200:])) > 0.95


def test_constant_columns_have_no_weight() -> None:
    x, y = people(4)
    x[:, 3] = 2.5
    found = probe.fit(x[:200], y[:200], x[200:], y[200:])
    assert np.isfinite(found.weight).all()
    (standardised, *_) = probe.fit_scaled(x, y, "standardised", ridge.logistic)
    assert standardised.weight[3] == 0
