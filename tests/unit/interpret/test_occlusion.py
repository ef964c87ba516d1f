"""Occlusion: a straight line between the segment's ends, in both views; leads stay what their sums say."""

import numpy as np
import pytest
import torch
from tests.unit.interpret.conftest import CHANNELS

from ecgwas.interpret.predictors.occlusion import bridged, changes, copies, occluded, single
from ecgwas.interpret.predictors.segments import SEGMENTS


def cell(lead, segment):
    return np.flatnonzero(np.eye(12)[CHANNELS.index(lead)].repeat(6) * np.tile(np.eye(6)[SEGMENTS.index(segment)], 12))


def einthoven(x):
    """Largest departure of [C, 12, samples] from the sums of limb leads."""
    one, two, three, right, left, foot = x[:, :6].transpose(1, 0, 2)
    rest = [two - one - three, right + (one + two) / 2, left - one + two / 2, foot - two + one / 2]
    return np.abs(rest).max()


def test_a_line_between_neighbours():
    x = np.array([0, 1, 9, 9, 9, 5, np.nan])
    hidden = np.array([0, 0, 1, 1, 1, 0, 1], bool)
    np.testing.assert_allclose(bridged(x, hidden), [0, 1, 2, 3, 4, 5, np.nan])
    np.testing.assert_allclose(bridged(np.array([7.0, 2, 3]), np.array([1, 0, 0], bool)), [2, 2, 3])


def test_einthoven_holds_and_derived_leads_follow(one):
    signals, found = one
    x = signals.strip[0].numpy().astype(float)
    x[2], x[3], x[4], x[5] = x[1] - x[0], -(x[0] + x[1]) / 2, x[0] - x[1] / 2, x[1] - x[0] / 2
    out = occluded(x, found.strip, single(12), CHANNELS)
    assert einthoven(out) < 1e-12
    for lead, follows in (("I", "aVR"), ("I", "III"), ("II", "aVF")):
        place = cell(lead, "QRS")[0]
        inside = found.strip == SEGMENTS.index("QRS")
        changed = np.abs(out[place] - x).max(1) > 1e-9
        assert changed[CHANNELS.index(follows)]
        assert not changed[6:].any()
        np.testing.assert_array_equal(out[place][:, ~inside], x[:, ~inside])
    for lead in CHANNELS:  # every lead is a line where it is occluded, derived ones too
        k = CHANNELS.index(lead)
        hidden = found.strip == SEGMENTS.index("T")
        np.testing.assert_allclose(out[cell(lead, "T")[0], k], bridged(x[k], hidden), atol=1e-12)
    chest = out[cell("V3", "P")[0]]
    assert np.flatnonzero(np.abs(chest - x).max(1) > 1e-9).tolist() == [CHANNELS.index("V3")]


def test_a_lead_at_a_right_angle_keeps_its_part(one):
    signals, found = one
    x = signals.strip[0].numpy()
    out = occluded(x, found.strip, single(12), CHANNELS)
    np.testing.assert_array_equal(out[cell("aVF", "T")[0], 0], x[0])  # I lies at a right angle to aVF
    np.testing.assert_array_equal(out[cell("aVL", "T")[0], 1], x[1])  # II to aVL


def test_both_views_change_and_nothing_else(one):
    signals, found = one
    cells = single(12)[cell("V5", "ST")]
    made = copies(signals, found, cells, CHANNELS)
    k = CHANNELS.index("V5")
    for name, labels in (("strip", found.strip), ("beat", found.beat)):
        before, after = getattr(signals, name)[0].numpy(), getattr(made, name)[0].numpy()
        differs = ~np.isclose(before, after, equal_nan=True)
        assert differs[k].any()
        assert not np.delete(differs, k, 0).any()
        assert not differs[:, labels != SEGMENTS.index("ST")].any()
    assert torch.equal(made.rr_ms, signals.rr_ms)


def test_a_readout_of_one_cell_is_found_exactly(one):
    signals, found = one
    inside = torch.from_numpy(found.strip == SEGMENTS.index("P"))
    k = CHANNELS.index("V2")

    def logits(batch):
        return batch.strip[:, k, inside].sum(1, keepdim=True)

    table = changes(logits, signals, found, CHANNELS)[:, :, 0]
    line = bridged(signals.strip[0, k].numpy(), inside.numpy())[inside.numpy()].sum()
    expected = np.zeros((12, 6))
    expected[k, SEGMENTS.index("P")] = line - float(logits(signals))
    np.testing.assert_allclose(table, expected, atol=1e-5)


def test_absent_segments_are_not_told(one):
    signals, found = one
    strip, beat = (np.where(x == SEGMENTS.index("P"), -1, x) for x in (found.strip, found.beat))
    table = changes(
        lambda x: x.strip[:, 0].sum(1, keepdim=True), signals, type(found)(strip, beat, found.phase_s), CHANNELS
    )
    assert np.isnan(table[:, SEGMENTS.index("P")]).all()
    assert np.isfinite(np.delete(table, SEGMENTS.index("P"), 1)).all()


@pytest.mark.parametrize("batch", [1, 7, 128])
def test_the_batch_changes_nothing(one, batch, untrained):
    from ecgwas.interpret.predictors.occlusion import scored

    signals, found = one
    cells = single(12)[::9]
    expected = scored(untrained.logits, signals, found, cells, CHANNELS, 72)
    np.testing.assert_allclose(scored(untrained.logits, signals, found, cells, CHANNELS, batch), expected, atol=1e-4)
