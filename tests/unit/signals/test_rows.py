"""Files written chunk by chunk are the files written whole."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas.signals.rows import ArrayRows, TableRows


@pytest.mark.parametrize("n", [0, 1, 3, 1001])
def test_an_array_row_by_row_is_the_array(tmp_path: Path, n: int) -> None:
    whole = np.random.default_rng(1).integers(-9, 9, (n, 2, 3)).astype(np.int16)
    rows = ArrayRows(tmp_path / "a.npy", (2, 3), np.int16)
    for row in whole:
        rows.append(row)
    rows.close()
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r" if n else None), whole)


def test_a_table_in_chunks_is_the_table(tmp_path: Path) -> None:
    whole = pl.DataFrame({"id": ["a", "b", "c"], "n": [1, None, 3]}, schema={"id": pl.String, "n": pl.Int32})
    for name in ("first.parquet", "second.parquet"):
        rows = TableRows(tmp_path / name, dict(whole.schema))
        for chunk in (whole[:2], whole[:0], whole[2:]):
            rows.append(chunk)
        rows.close()
    assert pl.read_parquet(tmp_path / "first.parquet").equals(whole)
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()


def test_no_rows_are_a_table_too(tmp_path: Path) -> None:
    TableRows(tmp_path / "t.parquet", {"id": pl.String()}).close()
    assert pl.read_parquet(tmp_path / "t.parquet").schema == {"id": pl.String()}
