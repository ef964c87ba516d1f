"""Laws of masks: what is absent or dropped is never seen, what is hidden and recorded is always to be predicted."""

import numpy as np
import pytest

from ecgwas.pretrain import masks

N_STRIP, N = 24, 40


def random_presence(rng: np.random.Generator, n: int) -> np.ndarray:
    present = rng.random((n, N)) < 0.9
    present[: n // 8, N_STRIP:] = False  # no median beat
    return present


@pytest.mark.parametrize("drop_view", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("mask", [0.0, 0.5, 0.9])
def test_tokens_are_seen_or_hidden_and_absent_ones_neither(mask, drop_view):
    rng = np.random.default_rng([3])
    present = random_presence(rng, 64)
    groups = masks.draw(present, N_STRIP, mask, drop_view, rng)
    assert sorted(np.concatenate([g.rows for g in groups])) == list(range(64))
    for g in groups:
        assert np.take_along_axis(present[g.rows], g.kept, 1).all()
        both = np.sort(np.concatenate([g.kept, g.hidden], 1), 1)
        assert (both == np.arange(N)).all()
        assert np.array_equal(g.weight > 0, np.take_along_axis(present[g.rows], g.hidden, 1))


def test_share_of_recordings_with_one_view_and_share_hidden():
    groups = masks.draw(np.ones((64, N), bool), N_STRIP, 0.5, 0.5, np.random.default_rng([0]))
    kinds = {(bool((g.kept < N_STRIP).any()), bool((g.kept >= N_STRIP).any())): g for g in groups}
    assert {kind: len(g.rows) for kind, g in kinds.items()} == {(True, True): 32, (True, False): 16, (False, True): 16}
    assert {kind: g.kept.shape[1] for kind, g in kinds.items()} == {
        (True, True): 20,
        (True, False): 12,
        (False, True): 8,
    }


def test_masks_depend_on_the_generator_alone():
    present = np.ones((16, N), bool)
    a, b, c = (masks.draw(present, N_STRIP, 0.5, 0.5, np.random.default_rng([1, step])) for step in (0, 0, 1))
    assert all(np.array_equal(x.kept, y.kept) for x, y in zip(a, b, strict=True))
    assert not all(np.array_equal(x.kept, y.kept) for x, y in zip(a, c, strict=True))
