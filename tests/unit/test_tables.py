"""The catalogue of files: light to import, tables read and written by their entries."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from ecgwas import tables
from ecgwas.errors import UserError

THINGS = tables.Table(
    "cohorts/{cohort}/things-{part}.parquet",
    {"id": ("String", "Id."), "n": ("Int32", "Count."), "parts": ("List(String)", "Parts.")},
    {"t:{trait}": ("Float32", "t."), "e{axis}": ("Float32", "Axis.")},
)


@pytest.fixture
def whole() -> pl.DataFrame:
    rows = {"id": ["a", "b", "c"], "n": [1, None, 3], "parts": [["x"], [], None]}
    return pl.DataFrame(rows, schema=THINGS.schema)


def test_importing_the_catalogue_imports_no_library_of_tables() -> None:
    code = "import ecgwas.tables, sys; ecgwas.tables.entries(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.split(".")[0] for name in done.stdout.split()}
    assert not imported & {"polars", "pyarrow", "pandas", "numpy", "scipy", "torch", "hail"}


def test_paths_take_wildcards(tmp_path: Path) -> None:
    assert THINGS.of(cohort="uk") == "cohorts/uk/things-{part}.parquet"
    assert THINGS.at(tmp_path, cohort="uk", part="007") == tmp_path / "cohorts/uk/things-007.parquet"
    with pytest.raises(ValueError, match="model"):
        THINGS.of(model="x")
    with pytest.raises(ValueError, match="wildcards part are not given"):
        THINGS.at(tmp_path, cohort="uk")


def test_files_that_are_there_are_found_in_order(tmp_path: Path, whole: pl.DataFrame) -> None:
    for part in ("001", "000"):
        THINGS.write(whole, THINGS.at(tmp_path, cohort="uk", part=part))
    (tmp_path / "cohorts/uk/others-000.parquet").touch()
    assert [p.name for p in THINGS.all_at(tmp_path, cohort="uk")] == ["things-000.parquet", "things-001.parquet"]
    assert THINGS.all_at(tmp_path, cohort="us") == []


def test_a_column_is_fixed_or_fits_a_pattern() -> None:
    assert all(map(THINGS.is_declared, ("id", "t:axis01", "e0000", "t:a\nb")))
    assert not any(map(THINGS.is_declared, ("ident", "t:", "e", "xe1", "T:axis01")))


def test_types_are_those_of_polars(whole: pl.DataFrame) -> None:
    assert THINGS.empty().schema == {"id": pl.String, "n": pl.Int32, "parts": pl.List(pl.String)}
    rows = [{"parts": [], "n": 2, "id": "a", "other": 1}]
    assert THINGS.from_rows(rows).rows() == [("a", 2, [])]
    with pytest.raises(KeyError):
        THINGS.from_rows([{"id": "a"}])


def test_every_entry_has_types_that_polars_knows() -> None:
    for name, entry in tables.entries().items():
        if isinstance(entry, tables.Table):
            assert len(entry.schema) == len(entry.columns), name


def test_fixed_columns_come_first_in_their_types(whole: pl.DataFrame) -> None:
    mixed = whole.select(pl.lit(1.5).alias("t:x"), "parts", pl.col("n").cast(pl.Int64), "id")
    made = THINGS.typed(mixed)
    assert made.columns == ["id", "n", "parts", "t:x"]
    assert made.drop("t:x").equals(whole)
    with pytest.raises(UserError, match=r"columns \['id'\] are missing"):
        THINGS.typed(whole.drop("id"))


def test_reading_takes_columns_and_gives_types(tmp_path: Path, whole: pl.DataFrame) -> None:
    path = tmp_path / "t.parquet"
    whole.with_columns(pl.col("n").cast(pl.Int64), pl.lit(2.0).alias("t:x")).write_parquet(path)
    assert THINGS.read(path).drop("t:x").equals(whole)
    assert THINGS.read(path, ["t:x", "n"]).schema == {"t:x": pl.Float64, "n": pl.Int32}
    assert THINGS.scan(path, ["n"]).filter(pl.col("n") > 1).collect()["n"].to_list() == [3]


def test_what_cannot_be_read_is_said_with_the_file(tmp_path: Path, whole: pl.DataFrame) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(UserError, match=r"t\.parquet: no such file; run"):
        THINGS.read(path)
    whole.drop("n").write_parquet(path)
    assert THINGS.read(path).equals(whole.drop("n"))
    with pytest.raises(UserError, match=r"t\.parquet: columns \['n'\] are missing"):
        THINGS.read_whole(path)
    with pytest.raises(UserError, match=r"t\.parquet: columns \['n'\] are missing"):
        THINGS.read(path, ["id", "n"])
    assert THINGS.read(path, ["id"]).height == 3
    whole.with_columns(n=pl.lit("many")).write_parquet(path)
    with pytest.raises(UserError, match=r"t\.parquet: conversion from `str` to `i32` failed in column 'n'"):
        THINGS.read(path)
    path.write_text("no table")
    with pytest.raises(UserError, match=r"t\.parquet: cannot be read as a table"):
        THINGS.read(path)


def test_batches_are_the_row_groups(tmp_path: Path, whole: pl.DataFrame) -> None:
    path = tmp_path / "t.parquet"
    with THINGS.writer(path) as writer:
        for chunk in (whole[:2], whole[:0], whole[2:]):
            writer.write(chunk)
    found = list(THINGS.batches(path, ["n"]))
    assert [batch.height for batch in found] == [2, 1]
    assert pl.concat(found).equals(whole.select("n"))


def test_a_table_in_chunks_is_the_table(tmp_path: Path, whole: pl.DataFrame) -> None:
    for name in ("first.parquet", "second.parquet"):
        with THINGS.writer(tmp_path / name) as writer:
            for chunk in (whole[:2], whole[:0], whole[2:].select("parts", "id", "n")):
                writer.write(chunk)
    assert pl.read_parquet(tmp_path / "first.parquet").equals(whole)
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()


def test_no_rows_are_a_table_too(tmp_path: Path) -> None:
    with THINGS.writer(tmp_path / "t.parquet"):
        pass
    assert pl.read_parquet(tmp_path / "t.parquet").equals(THINGS.empty())
    assert [batch.schema for batch in THINGS.batches(tmp_path / "t.parquet")] == [THINGS.schema]


def test_a_table_that_fails_half_way_is_not_there(tmp_path: Path, whole: pl.DataFrame) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(RuntimeError), THINGS.writer(path) as writer:
        writer.write(whole)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == [] or not path.exists()


def test_a_table_of_text_is_read_with_its_types(tmp_path: Path) -> None:
    row = dict.fromkeys(tables.RECOVERY.columns) | {"locus": "1:5", "found": True, "credible_set_size": 3}
    tables.RECOVERY.from_rows([row]).write_csv(tmp_path / "r.tsv", separator="\t")
    assert tables.RECOVERY.read(tmp_path / "r.tsv").schema == tables.RECOVERY.schema
    assert tables.RECOVERY.read(tmp_path / "r.tsv", ["found"])["found"].to_list() == [True]


def test_each_path_is_declared_once() -> None:
    paths = [entry.path for entry in tables.entries().values()]
    assert len(paths) == len(set(paths))
