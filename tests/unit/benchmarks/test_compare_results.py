"""Two results folders: what is the same, what is explained, and what is not."""

import gzip
import json

import numpy as np
import polars as pl
import pytest
from benchmarks import compare_results

TABLE = {
    "person_id": ["a", "b", "c"],
    "split": ["choose", "train", None],
    "beta": [1.0, float("nan"), None],
    "n": [1, 2, 3],
}


@pytest.fixture
def folders(tmp_path):
    """Two results folders with a file of each kind, the same in both."""
    for side in ("before", "after"):
        folder = tmp_path / side
        for inner in (".snakemake", "logs", "benchmarks/x", "pruned.mt", "models/net/resume"):
            (folder / inner).mkdir(parents=True)
            (folder / inner / "any.json").write_text(json.dumps(side))
        pl.DataFrame(TABLE | {"z": [[1.0, 2.0], [], [3.0]]}).write_parquet(folder / "table.parquet")
        pl.DataFrame({"step": [1], "recordings_per_s": [float(side == "after")]}).write_parquet(
            folder / "history.parquet"
        )
        np.save(folder / "signal.npy", np.arange(6, dtype=np.int16).reshape(2, 3))
        np.savez(folder / "transform.npz", mean=np.array([1.0, np.nan]), name=np.array(["a"]))
        (folder / "made.json").write_text(json.dumps({"git_commit": side, "split": {"choose": 0.1}, "of": ["choose"]}))
        (folder / "loci.tsv").write_text("trait\tp\nx\t1e-9\n")
        with gzip.GzipFile(folder / "loci.tsv.gz", "w", mtime=side == "after") as file:
            file.write(b"trait\tp\nx\t1e-9\n")
        (folder / "page.html").write_text(
            f"<p>commit {'ab' * 20 if side == 'after' else 'cd' * 20}</p>\n<p>choose</p>\n"
        )
    return tmp_path / "before", tmp_path / "after"


def outcomes(folders, renames=None, tolerance=0.0, expected=()):
    found = compare_results.compare(*folders, renames or {}, tolerance, list(expected))
    return {one.path: one for one in found}


def change(folder, **columns):
    """Other values in columns of the table."""
    pl.read_parquet(folder / "table.parquet").with_columns(**columns).write_parquet(folder / "table.parquet")


def test_speed_commits_and_times_of_archives_are_no_difference(folders, capsys):
    found = {path: one.outcome for path, one in outcomes(folders).items()}
    same = dict.fromkeys(["table.parquet", "signal.npy", "transform.npz", "loci.tsv"], "identical")
    assert found == same | dict.fromkeys(["history.parquet", "made.json", "loci.tsv.gz", "page.html"], "equal")
    assert compare_results.main([str(folder) for folder in folders]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["files"], last["identical"], last["equal"], last["explained"]) == (8, 4, 4, True)


@pytest.mark.parametrize(
    ("columns", "where", "what", "relative"),
    [
        ({"beta": pl.Series([1.1, float("nan"), None])}, "beta", "1 of 2 values", 0.1 / 1.1),
        ({"beta": pl.Series([-1.0, float("nan"), None])}, "beta", "1 of 2 values", 2),
        ({"beta": pl.Series([1.0, 2.0, None])}, "beta", "1 of 2 values", np.inf),
        ({"beta": pl.Series([1.0, None, float("nan")])}, "beta", "missing or not: 2 of 3 values", np.inf),
        ({"n": pl.Series([1, 2, 4])}, "n", "1 of 3 values", 0.25),
        ({"n": pl.Series([1.0, 2, 3])}, "n", "Int64 -> Float64", np.inf),
        ({"split": pl.Series(["choose", "test", None])}, "split", "1 of 3 values, the first 'train' -> 'test'", np.inf),
        ({"z": pl.Series([[1.0, 2.0], [], [4.0]])}, "z", "1 of 3 values", 0.25),
        ({"z": pl.Series([[1.0], [2.0], [3.0]])}, "z", "lists of other lengths", np.inf),
        ({"more": 1}, "more", "only in the second", np.inf),
    ],
)
def test_a_changed_column_is_named_with_its_largest_relative_difference(folders, columns, where, what, relative):
    change(folders[1], **columns)
    (one,) = [one for one in outcomes(folders).values() if one.outcome == "different"]
    (difference,) = one.differences
    assert (one.path, difference.where, difference.what) == ("table.parquet", where, what)
    assert difference.relative == pytest.approx(relative)


