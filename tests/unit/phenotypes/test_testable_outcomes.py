"""0/1 outcomes of the people table: read as written, or excluded with a reason."""

import numpy as np
import polars as pl
import pytest
from tests.unit.phenotypes.test_traits import cohort  # noqa: F401 (a fixture)

from ecgwas.config import Phenotypes
from ecgwas.errors import UserError
from ecgwas.people.outcomes import read_outcomes
from ecgwas.phenotypes import design, testable_outcomes, traits


@pytest.fixture
def people(cohort):  # noqa: F811
    """The cohort's people with outcomes: af, dead (a third unknown), rare (3 cases), late (told by age)."""
    table = pl.read_csv(cohort / "people.csv")
    rng = np.random.default_rng(2)
    age, n = table["age"].to_numpy(), table.height
    dead = [None if i % 3 == 0 else str(bool(v)).lower() for i, v in enumerate(rng.random(n) < 0.5)]
    table = table.with_columns(
        af=pl.Series((rng.random(n) < 0.3).astype(int)), dead=pl.Series(dead), rare=pl.Series(np.arange(n) < 3),
        late=pl.Series((age > np.median(age)).astype(int)),
    )  # fmt: skip
    table.write_csv(cohort / "people.csv")
    return cohort


def run(folder, names, **settings):
    inputs = [folder / name for name in ("people.csv", "samples.parquet", "pcs.parquet")]
    outputs = [folder / "out" / f"{name}.parquet" for name in ("traits", "covariates", "reliability", "excluded")]
    settings = Phenotypes(**({"pcs": 3} | settings))
    values, transform = folder / "people.csv", folder / "out" / "transform.npz"
    traits.main(values, False, *inputs, settings, *outputs, transform, outcomes=names)
    return [pl.read_parquet(path) for path in outputs]


def test_outcomes_are_traits_as_they_were_written(people):
    made, covariates, reliability, excluded = run(people, ["af", "dead"])
    assert made.schema["af"] == made.schema["dead"] == pl.Boolean
    known = made.join(pl.read_csv(people / "people.csv"), on="person_id", how="left", maintain_order="left")
    assert known["af"].cast(pl.Int64).equals(known["af_right"])
    assert known["dead"].cast(pl.String).equals(known["dead_right"].cast(pl.String))
    assert known["dead"].null_count() > 50
    assert made["sample_id"].equals(covariates["sample_id"])
    assert reliability.is_empty()
    reasons = set(excluded.filter(kind="person")["reason"])
    assert reasons == {"missing_covariate", "genotype_qc", "duplicate", "related"}


def test_what_cannot_be_tested_is_set_aside_with_its_reason(people):
    made, *_, excluded = run(people, ["af", "rare", "late"])
    assert made.columns == ["person_id", "sample_id", "af"]
    found = {row["id"]: (row["reason"], row["detail"]) for row in excluded.filter(kind="trait").iter_rows(named=True)}
    assert found["rare"][0] == "too_few_cases"
    assert "cases and" in found["rare"][1]
    assert found["late"][0] == "separated"
    with pytest.raises(UserError, match=r"no outcome is left.*rare: too_few_cases"):
        run(people, ["rare"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2, 1], "outcome x of row 2 by person_id is neither 0 nor 1"),
        (["0", "yes", ""], "outcome x of row 2"),
        ([None, None, None], "no person has a value of x"),
    ],
)
def test_other_codings_are_refused(tmp_path, values, message):
    pl.DataFrame({"person_id": ["a", "b", "c"], "x": values}).write_parquet(tmp_path / "people.parquet")
    with pytest.raises(UserError, match=message):
        read_outcomes(tmp_path / "people.parquet", ["x"])


def test_absent_columns_and_repeated_people_are_named(tmp_path):
    pl.DataFrame({"person_id": ["a", "a"], "x": [0, 1]}).write_parquet(tmp_path / "people.parquet")
    with pytest.raises(UserError, match="person 'a' appears more than once"):
        read_outcomes(tmp_path / "people.parquet", ["x"])
    with pytest.raises(UserError, match="no column heart"):
        read_outcomes(tmp_path / "people.parquet", ["heart"])


def test_an_outcome_known_in_one_sex_is_kept():
    rng = np.random.default_rng(1)
    sex, age = np.repeat([0.0, 1.0], 1000), rng.normal(size=2000)
    c = design.standardise(np.column_stack([age, sex, age * (sex - 0.5)]))
    y = rng.integers(0, 2, 2000).astype(float)
    y[sex == 0] = np.nan
    kept, excluded = testable_outcomes.testable(y[:, None], ["prostate"], c, 50)
    assert kept == [0]
    assert excluded.is_empty()
