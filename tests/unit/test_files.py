"""Results are whole or absent, and belong to the job that started last."""

import polars as pl
import pytest

from ecgwas.files import Superseded, atomic, write_json, write_parquet


def test_a_failed_write_leaves_nothing(tmp_path):
    target = tmp_path / "out" / "table.csv"
    with pytest.raises(ZeroDivisionError), atomic(target) as temporary:
        temporary.write_text("half")
        1 / 0  # noqa: B018
    assert not target.exists()
    assert [p.name for p in target.parent.iterdir() if not p.name.endswith(".owner")] == []


def test_a_failed_write_keeps_the_old_result(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("whole")
    with pytest.raises(ZeroDivisionError), atomic(target) as temporary:
        temporary.write_text("half")
        1 / 0  # noqa: B018
    assert target.read_text() == "whole"


def test_an_orphan_writes_nothing_over_its_successor(tmp_path):
    target = tmp_path / "table.csv"
    with pytest.raises(Superseded), atomic(target) as orphan:
        orphan.write_text("orphan")
        with atomic(target) as successor:
            successor.write_text("successor")
    assert target.read_text() == "successor"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_an_orphan_that_ends_first_writes_nothing_either(tmp_path):
    target = tmp_path / "table.csv"
    orphan = atomic(target)
    orphan.__enter__().write_text("orphan")
    with atomic(target) as successor:
        with pytest.raises(Superseded):
            orphan.__exit__(None, None, None)
        assert not target.exists()
        successor.write_text("successor")
    assert target.read_text() == "successor"


def test_a_directory_is_replaced_whole(tmp_path):
    target = tmp_path / "folder"
    for content in ("first", "second"):
        with atomic(target) as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
    assert [p.name for p in target.iterdir()] == ["second"]


def test_equal_tables_give_equal_bytes(tmp_path):
    table = pl.DataFrame({"a": [1.5, None], "b": ["x", "y"]})
    write_parquet(table, tmp_path / "1.parquet")
    write_parquet(table, tmp_path / "2.parquet")
    write_json({"b": 1, "a": [2]}, tmp_path / "1.json")
    write_json({"b": 1, "a": [2]}, tmp_path / "2.json")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
