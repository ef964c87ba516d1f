"""What is read from an embedding is what was planted in it: no more, and not through people seen in training."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.embed import linear_probes, probing
from ecgwas.errors import UserError


def people(n: int, each: int) -> np.ndarray:
    return np.repeat([f"p{k:04d}" for k in range(n)], each)


def words(code: np.ndarray) -> pl.Series:
    return pl.Series([f"device {k}" for k in code])


def test_a_planted_offset_is_read_and_its_absence_too() -> None:
    rng = np.random.default_rng(1)
    person, code = people(300, 1), rng.integers(0, 3, 300)
    x = rng.standard_normal((300, 8))
    clean = probing.label(x, words(code), person, 1)
    assert clean.low < 0.5 < clean.high
    x[:, 2] += 1.5 * (code == 1)
    marked = probing.label(x, words(code), person, 1)
    assert marked.value > clean.value + 0.1
    assert marked.low > 0.5
    assert (marked.classes, marked.n, marked.people, marked.reason) == (3, 300, 300, None)


def test_the_area_of_a_known_offset() -> None:
    """Two normals d apart: AUROC = Phi(d / sqrt 2) (Green & Swets 1966)."""
    rng = np.random.default_rng(2)
    code = rng.integers(0, 2, 4000)
    x = rng.standard_normal((4000, 3))
    x[:, 0] += code
    score = probing.label(x, words(code), people(4000, 1), 1)
    assert score.value == pytest.approx(0.7602, abs=0.02)
    assert score.low < 0.7602 < score.high


def test_codes_of_people_do_not_leak_into_the_score() -> None:
    """Each person has a code and one device: recordings in another fold than their person's others would tell it."""
    rng = np.random.default_rng(3)
    person = people(60, 8)
    _, group = np.unique(person, return_inverse=True)
    x = rng.standard_normal((60, 200))[group] + 0.01 * rng.standard_normal((480, 200))
    code, number = rng.integers(0, 2, 60)[group], rng.standard_normal(60)[group]
    by_person = probing.label(x, words(code), person, 1)
    leaking = probing.label(x, words(code), np.arange(480).astype(str), 1)
    assert leaking.value > 0.95
    assert by_person.low < 0.5 < by_person.high
    assert probing.measurement(x, number, person, 1).value < 0.2
    assert probing.measurement(x, number, np.arange(480).astype(str), 1).value > 0.95
    fold = linear_probes.folds(person, 1)
    assert all(len(set(fold[person == p])) == 1 for p in set(person))


def test_r2_of_a_planted_share_of_variance() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((3000, 10))
    y = x @ rng.standard_normal(10)
    y += np.sqrt(np.var(y) / 3) * rng.standard_normal(3000)  # three quarters explained
    y[:100] = np.nan
    score = probing.measurement(x, y, people(3000, 1), 1)
    assert (score.n, score.people) == (2900, 2900)
    assert score.value == pytest.approx(0.75, abs=0.03)
    assert score.low < 0.75 < score.high


def test_icc_is_recovered_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(5)
    person = people(400, 2)
    _, group = np.unique(person, return_inverse=True)
    x = np.sqrt(0.7) * rng.standard_normal((400, 6))[group] + np.sqrt(0.3) * rng.standard_normal((800, 6))
    score = probing.repeatability(x, person, 1, replicates=40)
    assert score.value == pytest.approx(0.7, abs=0.05)
    assert score.low < 0.7 < score.high
    assert score.people == 400
    assert "fewer than 10" in probing.repeatability(x, np.arange(800).astype(str), 1).reason


def test_intervals_over_people_are_wider_and_cover_what_they_should() -> None:
    """Ten recordings a person, all of the person's own level: recordings are not independent, people are."""
    truth, covered, widths = 0.5, {"person": 0, "recording": 0}, {"person": 0.0, "recording": 0.0}
    trials = 60
    for trial in range(trials):
        rng = np.random.default_rng([6, trial])
        group = np.repeat(np.arange(60), 10)
        score, positive = rng.standard_normal(60)[group], rng.integers(0, 2, 60)[group] == 1
        for name, drawn in (("person", group), ("recording", np.arange(600))):
            pairs = [linear_probes.concordance(score, positive, w) for w in linear_probes.weights(drawn, trial, 100)]
            low, high = linear_probes.interval(np.concatenate([agree / of for agree, of in pairs]))
            covered[name] += low <= truth <= high
            widths[name] += (high - low) / trials
    assert widths["person"] > 2 * widths["recording"]
    assert 0.87 * trials <= covered["person"] <= trials
    assert covered["recording"] < 0.7 * trials


def test_concordance_is_the_count_of_pairs() -> None:
    rng = np.random.default_rng(7)
    score, positive, w = rng.integers(0, 5, 40).astype(float), rng.random(40) < 0.4, rng.integers(0, 3, (4, 40))
    agree, of = linear_probes.concordance(score, positive, w.astype(float))
    for k in range(4):
        s = np.repeat(score, w[k])
        p = np.repeat(positive, w[k])
        difference = s[p][:, None] - s[~p][None]
        assert agree[k] == (difference > 0).sum() + 0.5 * (difference == 0).sum()
        assert of[k] == difference.size


