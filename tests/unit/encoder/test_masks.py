"""Laws of masks: what is absent is never seen, what is predicted is there and hidden, all by its own seed."""

import numpy as np
import pytest

from ecgwas.encoder import masks

VIEW = np.repeat([0, 1, 2, 3], [24, 16, 4, 1])
PLACE = np.concatenate([np.tile(np.arange(6), 4), np.tile(np.arange(4), 4), np.zeros(5, int)])
GRID, N = (VIEW, PLACE), 45


def draw(there, seen=None, mask=0.5, drop_view=0.5, targets=12, key=(1, 0), slots=None):
    seen = there if seen is None else seen
    slots = np.arange(len(there)) if slots is None else slots
    return masks.draw(there, seen, GRID, mask, drop_view, targets, list(key), slots)


def random_presence(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([3])
    there = rng.random((n, N)) < 0.9
    there[: n // 8, VIEW == 1] = False  # no median beat
    return there, there & (rng.random((n, N)) < 0.7)


@pytest.mark.parametrize("drop_view", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("mask", [0.0, 0.5, 0.9])
def test_only_seen_tokens_are_kept_and_only_hidden_ones_that_are_there_predicted(mask, drop_view):
    there, seen = random_presence(64)
    groups = draw(there, seen, mask, drop_view)
    assert sorted(np.concatenate([g.rows for g in groups])) == list(range(64))
    for g in groups:
        assert np.take_along_axis(seen[g.rows], g.kept, 1).all()
        for row, kept, hidden, weight in zip(g.rows, g.kept, g.hidden, g.weight, strict=True):
            targets = hidden[weight > 0]
            assert len(set(targets)) == len(targets) <= 12
            assert there[row, targets].all()
            assert (VIEW[targets] < 2).all()
            assert not set(targets) & set(kept)


def test_leads_that_the_student_lacks_are_predicted_too():
    there, seen = np.ones((32, N), bool), np.ones((32, N), bool)
    seen[:, 6:24] = False
    hidden = [set(h[w > 0]) for g in draw(there, seen, targets=40) for h, w in zip(g.hidden, g.weight, strict=True)]
    assert sum(len(h & set(range(6, 24))) for h in hidden) > 12 * 32


@pytest.mark.parametrize(("mask", "seen"), [(0.25, 32), (0.75, 11)])
def test_a_share_of_the_tokens_is_hidden_and_the_rest_seen(mask, seen):
    groups = draw(np.ones((64, N), bool), mask=mask, drop_view=0.0)
    assert {g.kept.shape[1] for g in groups} == {seen}


def test_share_of_recordings_with_one_view_and_share_hidden():
    n = 2000
    groups = draw(np.ones((n, N), bool), mask=0.5, drop_view=0.4)
    views = {int(r): set(VIEW[k]) - {2, 3} for g in groups for r, k in zip(g.rows, g.kept, strict=True)}
    one = sum(len(v) == 1 for v in views.values()) / n
    assert abs(one - 0.4) < 0.04
    strip_alone = sum(v == {0} for v in views.values()) / n
    assert abs(strip_alone - 0.2) < 0.04
    full = [g.kept.shape[1] for g in groups if any(len(views[int(r)]) == 2 for r in g.rows)]
    assert max(full) == masks.rounded(0.5 * N) == 16


def test_the_rate_goes_with_the_beat():
    for g in draw(np.ones((50, N), bool), mask=0.0, drop_view=1.0):
        for kept in g.kept:
            # 16 of the 20 beat, size and rate tokens are kept, 24 of the 28 strip and size tokens
            assert not ({0, 3} <= set(VIEW[kept]))
            assert not ({0, 1} <= set(VIEW[kept]))


def test_a_recording_hides_the_same_in_any_batch():
    there, seen = random_presence(16)
    whole = {}
    for g in draw(there, seen):
        for r, k, h, w in zip(g.rows, g.kept, g.hidden, g.weight, strict=True):
            whole[int(r)] = k, h[w > 0]
    for part in (np.arange(0, 5), np.arange(5, 16)):
        for g in draw(there[part], seen[part], slots=part):
            for r, k, h, w in zip(g.rows, g.kept, g.hidden, g.weight, strict=True):
                kept, hidden = whole[int(part[r])]
                assert np.array_equal(k, kept)
                assert np.array_equal(h[w > 0], hidden)
    other = draw(there, seen, key=(1, 1))
    assert not all(np.array_equal(k, whole[int(r)][0]) for g in other for r, k in zip(g.rows, g.kept, strict=True))


def test_half_of_the_recordings_hide_the_same_times_in_all_leads():
    groups = draw(np.ones((400, N), bool), mask=0.5, drop_view=0.0)
    same = 0
    for g in groups:
        for kept in g.kept:
            strip = kept[VIEW[kept] == 0]
            times = [frozenset(PLACE[strip[strip // 6 == lead]]) for lead in range(4)]
            same += len({t for t in times if t}) <= 2  # the last time kept may be cut
    assert 150 < same < 250


def test_a_recording_without_anything_is_in_no_group():
    there = np.ones((3, N), bool)
    there[1] = False
    assert sorted(np.concatenate([g.rows for g in draw(there)])) == [0, 2]
