"""No small cell leaves a run: who knows the table and the rules cannot work one out. And what the views say is so."""

import collections
import itertools

import numpy as np
import pytest

from ecgwas.predict.evaluate import population
from ecgwas.predict.evaluate.population import PredictedRisks
from ecgwas.stats import disclosure


def published(people, cases, least):
    """All that is shown of a partition and its totals; None where nothing is."""
    seen = disclosure.shown(people, cases, least)
    if not seen.total_people:
        return None
    shown = disclosure.masked(people, seen.people), disclosure.masked(cases, seen.cases)
    total = int(cases.sum()) if seen.total_cases else None
    return (*map(tuple, shown), int(people.sum()), total)


def worlds(groups, largest, least, every_cases):
    """All partitions with the same published table, by table: what one who knows the rules is left with."""
    sizes = range(1, largest + 1)
    pairs = [(n, c) for n in sizes for c in (range(n + 1) if every_cases else (0,))]
    found = collections.defaultdict(list)
    for world in itertools.product(pairs, repeat=groups):
        people, cases = np.array(world).T
        table = published(people, cases, least)
        if table is not None:
            found[table].append((people, cases, people - cases))
    return found


@pytest.mark.parametrize(
    ("groups", "largest", "least", "every_cases"),
    [(2, 6, 3, True), (3, 5, 3, True), (3, 14, 4, False), (3, 12, 5, False), (4, 9, 3, False), (5, 6, 3, False)],
)
def test_no_hidden_number_can_be_worked_out_even_by_who_knows_the_rules(groups, largest, least, every_cases):
    for table, possible in worlds(groups, largest, least, every_cases).items():
        for counts in np.stack([np.array(world) for world in possible], axis=-1)[: 3 if every_cases else 1]:
            alone = (counts == counts[:, :1]).all(1)
            assert not (alone & (counts[:, 0] < least)).any(), table


def test_what_is_shown_is_never_small_and_one_hidden_group_hides_the_next_smallest():
    people, cases = np.array([3, 40, 20, 100]), np.array([1, 20, 10, 50])
    seen = disclosure.shown(people, cases, 5)
    assert seen.people.tolist() == [False, True, False, True]
    assert seen.cases.tolist() == [False, True, False, True]
    rng = np.random.default_rng(0)
    for _ in range(300):
        people = rng.integers(1, 40, rng.integers(1, 8))
        cases = rng.binomial(people, rng.random())
        seen = disclosure.shown(people, cases, 5)
        assert (people[seen.people] >= 5).all()
        assert (cases[seen.cases] >= 5).all()
        assert ((people - cases)[seen.cases] >= 5).all()
        assert (~seen.people).sum() != 1 or not seen.total_people
        assert not (seen.cases & ~seen.people).any()


def drawn(n=2000, seed=0, years=6, rate=-2.0):
    rng = np.random.default_rng(seed)
    risk = 1 / (1 + np.exp(-(rng.normal(size=n) * 1.5 + rate)))
    time = np.array([f"{2010 + k % years}-{1 + k % 12:02d}-03T08:00:00" for k in range(n)])
    return PredictedRisks(risk, (rng.random(n) < risk).astype(int), time)


def test_no_view_shows_a_small_number():
    for seed in range(10):
        people = drawn(300, seed, rate=-3)
        groups = {
            "site": np.random.default_rng(seed).choice(list("abcdefgh"), 300, p=[0.5, 0.3, 0.1, 0.06] + [0.01] * 4)
        }
        for row in population.view(people, 5, groups):
            assert row.people is None or row.people >= 5
            assert row.cases is None or (row.cases >= 5 and row.people - row.cases >= 5)
            assert row.observed is None or row.cases is not None


def test_totals_do_not_give_hidden_groups_back():
    people = drawn(400)
    site = np.r_[["tiny"] * 2, ["small"] * 30, ["large"] * 368]
    rows = [row for row in population.view(people, 5, {"site": site}) if row.view == "site"]
    known = {row.group: row.people for row in rows}
    assert known == {"tiny": None, "small": None, "large": 368}


def test_bands_and_screening_say_who_is_at_risk():
    people = drawn()
    rows = population.view(people, 5, {})
    bands = [row for row in rows if row.view == "risk"]
    assert sum(row.people for row in bands) == 2000
    assert sum(row.cases for row in bands) == people.y.sum()
    assert all(a.risk[0] < b.risk[0] for a, b in itertools.pairwise(bands))
    top = next(row for row in rows if row.group == "highest 10 %")
    highest = people.y[np.argsort(people.risk)[-200:]]
    assert (top.people, top.cases) == (200, highest.sum())
    assert top.screen[0] == pytest.approx(200 / highest.sum())
    assert top.screen[1] < top.screen[0] < top.screen[2]
    assert top.found == pytest.approx(highest.sum() / people.y.sum())


def test_dates_are_years_or_months_and_tell_a_trend():
    people = drawn(years=6)
    risk = np.clip(people.risk + np.array([int(t[:4]) - 2010 for t in people.time]) / 20, 0, 1)
    rows = population.view(PredictedRisks(risk, people.y, people.time), 5, {})
    years = [row for row in rows if row.view == "date"]
    assert [row.group for row in years] == [str(year) for year in range(2010, 2016)]
    assert all(a.risk[0] < b.risk[0] for a, b in itertools.pairwise(years))
    assert {len(word) for word in population.dates(drawn(years=2).time)} == {7}
    assert population.dates(np.array(["", "2011-05-01"])).tolist() == ["unknown", "2011-05"]


def test_each_person_is_told_once_by_the_latest_recording():
    person = np.array([0, 1, 0, 1, 2])
    time = np.array(["2012-01-01", "2015-01-01", "2011-01-01", "", ""])
    assert population.latest(person, time).tolist() == [0, 1, 4]


def test_few_people_or_cases_leave_only_what_is_allowed():
    few = PredictedRisks(np.array([0.1, 0.2]), np.array([0, 1]), np.array(["", ""]))
    assert [(row.view, row.people) for row in population.view(few, 5, {})] == [("total", None)]
    healthy = PredictedRisks(np.linspace(0.1, 0.2, 50), np.zeros(50, int), np.array([""] * 50))
    rows = population.view(healthy, 5, {})
    assert [(row.view, row.group, row.people, row.cases) for row in rows] == [
        ("total", "all", 50, None),
        ("risk", "0-100 %", 50, None),
    ]
