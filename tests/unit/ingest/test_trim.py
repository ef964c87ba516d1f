"""Padding and calibration pulses: cut off wherever machines write them, and nothing of a heart with them."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests import set_a
from tests.unit.ingest import writers
from tests.unit.ingest.test_shard import run

from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.ingest.readers import open_source
from ecgwas.ingest.readers.trim import trimmed
from ecgwas.signals.recording import Recording

RATE = 500


def pulse(before: float, on: float, after: float, height: float = 1000.0) -> np.ndarray:
    """[sample] a rectangle of µV with its baseline around it, each so many seconds long."""
    return np.concatenate([np.full(round(s * RATE), level) for s, level in ((before, 0), (on, height), (after, 0))])


def beside(counts: np.ndarray, before: np.ndarray, after: np.ndarray) -> Recording:
    """Recording of [12, sample] in µV with the same samples before and after in all leads."""
    signal = np.concatenate([np.tile(before, (12, 1)), counts, np.tile(after, (12, 1))], axis=1).astype(np.float32)
    return Recording(LEADS, ("uV",) * 12, signal, RATE, signal.shape[1] / RATE, beat_times_s=(1.0,))


NOTHING = np.empty(0)
ENDS = {
    "philips": (NOTHING, pulse(0.17, 0.2, 0.1), ("calibration",)),
    "pulse before": (pulse(0.1, 0.2, 0.1), NOTHING, ("calibration",)),
    "two pulses": (NOTHING, np.concatenate([pulse(0.1, 0.1, 0.1), pulse(0.1, 0.1, 0.1, 500.0)]), ("calibration",)),
    "pulse without a baseline": (NOTHING, pulse(0, 0.25, 0), ("padding",)),
    "negative": (pulse(0.2, 0.2, 0, -1000.0), NOTHING, ("calibration",)),
    "sloping": (
        NOTHING,
        np.interp(np.arange(200), [0, 60, 66, 140, 146, 200], [0, 0, 1000, 1000, 0, 0]),
        ("calibration",),
    ),
    "zeros": (np.zeros(300), np.zeros(1500), ("padding",)),
    "missing": (np.full(3, np.nan), np.full(100, np.nan), ("padding",)),
    "zeros, then missing": (NOTHING, np.concatenate([np.zeros(200), np.full(50, np.nan)]), ("padding",)),
    "both": (np.zeros(200), pulse(0.1, 0.2, 0.1), ("calibration", "padding")),
}


@pytest.mark.parametrize("case", ENDS)
def test_what_machines_write_at_the_ends_is_cut_off(sinus, case: str) -> None:
    before, after, words = ENDS[case]
    found = trimmed(beside(sinus[1][0], before, after))
    assert np.array_equal(found.signal, sinus[1][0].astype(np.float32))
    assert (found.seconds, found.cut) == (10.0, words)
    assert (found.valid_from_s, found.cut_end_s) == (len(before) / RATE, len(after) / RATE)
    assert found.beat_times_s == pytest.approx((1.0 - len(before) / RATE,))


def test_gains_that_round_a_pulse_differently_do_not_hide_it(sinus) -> None:
    recording = beside(sinus[1][0], NOTHING, pulse(0.2, 0.2, 0.1))
    recording.signal[:, 5100:5200] += np.linspace(-5, 5, 12, dtype=np.float32)[:, None]
    assert trimmed(recording).seconds == 10.0


def test_nothing_of_a_heart_is_cut_off(sinus) -> None:
    for counts in sinus[1][:50]:
        recording = beside(counts, NOTHING, NOTHING)
        assert trimmed(recording) is recording


def test_electrodes_that_fell_off_are_for_the_quality_to_say(sinus) -> None:
    """Leads at levels of their own, a single flat lead, and a recording that is flat throughout stay whole."""
    off = beside(sinus[1][0], NOTHING, NOTHING)
    off.signal[:, 3000:] = np.arange(12)[:, None] * 100
    one = beside(sinus[1][0], NOTHING, NOTHING)
    one.signal[3] = 0
    flat = dataclasses.replace(off, signal=np.zeros_like(off.signal))
    for recording in (off, one, flat):
        assert trimmed(recording) is recording


def test_a_flat_lead_does_not_hide_padding(sinus) -> None:
    recording = beside(sinus[1][0], NOTHING, np.zeros(500))
    recording.signal[8] = 35
    assert trimmed(recording).seconds == 10.0


@pytest.mark.parametrize("fmt", ["wfdb", "edf", "dicom", "aecg", "muse", "cardiosoft", "array", "files"])
def test_every_format_is_trimmed(tmp_path: Path, sinus, write_record, fmt: str) -> None:
    """Ten seconds with a calibration pulse behind them: length, beats and rate are those of the ten seconds."""
    counts = (np.concatenate([sinus[1][0], np.tile(pulse(0.2, 0.2, 0.6), (12, 1))], axis=1) // 5 * 5).astype(int)
    source = EcgSource(format=fmt, path=tmp_path / "ecg")
    (tmp_path / "ecg").mkdir()
    if fmt == "wfdb":
        write_record(tmp_path / "ecg", "7_x", counts)
    elif fmt == "array":
        np.save(tmp_path / "ecg.npy", counts[None].astype(np.int16))
        source = EcgSource(format=fmt, path=tmp_path / "ecg.npy", rate_hz=500, microvolts_per_count=1)
    elif fmt == "files":
        np.save(tmp_path / "ecg" / "7_x.npy", counts.astype(np.int16))
        source = EcgSource(format=fmt, path=tmp_path / "ecg", rate_hz=500, microvolts_per_count=1)
    else:
        writers.WRITERS[fmt][1](tmp_path / "ecg", "7_x", counts)
    found = run(source, tmp_path / "out", Ingest(shards=1, doublings=1))
    kept, quality = found["recordings"].row(0, named=True), found["quality"].row(0, named=True)
    assert (kept["seconds"], kept["bucket"], kept["valid_to_s"]) == pytest.approx((10, 0, 10))
    assert quality["cut_end_s"] == pytest.approx(1.0)
    assert "calibration" in quality["warnings"]


def test_the_whole_record_is_looked_at_where_its_beginning_is_padding(tmp_path: Path, sinus, write_record) -> None:
    """The first ten seconds asked for are ten seconds of heart."""
    counts = np.concatenate([np.zeros((12, 2000), int), sinus[1][0], sinus[1][1]], axis=1)
    write_record(tmp_path, "a_0", counts)
    found = open_source(EcgSource(path=tmp_path), 10.0).read("a_0")
    assert (found.signal.shape[1], found.seconds, found.valid_from_s) == (5000, 20.0, 4.0)


@pytest.mark.realdata
def test_philips_strips_end_before_the_calibration(realdata: Path, tmp_path: Path) -> None:
    """Eleven seconds of which the last half are zeros and 1 mV in all leads: no beats are counted there."""
    source = EcgSource(format="philips", path=realdata / "ecg_philips_xml")
    ten, eleven = (run(source, tmp_path / str(s), Ingest(shards=1, seconds=s)) for s in (10, 11))
    assert eleven["recordings"]["seconds"].to_list() == pytest.approx([10.528, 10.6])
    assert eleven["quality"]["cut_end_s"].to_list() == pytest.approx([0.472, 0.4])
    rates = pl.concat([ten["intervals"], eleven["intervals"]])["heart_rate_bpm"].to_numpy().reshape(2, -1)
    machine = ten["intervals"]["machine_heart_rate_bpm"].to_numpy()
    assert np.abs(rates[1] - rates[0]).max() < 1
    assert np.abs(rates[1] - machine).max() < 3


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "expected"),
    [("ecg_ludb", 0), ("ecg_cinc2021", 0), ("ecg_brugada", 0), ("ecg_chagas2025", 0), ("ptbxl", 0), ("seta", 2)],
)
def test_no_sample_of_real_hearts_is_cut_off(realdata: Path, folder: str, expected: int) -> None:
    """What is cut of real collections is constant in all leads: two of set-a, whose electrodes were off for seconds."""
    if folder == "ptbxl":
        path = realdata / "ecg_ptbxl_subset/signals_lead12_100hz_zscore_x1000_int16.npy.xz"
        source = EcgSource(format="array", path=path, rate_hz=100, unit="sd")
    else:
        source = set_a.source(realdata) if folder == "seta" else EcgSource(path=realdata / folder)
    reader, cut = open_source(source, 1e4), 0
    for key in reader.entries["key"]:
        whole = reader.reader.read(key)
        found = trimmed(whole)
        head = round((found.valid_from_s - whole.valid_from_s) * whole.rate_hz)
        gone = [whole.signal[:, :head], whole.signal[:, head + found.signal.shape[1] :]]
        assert all((part == part[:1, :1]).all() for part in gone if part.size)
        cut += found is not whole
    assert cut == expected
