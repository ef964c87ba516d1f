"""Groups of people: where they come from, their measures and gaps, and nothing of the small ones."""

import numpy as np
import polars as pl
import pytest

from ecgwas.predict.evaluate import subgroups
from ecgwas.predict.evaluate.subgroups import GroupTables, ScoredRecordings
from ecgwas.stats import bootstrap, discrimination


def scored(n=600, seed=0, worse=None):
    """Scores of AUROC 0.76; `worse` [n] people have noise instead."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(int)
    s = y * (1 if worse is None else np.where(worse, 0, 1)) + rng.normal(size=n)
    draws = bootstrap.draw(np.arange(n), y[:, None].astype(float), 200, 1)
    return ScoredRecordings(y, s, np.arange(n), draws, 0.5)


def test_measures_and_gaps_are_those_of_the_groups_taken_alone():
    data = scored()
    group = np.where(np.arange(600) % 3 == 0, "x", "z")
    made = {(p.group, p.measure): p for p in subgroups.group_measures(data, group, 5, 5)}
    assert len(made) == 8
    inside = group == "x"
    alone = discrimination.auroc(data.y[inside], data.s[inside])
    rest = discrimination.auroc(data.y[~inside], data.s[~inside])
    part = made["x", "auroc"]
    assert part.value[0] == pytest.approx(alone)
    assert part.gap[0] == pytest.approx(alone - rest)
    assert part.gap[1] < part.gap[0] < part.gap[2]
    assert (part.people, part.cases) == (200, int(data.y[inside].sum()))
    case = inside & (data.y == 1)
    assert made["x", "sensitivity"].value[0] == pytest.approx((data.s[case] >= 0.5).mean())
    assert made["z", "auroc"].gap[0] == pytest.approx(-part.gap[0])


def test_a_planted_gap_is_found_and_none_is_not():
    group = np.where(np.arange(600) % 2 == 0, "x", "z")
    planted = next(subgroups.group_measures(scored(worse=group == "x"), group, 5, 5))
    assert planted.gap[2] < 0
    covered = 0
    for seed in range(60):
        part = next(subgroups.group_measures(scored(300, seed), group[:300], 5, 5))
        covered += part.gap[1] <= 0 <= part.gap[2]
    assert covered / 60 > 0.85


def test_small_groups_show_nothing_and_the_next_smallest_hides_them():
    group = np.r_[["a"] * 3, ["b"] * 97, ["c"] * 200, ["d"] * 300]
    made = list(subgroups.group_measures(scored(), group, 5, 5))
    hidden = [p for p in made if p.group in "ab"]
    assert [(p.people, p.cases, p.value, p.gap, p.measure) for p in hidden] == [(None,) * 5] * 2
    assert len({p.reason for p in hidden}) == 1  # which of them is the small one is not said
    assert {p.group for p in made if p.value} == {"c", "d"}


def test_too_few_cases_are_not_estimable():
    data = scored()
    group = np.where(np.arange(600) < 40, "few", "many")
    made = [p for p in subgroups.group_measures(data, group, 5, 30) if p.group == "few"]
    assert len(made) == 1
    assert made[0].value is None
    assert "fewer than 30" in made[0].reason


def test_groups_come_from_labels_recordings_people_and_samples(tmp_path):
    labels = pl.DataFrame(
        {"recording_id": ["1", "2", "3"], "person_id": ["p", "q", "r"], "sex": ["female", None, "male"]}
    ).with_columns(age=pl.Series([44.9, 45.0, None]))
    recordings = {"recording_id": ["3", "1"], "person_id": ["r", "p"], "device": ["B", "A"], "n_leads": [12, 8]}
    pl.DataFrame(recordings).write_parquet(tmp_path / "recordings.parquet")
    pl.DataFrame({"person_id": ["q"], "site": ["north"]}).write_csv(tmp_path / "people.csv")
    pl.DataFrame({"person_id": ["p", "q", "r"], "ancestry": ["EUR", "EUR", None]}).write_parquet(tmp_path / "s.parquet")
    columns = GroupTables(tmp_path / "recordings.parquet", tmp_path / "people.csv", tmp_path / "s.parquet")

    def of(name):
        made = subgroups.grouping(name, labels, columns, [45, 75])
        return made if isinstance(made, str) else made.tolist()

    assert of("sex") == ["female", "unknown", "male"]
    assert of("age") == ["<45", "45-75", "unknown"]
    assert of("device") == ["A", "unknown", "B"]
    assert of("leads") == ["8", "unknown", "12"]
    assert of("site") == ["unknown", "north", "unknown"]
    assert of("ancestry") == ["EUR", "EUR", "unknown"]
    assert of("bmi") == "the cohort has no column bmi"
    assert subgroups.grouping("age", labels.with_columns(age=None), columns, [45]) == "no age is known"


def test_rare_values_of_a_column_with_many_are_one_group():
    words = np.array([f"d{k}" for k in range(30) for _ in range(k + 1)])
    made = subgroups._largest(words)
    assert len(np.unique(made)) == subgroups.MOST_GROUPS + 1
    assert (made == subgroups.OTHER).sum() == sum(range(1, 11))