def test_rows_and_columns_that_are_missing_or_in_another_order(folders):
    table = pl.read_parquet(folders[1] / "table.parquet")
    table.select("n", "person_id", "split", "beta", "z").write_parquet(folders[1] / "table.parquet")
    assert [d.what for d in outcomes(folders)["table.parquet"].differences] == ["columns in another order"]
    table.drop("split").head(2).write_parquet(folders[1] / "table.parquet")
    whats = {d.where: d.what for d in outcomes(folders)["table.parquet"].differences}
    assert whats["split"] == "only in the first"
    assert whats["n"] == "3 -> 2 rows"


def test_a_renamed_word_explains_names_and_values_of_all_kinds_of_files(folders):
    table = pl.read_parquet(folders[1] / "table.parquet").rename({"n": "n_validation"})
    table.with_columns(split=pl.Series(["validation", "train", None])).write_parquet(folders[1] / "table.parquet")
    before = pl.read_parquet(folders[0] / "table.parquet").rename({"n": "n_choose"})
    before.write_parquet(folders[0] / "table.parquet")
    made = {"git_commit": "x", "split": {"validation": 0.1}, "of": ["validation"]}
    (folders[1] / "made.json").write_text(json.dumps(made))
    (folders[1] / "page.html").write_text("<p>commit " + "ab" * 20 + "</p>\n<p>validation</p>\n")
    found = outcomes(folders, {"choose": "validation"})
    assert {path for path, one in found.items() if one.outcome == "renamed"} == {
        "table.parquet",
        "made.json",
        "page.html",
    }
    assert {path for path, one in outcomes(folders).items() if one.outcome == "different"} == {
        "table.parquet", "made.json", "page.html",
    }  # fmt: skip


def test_a_renamed_word_explains_nothing_else(folders):
    change(folders[1], split=pl.Series(["validation", "test", None]))
    assert outcomes(folders, {"choose": "validation"})["table.parquet"].outcome == "different"
    assert (
        compare_results.renaming({"choose": "validation"})("chooses choose_n choose2") == "chooses validation_n choose2"
    )


def test_files_missing_on_either_side(folders, capsys):
    (folders[0] / "signal.npy").unlink()
    (folders[1] / "loci.tsv").unlink()
    found = {path: one for path, one in outcomes(folders).items() if one.outcome == "missing"}
    assert {path: one.differences[0].what for path, one in found.items()} == {
        "signal.npy": "only in the second",
        "loci.tsv": "only in the first",
    }
    assert compare_results.main([str(folder) for folder in folders]) == 1
    assert "missing           loci.tsv" in capsys.readouterr().out


def test_tolerance_and_expected_files_explain(folders):
    change(folders[1], beta=pl.Series([1.0 + 1e-7, float("nan"), None]))
    (folders[1] / "loci.tsv").write_text("trait\tp\nx\t2e-9\n")
    assert outcomes(folders)["loci.tsv"].differences[0].relative == pytest.approx(0.5)
    found = outcomes(folders, tolerance=1e-6, expected=["*.tsv"])
    assert (found["table.parquet"].outcome, found["loci.tsv"].outcome) == ("within_tolerance", "expected")
    assert outcomes(folders, tolerance=1e-8)["table.parquet"].outcome == "different"


def test_arrays_texts_and_other_bytes(folders):
    np.save(folders[1] / "signal.npy", np.arange(6, dtype=np.int16).reshape(3, 2))
    np.savez(folders[1] / "transform.npz", mean=np.array([1.0, np.nan]), name=np.array(["b"]))
    (folders[1] / "page.html").write_text("<p>another</p>\n")
    for folder, data in zip(folders, (b"a", b"b"), strict=True):
        (folder / "chr1.bed").write_bytes(data)
    found = {path: one.differences[0] for path, one in outcomes(folders).items() if one.outcome == "different"}
    assert found["signal.npy"].what == "int16 (2, 3) -> int16 (3, 2)"
    assert (found["transform.npz"].where, found["transform.npz"].what) == ("name", "values differ")
    assert found["page.html"].what.startswith("2 -> 1 lines, the first: <p>commit")
    assert found["chr1.bed"].what == "bytes differ"


def test_checkpoints_by_tensors(folders):
    torch = pytest.importorskip("torch")
    for folder, last in zip(folders, (1.0, 2.0), strict=True):
        torch.save({"weights": {"w": torch.tensor([3.0, last])}, "seed": 1}, folder / "net.pt")
    (difference,) = outcomes(folders)["net.pt"].differences
    assert (difference.where, difference.relative) == ("/weights/w", 0.5)


def test_unequal_integers_beyond_floats_differ():
    assert compare_results.relative(np.array([2**60]), np.array([2**60 + 1])) > 0