def test_ridge_is_the_closed_form() -> None:
    rng = np.random.default_rng(8)
    x, y, new = rng.standard_normal((80, 5)), rng.standard_normal((80, 2)), rng.standard_normal((7, 5))
    y += 3 * x[:, :2] + 10
    a, b = x - x.mean(0), y - y.mean(0)
    found, errors = [], []
    for penalty in 80 * linear_probes.PENALTIES:
        inverse = np.linalg.inv(a.T @ a + penalty * np.eye(5))
        hat = a @ inverse @ a.T + 1 / 80
        errors.append(((b - hat @ b) ** 2).sum() / (1 - np.trace(hat) / 80) ** 2)
        found.append(y.mean(0) + (new - x.mean(0)) @ inverse @ a.T @ b)
    np.testing.assert_allclose(linear_probes.ridge(x, y, new), found[int(np.argmin(errors))], rtol=1e-8)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([None] * 60, "no recording says it"),
        (["mV"] * 60, "one class only: mV"),
        (["mV"] * 55 + ["sd"] * 5, "1 of 2 classes with at least 10 people"),
    ],
)
def test_what_cannot_be_estimated_says_why(given: list, reason: str) -> None:
    x = np.random.default_rng(9).standard_normal((60, 3))
    score = probing.label(x, pl.Series(given, dtype=pl.String), people(60, 1), 1)
    assert (score.value, score.reason) == (None, reason)


def write(folder: Path, rng: np.random.Generator, device: str, shift: float, n: int = 80) -> dict[str, Path]:
    """One cohort of n recordings as files: an embedding that holds QT and, by `shift`, the cohort."""
    folder.mkdir()
    ids = {"recording_id": [f"r{k:03d}" for k in range(n)], "person_id": [f"p{k // 2:03d}" for k in range(n)]}
    paths = {name: folder / f"{name}.parquet" for name in ("values", "recordings", "intervals")}
    z = rng.standard_normal((n, 4))
    about = pl.DataFrame(ids).with_columns(device=pl.lit(device), rate_hz=500.0, unit=pl.lit("mV"))
    about = pl.concat([tables.RECORDINGS.empty(), about], how="diagonal_relaxed")
    about.write_parquet(paths["recordings"])
    measured = pl.DataFrame(ids).with_columns(qt_ms=pl.Series(400 + 20 * z[:, 0]))
    pl.concat([tables.INTERVALS.empty(), measured], how="diagonal_relaxed").write_parquet(paths["intervals"])
    table = pl.DataFrame(ids).with_columns(pl.Series(f"e{k:04d}", z[:, k] + shift * (k == 1)) for k in range(4))
    table[: n - 3].write_parquet(paths["values"])  # some recordings have no embedding
    return paths


def test_two_cohorts_as_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    both = [write(tmp_path / name, rng, f"of {name}", shift) for name, shift in (("one", 0.0), ("two", 3.0))]
    given = [[paths[name] for paths in both] for name in ("values", "recordings", "intervals")]
    probing.main("mine", ["one", "two"], *given, tmp_path / "readout.parquet", seed=3)
    made = pl.read_parquet(tmp_path / "readout.parquet")
    assert made.schema == tables.READOUT.schema
    assert made.columns == list(tables.READOUT.columns)
    rows = {(row["cohort"], row["quantity"]): row for row in made.iter_rows(named=True)}
    assert set(made["cohort"]) == {"all", "one", "two"}
    assert rows["all", "qt_ms"]["value"] > 0.95
    assert rows["all", "qt_ms"]["n"] == 154
    assert rows["all", "cohort"]["low"] > 0.9
    assert rows["all", "device"]["low"] > 0.9
    assert ("one", "cohort") not in rows
    assert rows["one", "device"]["reason"] == "one class only: of one"
    assert "0 people have a value" in rows["all", "pr_ms"]["reason"]
    assert rows["one", "repeatability"]["low"] < 0 < rows["one", "repeatability"]["high"]
    assert made.filter(pl.col("value").is_null() == pl.col("reason").is_null()).is_empty()
    probing.main("mine", ["one", "two"], *given, tmp_path / "again.parquet", seed=3)
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "readout.parquet").read_bytes()


def test_a_table_of_people_serves_every_recording_and_intervals_do_not_read_themselves(tmp_path: Path) -> None:
    paths = write(tmp_path / "one", np.random.default_rng(11), "a", 0.0)
    by_person = pl.read_parquet(paths["values"]).unique("person_id", maintain_order=True).drop("recording_id")
    by_person.write_parquet(tmp_path / "people.parquet")
    one = ["one"], [tmp_path / "people.parquet"], [paths["recordings"]], [paths["intervals"]]
    known = probing.gather(*one, False)
    assert known.table.height == 78
    assert np.array_equal(known.x[0::2], known.x[1::2])
    of_people = probing.readout(known, "truth", False, 1).filter(quantity="repeatability")
    assert of_people["reason"].to_list() == ["a table of people: one value a person"]
    classical = probing.gather(["one"], [paths["intervals"]], *one[2:], True)
    made = probing.readout(classical, "intervals", True, 1).filter(kind="wanted", score="R2")
    assert set(made["reason"]) == {"one of the model's own numbers"}


def test_a_table_without_numbers_and_cohorts_of_other_columns_are_refused(tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, np.random.default_rng(12), "a", 0.0) for name in ("one", "two"))
    pl.read_parquet(two["values"]).drop("e0003").write_parquet(two["values"])
    both = [[paths[name] for paths in (one, two)] for name in ("values", "recordings", "intervals")]
    with pytest.raises(UserError, match=r"two/values.parquet: 3 columns, 4 in another cohort"):
        probing.gather(["one", "two"], *both, False)
    with pytest.raises(UserError, match="no numeric column"):
        probing.numbers(one["values"], True)
