"""Names of limb leads that are exchanged: found by the sums that limb leads obey, named, and never guessed."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests import set_a
from tests.unit.ingest.test_shard import run

from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.ecg.exchanged import exchanged
from ecgwas.signals.recording import Recording


@pytest.fixture
def recording(sinus) -> Recording:
    """Twelve leads in µV whose limb leads add up to a count."""
    signal = sinus[1][0].astype(np.float32)
    return Recording(LEADS, ("uV",) * 12, signal, 500.0, 10.0)


def called(recording: Recording, *names: str) -> Recording:
    """The recording with the names of its limb leads in another order."""
    return dataclasses.replace(recording, leads=(*names, *LEADS[6:]))


def test_leads_by_their_own_names_are_not_reported(sinus) -> None:
    for counts in sinus[1][:60]:
        assert exchanged(Recording(LEADS, ("uV",) * 12, counts.astype(np.float32), 500.0, 10.0)) == ()


@pytest.mark.parametrize("pair", list(itertools.combinations(range(6), 2)))
def test_every_pair_is_named(recording: Recording, pair: tuple[int, int]) -> None:
    names = list(LEADS[:6])
    names[pair[0]], names[pair[1]] = names[pair[1]], names[pair[0]]
    assert exchanged(called(recording, *names)) == tuple(LEADS[k] for k in pair)


def test_three_leads_in_a_circle(recording: Recording) -> None:
    assert exchanged(called(recording, "I", "II", "III", "aVL", "aVF", "aVR")) == ("aVR", "aVL", "aVF")


@pytest.mark.parametrize("unit", ["mV", "", "uV"])
def test_the_unit_does_not_matter_but_z_scores_have_no_sums(recording: Recording, unit: str) -> None:
    turned = called(recording, "I", "II", "III", "aVR", "aVF", "aVL")
    assert exchanged(dataclasses.replace(turned, units=(unit,) * 12)) == ("aVL", "aVF")
    assert exchanged(dataclasses.replace(turned, units=("sd",) * 12)) == ()


def test_what_cannot_be_told_is_not_reported(recording: Recording) -> None:
    """Eight leads, noise that no order mends, a flat lead, electrodes on the wrong arm (their sums hold)."""
    eight = [0, 1, *range(6, 12)]
    few = Recording(tuple(LEADS[k] for k in eight), ("uV",) * 8, recording.signal[eight], 500.0, 10.0)
    noise = np.random.default_rng(0).normal(size=(12, 5000)).astype(np.float32)
    flat = recording.signal.copy()
    flat[2] = 0
    arms = recording.signal.copy()
    arms[0], arms[1], arms[2], arms[3], arms[4] = (-recording.signal[0], *recording.signal[[2, 1, 4, 3]])
    for other in (few, *(dataclasses.replace(recording, signal=signal) for signal in (noise, flat, arms))):
        assert exchanged(other) == ()


def test_a_cohort_says_what_to_write(tmp_path: Path, sinus, capsys) -> None:
    np.save(tmp_path / "x.npy", sinus[1][:5, [0, 1, 2, 3, 5, 4, *range(6, 12)]])
    source = EcgSource(format="array", path=tmp_path / "x.npy", rate_hz=500, microvolts_per_count=1)
    found = run(source, tmp_path / "out", Ingest(shards=1))
    assert all("exchanged_aVL_aVF" in words for words in found["quality"]["warnings"])
    order = "I, II, III, aVR, aVF, aVL, V1, V2, V3, V4, V5, V6"
    assert "5 of 5 recordings: the limb leads add up" in (said := capsys.readouterr().out)
    assert f"set ecg.leads of the cohort [{order}]" in said
    mended = source.model_copy(update={"leads": order.split(", ")})
    found = run(mended, tmp_path / "mended", Ingest(shards=1))
    assert not any("exchanged" in word for words in found["quality"]["warnings"].to_list() for word in words)


@pytest.mark.realdata
def test_set_a_is_exchanged_and_realdata_says_so(realdata: Path, tmp_path: Path) -> None:
    """aVF and aVL in the first 200 of set-a whose limb leads are not flat; by the names of `realdata`, none."""
    array = set_a.counts(realdata, slice(200))
    np.save(tmp_path / "x.npy", array)
    source = EcgSource(format="array", path=tmp_path / "x.npy", rate_hz=set_a.RATE_HZ, microvolts_per_count=5)
    found = run(source, tmp_path / "out", Ingest(shards=1))["quality"]
    warned = found.filter(pl.col("warnings").list.contains("exchanged_aVL_aVF")).height
    flat = int((np.ptp(array[:, :6], axis=2) == 0).any(axis=1).sum())
    assert warned >= 0.97 * (200 - flat)
    text = (Path(__file__).parents[3] / "config/cohorts/realdata-null.yaml").read_text()
    assert "leads: [I, II, III, aVR, aVF, aVL, V1, V2, V3, V4, V5, V6]" in text


@pytest.mark.realdata
@pytest.mark.parametrize("folder", ["ecg_cinc2021", "ecg_chagas2025", "ecg_brugada"])
def test_real_recordings_in_their_order_are_not_reported(realdata: Path, tmp_path: Path, folder: str) -> None:
    found = run(EcgSource(path=realdata / folder), tmp_path / "out", Ingest(shards=1))["quality"]
    assert not any("exchanged" in word for words in found["warnings"].to_list() for word in words or ())
