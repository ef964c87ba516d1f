"""The job: every record is kept or excluded, whatever the shards; a bad file does not end it; reruns are equal."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.unit.ingest import writers

from ecgwas.config import EcgSource, Ingest
from ecgwas.ecg.quality import MIN_SECONDS
from ecgwas.errors import UserError
from ecgwas.ingest import collect, entries, shard

TABLES = ("recordings", "intervals", "excluded", "quality")


def run(source: EcgSource, out: Path, settings: Ingest) -> dict[str, pl.DataFrame]:
    """All shards and their join, as the workflow runs them; the joined tables."""
    parts = {name: [out / f"{name}-{k}.parquet" for k in range(settings.shards)] for name in TABLES}
    for k in range(settings.shards):
        tables = {name: parts[name][k] for name in TABLES}
        arrays = {"beat": out / f"{k}.beat.npy", "strips": [out / f"{k}.strip{b}.npy" for b in settings.buckets]}
        for name, kind in (("window_beats", "beat"), ("window_rr", "rr")):
            arrays[name] = [out / f"{k}.{kind}{bucket}.npy" for bucket in settings.buckets[1:]]
        shard.main(source, k, settings, **tables, **arrays)
    joined = {name: out / f"{name}.parquet" for name in TABLES}
    collect.main(*[parts[name] for name in TABLES], **joined, duplicates=settings.duplicates)
    return {name: pl.read_parquet(path) for name, path in joined.items()}


@pytest.fixture
def faulty(folder: Path) -> EcgSource:
    """The folder of six records, two of them damaged, and a table row without a file."""
    (folder / "b_0.dat").write_bytes((folder / "b_0.dat").read_bytes()[:70_000])
    (folder / "d_0.hea").write_bytes(b"\x00nonsense")
    rows = "".join(f"{name},{name},{name}_0\n" for name in "fedcba") + "g,g,g_0\n"
    (folder / "table.csv").write_text("recording_id,person_id,path\n" + rows)
    return EcgSource(path=folder, recordings=folder / "table.csv")


def test_a_corrupt_file_is_excluded_and_the_run_goes_on(faulty: EcgSource, tmp_path: Path) -> None:
    tables = run(faulty, tmp_path / "out", Ingest())
    assert tables["recordings"]["recording_id"].to_list() == ["a", "c", "e", "f"]
    assert tables["intervals"]["recording_id"].to_list() == ["a", "c", "e", "f"]
    excluded = tables["excluded"].select("recording_id", "person_id", "reason").rows()
    assert excluded == [("b", "b", "truncated"), ("d", "d", "unreadable"), ("g", "g", "unreadable")]


def test_shards_hold_the_same_as_one(faulty: EcgSource, tmp_path: Path) -> None:
    one, three = (run(faulty, tmp_path / str(n), Ingest(shards=n)) for n in (1, 3))
    place = ["shard", "row", "strip_row"]
    assert one["recordings"].drop(place).equals(three["recordings"].drop(place))
    assert one["intervals"].equals(three["intervals"])
    assert one["excluded"].equals(three["excluded"])
    whole = np.load(tmp_path / "1" / "0.strip.npy")
    for entry in three["recordings"].iter_rows(named=True):
        strip = np.load(tmp_path / "3" / f"{entry['shard']}.strip.npy")[entry["row"]]
        at = one["recordings"].filter(recording_id=entry["recording_id"])["row"][0]
        assert np.array_equal(strip, whole[at])


def test_a_second_run_is_equal_bit_for_bit(faulty: EcgSource, tmp_path: Path) -> None:
    for name in ("first", "second"):
        run(faulty, tmp_path / name, Ingest())
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(files) == 16
    for name in files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_shape_and_type_of_signals(folder: Path, tmp_path: Path) -> None:
    settings = Ingest(shards=1, model_rate_hz=125, seconds=8, beat_rate_hz=200, beat_before_s=0.3, beat_after_s=0.5)
    run(EcgSource(path=folder), tmp_path / "out", settings)
    strip, beat = (np.load(tmp_path / "out" / f"0.{name}.npy") for name in ("strip", "beat"))
    assert (strip.shape, strip.dtype) == ((6, 12, 1000), np.dtype(np.int16))
    assert (beat.shape, beat.dtype) == ((6, 12, 160), np.dtype(np.int16))


def test_nothing_left_says_why_and_leaves_the_reasons(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.dat"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"all 6 were excluded \(6 truncated\)"):
        run(EcgSource(path=folder), tmp_path / "out", Ingest())
    assert pl.read_parquet(tmp_path / "out" / "excluded.parquet").height == 6


def test_a_repeated_recording_is_refused(folder: Path, tmp_path: Path) -> None:
    run(EcgSource(path=folder), tmp_path, Ingest(shards=1))
    parts = [[tmp_path / f"{name}-0.parquet"] * 2 for name in TABLES]
    with pytest.raises(UserError, match="6 recording_id values come twice"):
        collect.main(*parts, *[tmp_path / f"again-{name}.parquet" for name in TABLES])


def test_a_shard_that_does_not_exist(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="shards are 0 to 1"):
        shard.main(
            EcgSource(path=folder),
            2,
            Ingest(),
            *[tmp_path / str(k) for k in range(4)],
            [tmp_path / "4"],
            tmp_path / "5",
        )


def test_long_recordings_lie_in_longer_buckets(folder: Path, sinus, write_record, tmp_path: Path) -> None:
    pair = np.concatenate(sinus[1][:2], axis=1)
    write_record(folder, "g_0", pair)
    write_record(folder, "h_0", np.concatenate([pair, pair], axis=1))
    tables = run(EcgSource(path=folder), tmp_path / "out", Ingest(shards=1, doublings=1, duplicates="all"))
    placed = tables["recordings"].select("recording_id", "bucket", "strip_row").rows()
    assert placed == [*((f"{name}_0", 0, k) for k, name in enumerate("abcdef")), ("g_0", 1, 0), ("h_0", 1, 1)]
    short, long = (np.load(tmp_path / "out" / f"0.strip{bucket}.npy") for bucket in ("", "-2x"))
    assert (short.shape, long.shape) == ((6, 12, 1000), (2, 12, 2000))
    assert np.array_equal(long[0][:, 100:1900], long[1][:, 100:1900])  # the same first 20 s, but for the cut end
    beats, rr = (np.load(tmp_path / "out" / f"0.{kind}-2x.npy") for kind in ("beat", "rr"))
    assert (beats.shape, beats.dtype) == ((2, 2, 12, 220), np.dtype(np.int16))
    assert (rr.shape, rr.dtype) == ((2, 2), np.dtype(np.float32))
    assert np.array_equal(rr[0], rr[1])
    assert np.abs(beats[0] - beats[1].astype(int)).max() < 60  # microvolts, where the ends are filtered otherwise
    assert np.array_equal(np.load(tmp_path / "out" / "0.beat.npy")[:6], alone(folder, tmp_path))


def alone(folder: Path, tmp_path: Path) -> np.ndarray:
    """Beats of the six short records without longer buckets: no file of windows is written."""
    run(EcgSource(path=folder), tmp_path / "alone", Ingest(shards=1, duplicates="all"))
    assert not [path for path in (tmp_path / "alone").iterdir() if "x.npy" in path.name]
    return np.load(tmp_path / "alone" / "0.beat.npy")[:6]


def test_a_shard_killed_half_way_leaves_no_file_of_windows_and_runs_again_to_the_same(
    folder: Path, sinus, write_record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(folder, "a_1", np.concatenate(sinus[1][:2], axis=1))
    settings = Ingest(shards=1, doublings=1)
    run(EcgSource(path=folder), tmp_path / "whole", settings)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(shard.Output, "close", killed)
        with pytest.raises(KeyboardInterrupt):
            run(EcgSource(path=folder), tmp_path / "again", settings)
    assert [path.name for path in (tmp_path / "again").iterdir() if path.suffix != ".owner"] == []
    run(EcgSource(path=folder), tmp_path / "again", settings)
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert {"0.beat-2x.npy", "0.rr-2x.npy"} <= set(names)
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_files_of_windows_that_do_not_match_the_strips_are_refused(folder: Path, tmp_path: Path) -> None:
    paths = [tmp_path / str(k) for k in range(7)]
    with pytest.raises(UserError, match="2 strips, but 0 window_beats and 0 window_rr"):
        shard.main(EcgSource(path=folder), 0, Ingest(doublings=1), *paths[:4], paths[4:6], paths[6])


def test_what_the_file_says_stands_beside_what_is_measured(tmp_path: Path, sinus) -> None:
    (tmp_path / "in").mkdir()
    writers.write_cardiosoft(tmp_path / "in", "9_x", sinus[1][0])
    tables = run(EcgSource(format="cardiosoft", path=tmp_path / "in"), tmp_path / "out", Ingest(shards=1))
    row, measured = (tables[name].row(0, named=True) for name in ("recordings", "intervals"))
    expected = {"unit": "mV", "device": "CardioSoft V6.73 12SL V21", "start_time": "2018-07-19T14:19:39"}
    expected |= {"native_highpass_hz": 0.01, "native_lowpass_hz": 100, "valid_from_s": 0, "valid_to_s": 10}
    expected |= {"statements": ["Sinus rhythm"], "leads": list(writers.LEADS), "person_id": "9"}
    assert {name: row[name] for name in expected} == expected
    assert row["einthoven_uv"] < 5
    machine = {name: value for name, value in measured.items() if name.startswith("machine_") and value is not None}
    expected = {"heart_rate_bpm": 50, "pr_ms": 174, "qrs_ms": 92, "qt_ms": 440, "p_axis_deg": 56}
    expected |= {f"r_{lead.lower()}_mv": (100 + k) / 1000 for k, lead in enumerate(writers.LEADS[:11])}
    assert machine == pytest.approx({f"machine_{name}": value for name, value in expected.items()})
    truth = sinus[0]
    assert measured["heart_rate_bpm"] == pytest.approx(truth["heart_rate_bpm"][0], rel=0.05)


@pytest.mark.parametrize(
    ("rate_hz", "seconds"), [(62.4725, 10), (128, 10), (257, 6), (500, 2.5), (1000, 2.5), (2000, 4)]
)
def test_any_rate_and_length(tmp_path: Path, simulated, rate_hz: float, seconds: float) -> None:
    """62 to 2,000 Hz, from 2.5 s: the strip is there to its end; fewer than 3 clean beats make no median beat."""
    counts = simulated(1, 5, rate_hz=rate_hz)[1][0][:, : round(seconds * rate_hz)]
    (tmp_path / "in").mkdir()
    writers.write_wfdb(tmp_path / "in", "a_0", counts, rate_hz)
    tables = run(EcgSource(path=tmp_path / "in"), tmp_path / "out", Ingest(shards=1))
    assert tables["excluded"].is_empty()
    strip, beat = (np.load(tmp_path / "out" / f"0.{name}.npy")[0] for name in ("strip", "beat"))
    there = (strip != -32768).all(axis=0)
    assert there.sum() == pytest.approx(100 * seconds, abs=1)
    assert there[: round(100 * seconds) - 1].all()
    row = tables["recordings"].row(0, named=True)
    assert row["rate_hz"] == pytest.approx(rate_hz)
    if seconds == MIN_SECONDS:
        assert row["n_beats"] == 0
        assert (beat == -32768).all()
        assert tables["intervals"]["qrs_ms"].to_list() == [None]
    else:
        assert row["n_beats"] >= 3


def test_a_z_scored_source_is_sd(tmp_path: Path, sinus) -> None:
    array = sinus[1][:1] / sinus[1][:1].std(axis=2, keepdims=True)
    np.save(tmp_path / "x.npy", (1000 * array).astype(np.int16))
    source = EcgSource(format="array", path=tmp_path / "x.npy", rate_hz=500, unit="sd")
    tables = run(source, tmp_path / "out", Ingest(shards=1))
    row = tables["recordings"].row(0, named=True)
    assert (row["unit"], row["einthoven_uv"]) == ("sd", None)
    assert all(value is None for name, value in tables["intervals"].row(0, named=True).items() if name.endswith("_mv"))


@pytest.mark.parametrize("fmt", ["wfdb", "cardiosoft", "array"])
def test_recordings_are_listed_once(tmp_path: Path, sinus, fmt: str, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    if fmt == "array":
        np.save(tmp_path / "in/x.npy", sinus[1][:3].astype(np.int16))
        source = EcgSource(format=fmt, path=tmp_path / "in/x.npy", rate_hz=500, microvolts_per_count=1)
    else:
        for k, counts in enumerate(sinus[1][:3]):
            writers.WRITERS[fmt][1](tmp_path / "in", f"p{k}_0", counts)
        source = EcgSource(format=fmt, path=tmp_path / "in")
    entries.main(source, tmp_path / "entries.parquet")
    listed = pl.read_parquet(tmp_path / "entries.parquet")
    assert listed.height == 3
    monkeypatch.setattr(os, "scandir", None)
    monkeypatch.setattr(Path, "glob", None)
    paths = [tmp_path / f"{k}" for k in range(6)]
    shard.main(source, 0, Ingest(shards=1), *paths[:4], [paths[4]], paths[5], tmp_path / "entries.parquet")
    assert pl.read_parquet(paths[0])["recording_id"].to_list() == listed["recording_id"].to_list()


def test_later_copies_are_excluded_unless_all_are_wanted(folder: Path, tmp_path: Path) -> None:
    for suffix in ("hea", "dat"):
        text = (folder / f"a_0.{suffix}").read_bytes().replace(b"a_0", b"g_0")
        (folder / f"g_0.{suffix}").write_bytes(text)
    tables = run(EcgSource(path=folder), tmp_path / "out", Ingest())
    assert tables["excluded"].rows() == [("g_0", "g", "duplicate", "duplicate_of a_0 of another person, a")]
    assert "g_0" not in tables["intervals"]["recording_id"]
    quality = tables["quality"]
    assert quality["recording_id"].to_list() == [f"{name}_0" for name in "abcdefg"]
    assert quality.filter(reason="duplicate")["recording_id"].to_list() == ["g_0"]
    assert quality["sample_hash"].n_unique() == 6
    everything = run(EcgSource(path=folder), tmp_path / "all", Ingest(duplicates="all"))
    assert everything["recordings"].height == 7


def test_kept_and_dropped_are_both_in_the_quality_table(folder: Path, tmp_path: Path) -> None:
    (folder / "b_0.dat").write_bytes(b"")
    tables = run(EcgSource(path=folder), tmp_path / "out", Ingest())
    quality = tables["quality"]
    assert quality.height == 6
    assert quality.filter(pl.col("reason").is_not_null())["recording_id"].to_list() == ["b_0"]
    assert quality.filter(pl.col("reason").is_null())["score"].min() > 0.5
