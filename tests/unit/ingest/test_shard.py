"""The job: every record is kept or excluded, whatever the shards; a bad file does not end it; reruns are equal."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas.config import EcgSource, Ingest
from ecgwas.errors import UserError
from ecgwas.ingest import collect, shard

TABLES = ("recordings", "intervals", "excluded", "quality")


def run(source: EcgSource, out: Path, settings: Ingest) -> dict[str, pl.DataFrame]:
    """All shards and their join, as the workflow runs them; the joined tables."""
    parts = {name: [out / f"{name}-{k}.parquet" for k in range(settings.shards)] for name in TABLES}
    for k in range(settings.shards):
        tables = {name: parts[name][k] for name in TABLES}
        strips = [out / f"{k}.strip{bucket}.npy" for bucket in settings.buckets]
        shard.main(source, k, settings, **tables, strips=strips, beat=out / f"{k}.beat.npy")
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
    tables = run(EcgSource(path=folder), tmp_path / "out", Ingest(shards=1, doublings=1))
    placed = tables["recordings"].select("recording_id", "bucket", "strip_row").rows()
    assert placed == [*((f"{name}_0", 0, k) for k, name in enumerate("abcdef")), ("g_0", 1, 0), ("h_0", 1, 1)]
    short, long = (np.load(tmp_path / "out" / f"0.strip{bucket}.npy") for bucket in ("", "-2x"))
    assert (short.shape, long.shape) == ((6, 12, 1000), (2, 12, 2000))
    assert np.array_equal(long[0][:, 100:1900], long[1][:, 100:1900])  # the same first 20 s, but for the cut end


def test_later_copies_are_excluded_unless_all_are_wanted(folder: Path, tmp_path: Path) -> None:
    for suffix in ("hea", "dat"):
        text = (folder / f"a_0.{suffix}").read_bytes().replace(b"a_0", b"g_0")
        (folder / f"g_0.{suffix}").write_bytes(text)
    tables = run(EcgSource(path=folder), tmp_path / "out", Ingest())
    assert tables["excluded"].rows() == [("g_0", "g", "duplicate", "duplicate_of a_0")]
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
