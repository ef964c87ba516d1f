"""From columns of people and recordings to a design: against statsmodels, patsy and closed forms."""

import json
import re

import numpy as np
import pandas
import patsy
import polars as pl
import pytest
import statsmodels.api as sm

from ecgwas.config import Phenotypes
from ecgwas.errors import UserError
from ecgwas.phenotypes import check_covariates, design, traits

N = 240
CENTRES = np.array([11025, 11026, 11027])


@pytest.fixture
def cohort(tmp_path):
    """Files of 240 people with one value each, who are all kept; the people table is for the test to change."""
    rng = np.random.default_rng(4)
    ids = [f"p{i:03d}" for i in range(N)]
    people = {
        "person_id": ids,
        "sex": np.where(np.arange(N) % 2 == 0, "female", "male"),
        "age": rng.normal(60, 8, N),
        "bmi": rng.normal(27, 4, N).clip(17),
        "centre": CENTRES[rng.choice(3, N, p=[0.5, 0.3, 0.2])],
    }
    people = pl.DataFrame(people).with_columns(
        site=pl.col("centre").replace_strict(dict(zip(CENTRES.tolist(), ["north", "west", "east"], strict=True)))
    )
    people.write_csv(tmp_path / "people.csv")
    samples = pl.DataFrame({"sample_id": ids, "person_id": ids, "index": np.arange(N, dtype=np.int32)})
    samples.with_columns(keep=True, unrelated=True, copy_of=pl.lit(None, pl.String)).write_parquet(
        tmp_path / "samples.parquet"
    )
    pcs = pl.DataFrame(rng.normal(size=(N, 2)), schema=["pc1", "pc2"])
    pl.DataFrame({"sample_id": ids}).hstack(pcs).write_parquet(tmp_path / "pcs.parquet")
    y = rng.normal(size=N) + 0.05 * people["age"].to_numpy()
    pl.DataFrame({"recording_id": [f"r{i}" for i in range(N)], "person_id": ids, "y": y}).write_parquet(
        tmp_path / "values.parquet"
    )
    return tmp_path


def run(folder, covariates, pcs=0, recordings=False, **settings):
    """Tables of the step by name."""
    names = ("traits", "covariates", "reliability", "excluded")
    out = [folder / "out" / f"{name}.parquet" for name in names]
    inputs = [folder / name for name in ("people.csv", "samples.parquet", "pcs.parquet")]
    given = Phenotypes(covariates=covariates, pcs=pcs, rank_normalise=False, **settings)
    traits.main(
        folder / "values.parquet",
        False,
        *inputs,
        given,
        *out,
        folder / "out" / "transform.npz",
        recordings=folder / "recordings.parquet" if recordings else None,
    )
    return {name: pl.read_parquet(path) for name, path in zip(names, out, strict=True)}


def change(folder, **columns):
    """The people table with further columns, or others."""
    table = pl.read_csv(folder / "people.csv").with_columns(**columns)
    table.write_csv(folder / "people.csv")
    return table


def frame(folder):
    return pandas.read_csv(folder / "people.csv")


def spans(x, y):
    """Whether columns of `x` and of `y`, each with an intercept, span the same space."""
    a, b = (design.standardise(m) for m in (x, y))
    ranks = [np.linalg.matrix_rank(m, tol=1e-7 * np.sqrt(len(m))) for m in (a, b, np.column_stack([a, b]))]
    return len(set(ranks)) == 1


@pytest.mark.parametrize(
    ("entries", "formula"),
    [
        (["age", "age^2", "sex", "age:sex", "bmi"], "age + I(age**2) + C(sex) + age:C(sex) + bmi"),
        (["C(centre)"], "C(centre)"),
        (["site"], "C(centre)"),
        (["site", "age:site"], "C(site) + age:C(site)"),
        (["age", "age:C(centre)"], "age + age:C(centre)"),
        (["age*C(centre)*sex"], "age*C(centre)*C(sex)"),
        (["C(centre):site"], "C(centre):site"),
        (["numeric(centre)", "age:numeric(centre)", "age"], "centre + age:centre + age"),
        (["bs(age, df=4)"], "bs(age, df=4)"),
        (["bs(age, df=5)", "bs(age, df=5):sex", "sex"], "bs(age, df=5)*C(sex)"),
        (["bs(age, knots=c(55, 65), degree=2)"], "bs(age, knots=[55, 65], degree=2)"),
        (["cr(age, df=4)"], "cr(age, df=4)"),
        (["poly(age, 3)"], "age + I(age**2) + I(age**3)"),
        (["poly(age, 2, raw=TRUE)"], "age + I(age**2)"),
        (["log(bmi)"], "np.log(bmi)"),
        (["scale(bmi)", "scale(log(bmi))"], "bmi + np.log(bmi)"),
        (["(age + sex + bmi)^2"], "(age + C(sex) + bmi)**2"),
        (["C(sex)"], "C(sex)"),
        (["age^2"], "I(age**2)"),
        (["age", "age:bmi"], "age + age:bmi"),
    ],
)
def test_designs_span_what_patsy_s_do(cohort, entries, formula):
    made = run(cohort, entries)
    theirs = np.asarray(patsy.dmatrix(formula, frame(cohort)))
    ours = made["covariates"].drop("person_id", "sample_id").to_numpy()
    assert spans(ours, theirs[:, 1:])
    residual = sm.OLS(pl.read_parquet(cohort / "values.parquet")["y"].to_numpy(), theirs).fit().resid
    np.testing.assert_allclose(made["traits"]["y"].to_numpy(), residual, atol=1e-8)


def test_the_square_of_age_is_a_column_of_its_own(cohort):
    made = run(cohort, ["age", "age^2"])["covariates"]
    assert made.columns[2:] == ["age", "age^2"]
    age = frame(cohort)["age"].to_numpy()
    z = (age - age.mean()) / age.std()
    square = z**2
    np.testing.assert_allclose(made["age^2"].to_numpy(), (square - square.mean()) / square.std(), atol=1e-9)
    assert abs(np.corrcoef(made["age"], made["age^2"])[0, 1]) < 0.9


def test_levels_are_indicators_of_all_but_the_largest(cohort):
    made = run(cohort, ["site"])["covariates"]
    assert made.columns[2:] == ["site[T.west]", "site[T.east]"]
    east = (frame(cohort)["site"] == "east").to_numpy()
    assert np.array_equal(made["site[T.east]"].to_numpy() > 0, east)
    assert run(cohort, ["C(centre)"])["covariates"].columns[2:] == ["C(centre)[T.11026]", "C(centre)[T.11027]"]


def test_the_order_and_the_names_of_levels_change_nothing(cohort):
    first = run(cohort, ["site"])["traits"]["y"].to_numpy()
    change(cohort, site=pl.col("site").replace({"north": "z", "west": "a", "east": "m m, (1)"}))
    np.testing.assert_allclose(run(cohort, ["site"])["traits"]["y"].to_numpy(), first, atol=1e-9)


def test_codes_must_be_declared(cohort):
    with pytest.raises(
        UserError, match=r"centre holds 3 whole numbers \(11025, 11026, 11027, …\).*C\(centre\).*numeric\(centre\)"
    ):
        run(cohort, ["age", "centre"])
    with pytest.raises(UserError, match=r"numeric\(centre\)"):
        run(cohort, ["age:centre"])
    change(cohort, centre=pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise(pl.col("centre").cast(pl.Float64)))
    with pytest.raises(UserError, match=r"C\(centre\)"):  # 11025.0, as pandas writes codes with gaps
        run(cohort, ["centre"])
    assert run(cohort, ["C(centre)"])["covariates"].columns[2:] == ["C(centre)[T.11026]", "C(centre)[T.11027]"]


def test_what_needs_no_declaration(cohort):
    rng = np.random.default_rng(1)
    change(
        cohort,
        age=pl.Series(rng.integers(40, 70, N)),
        birth_year=pl.Series(rng.integers(1940, 1960, N)),
        smoker=pl.Series(rng.integers(0, 2, N)),
        steps=pl.Series(rng.permutation(N)),
    )
    made = run(cohort, ["age", "age^2", "birth_year", "smoker", "steps", "bmi"])
    assert made["covariates"].columns[2:] == ["age", "age^2", "birth_year", "smoker", "steps", "bmi"]
    change(cohort, education_years=pl.Series(rng.integers(7, 21, N)), room=pl.Series(rng.integers(2001, 2005, N)))
    for name in ("education_years", "room"):  # no calendar years: by the values, by the name
        with pytest.raises(UserError, match=rf"numeric\({name}\)"):
            run(cohort, [name])


@pytest.mark.parametrize(("word", "row"), [("b3", 6), ("1o", 0), ("12 kg", 239), ("inf", 3)])
def test_a_value_that_is_no_number_is_named_with_its_line(cohort, word, row):
    batch = [str(1 + i % 2) for i in range(N)]
    batch[row] = word
    change(cohort, batch=pl.Series(batch))
    with pytest.raises(UserError) as error:
        run(cohort, ["age", "batch"])
    for part in (f"'{word}'", f"line {row + 2}:", "C(batch)", "people.csv"):
        assert part in str(error.value)


def test_levels_that_look_like_numbers_in_part_can_be_declared(cohort):
    batch = ["1" if i % 3 else "2" if i % 2 else "b3" for i in range(N)]
    change(cohort, batch=pl.Series(batch))
    made = run(cohort, ["C(batch)"])
    assert spans(matrix(made), np.asarray(patsy.dmatrix("C(batch)", frame(cohort)))[:, 1:])


def matrix(made):
    return made["covariates"].drop("person_id", "sample_id").to_numpy()


def test_a_sex_that_is_no_word_for_one_is_missing_and_said(cohort, capsys):
    change(cohort, sex=pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("diverse?")).otherwise(pl.col("sex")))
    rows = run(cohort, ["sex"])["excluded"].filter(kind="person").select("id", "reason", "detail").rows()
    assert rows == [("p007", "missing_covariate", "sex")]
    assert "sex of 1 people is not understood, such as 'diverse?' (line 9)" in capsys.readouterr().out


def test_people_without_a_value_are_excluded_with_the_column(cohort):
    change(
        cohort,
        site=pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise(pl.col("site")),
        bmi=pl.when(pl.int_range(pl.len()).is_in([5, 8])).then(None).otherwise(pl.col("bmi")),
    )
    made = run(cohort, ["site", "log(bmi)", "bmi"])
    rows = made["excluded"].filter(kind="person").select("id", "reason", "detail").rows()
    assert rows == [("p005", "missing_covariate", "site, bmi"), ("p008", "missing_covariate", "bmi")]
    assert made["traits"].height == N - 2


def test_what_is_not_finite_is_an_error(cohort):
    change(cohort, bmi=pl.when(pl.int_range(pl.len()) == 4).then(0.0).otherwise(pl.col("bmi")))
    with pytest.raises(UserError, match=r"log\(bmi\) is not finite for 1 people, such as 'p004' \(bmi = 0.0\)"):
        run(cohort, ["log(bmi)"])
    change(cohort, bmi=-pl.col("bmi"))
    with pytest.raises(UserError, match="not finite"):
        run(cohort, ["age", "log(bmi)"])


def test_a_spline_that_cannot_be_computed_is_an_error(cohort):
    with pytest.raises(UserError, match=r"bs\(age, df=2\) cannot be computed"):
        run(cohort, ["bs(age, df=2)"])
    with pytest.raises(UserError, match=r"cannot be computed"):
        run(cohort, ["bs(age, upper_bound=60)"])


def test_small_levels_are_joined_and_reported(cohort):
    levels = pl.Series("x", ["a"] * 50 + ["b"] * 30 + ["c"] * 9 + ["d"] * 6)
    joined, which = design.with_few_joined(levels)
    assert dict(joined.value_counts().rows()) == {"a": 50, "b": 30, "other": 15}
    assert which == "joined as 'other': c (9), d (6)"
    few = pl.Series("x", ["a"] * 50 + ["b"] * 30 + ["c"] * 5)  # one small level alone joins the smallest other
    assert dict(design.with_few_joined(few)[0].value_counts().rows()) == {"a": 50, "other": 35}
    named = pl.Series("x", ["other"] * 50 + ["b"] * 30 + ["c"] * 9 + ["d"] * 6)
    assert dict(design.with_few_joined(named)[0].value_counts().rows()) == {"other": 50, "b": 30, "other_": 15}
    assert design.with_few_joined(pl.Series("x", ["a"] * 10 + ["b"] * 12))[1] == ""
    everyone = design.with_few_joined(pl.Series("x", [str(i) for i in range(30)]))[0]
    assert everyone.unique().to_list() == ["other"]

    change(cohort, clinic=pl.Series(["a"] * 120 + ["b"] * 105 + ["c"] * 9 + ["d"] * 6))
    made = run(cohort, ["clinic"])
    assert made["covariates"].columns[2:] == ["clinic[T.b]", "clinic[T.other]"]
    row = made["excluded"].filter(reason="few_people").select("kind", "id", "detail").rows()
    assert row == [("covariate", "clinic", "joined as 'other': c (9), d (6)")]


def test_a_column_of_one_level_or_of_names_is_reported_as_constant(cohort):
    change(cohort, country=pl.lit("DE"), name=pl.Series([f"n{i}" for i in range(N)]))
    made = run(cohort, ["country", "age", "name", "age:country"])
    assert made["covariates"].columns[2:] == ["age"]
    assert made["excluded"].filter(reason="collinear")["id"].to_list() == ["age:country", "country", "name"]


def test_a_column_called_as_a_component_of_the_genotypes_is_refused(cohort):
    change(cohort, pc1=pl.lit(0.5) * pl.col("bmi"))
    with pytest.raises(UserError, match="pc1 has the name of a principal component of the genotypes"):
        run(cohort, ["age", "pc1"], pcs=2)
    with pytest.raises(UserError, match="pc1"):
        run(cohort, ["log(pc1)"], pcs=2)
    made = run(cohort, ["age"], pcs=2)["covariates"]  # a column that is there and not named changes nothing
    theirs = pl.read_parquet(cohort / "pcs.parquet")["pc1"].to_numpy()
    assert np.corrcoef(made["pc1"], theirs)[0, 1] > 0.999999
    alone = run(cohort, ["age", "pc1"])["covariates"]
    assert np.corrcoef(alone["pc1"], frame(cohort)["bmi"])[0, 1] > 0.999999


@pytest.mark.parametrize("name", ["index", "sample_id_right", "detail", "person", "keep", "__b0__", "pc1_right", "len"])
def test_no_column_of_a_user_meets_one_of_ours(cohort, name):
    change(cohort, **{name: pl.col("bmi") * 2})
    made = run(cohort, ["age", name], pcs=2)["covariates"]
    assert np.corrcoef(made[name], frame(cohort)["bmi"])[0, 1] > 0.999999
    assert np.corrcoef(made["pc1"], pl.read_parquet(cohort / "pcs.parquet")["pc1"])[0, 1] > 0.999999


def test_ids_are_no_covariates(cohort):
    for name in ("person_id", "sample_id"):
        with pytest.raises(UserError, match="is not a column"):
            run(cohort, [name])


def test_two_covariates_of_one_name_are_refused(cohort):
    change(cohort, **{"age^2": pl.col("bmi")})
    made = run(cohort, ["age", "age^2"])["covariates"]  # a column of this name is meant
    assert np.corrcoef(made["age^2"], frame(cohort)["bmi"])[0, 1] > 0.999999
    with pytest.raises(UserError, match=r"two covariates are called 'age\^2'"):
        run(cohort, ["`age^2`", "age ** 2"])


@pytest.mark.parametrize("seed", [1, 2])
def test_centres_as_levels_leave_null_variants_calibrated(cohort, seed):
    """Three centres whose trait means and allele frequencies are not linear in their codes: mean t² is 1 with C()."""
    rng = np.random.default_rng(seed)
    variants = 4000
    place = np.searchsorted(CENTRES, frame(cohort)["centre"].to_numpy())
    y = np.array([0.0, 3.0, 0.5])[place] + rng.normal(size=N)
    values = pl.read_parquet(cohort / "values.parquet").with_columns(y=pl.Series(y))
    values.write_parquet(cohort / "values.parquet")
    frequency = rng.uniform(0.1, 0.5, (3, variants))[place]
    g = rng.binomial(2, frequency).astype(float)

    def mean_t2(entries):
        made = run(cohort, entries)
        q = np.linalg.qr(np.column_stack([np.ones(N), matrix(made)]))[0]
        rest = g - q @ (q.T @ g)
        trait = made["traits"]["y"].to_numpy()
        r = trait @ rest / np.linalg.norm(rest, axis=0) / np.linalg.norm(trait)
        df = N - q.shape[1] - 1
        return float(np.mean(df * r**2 / (1 - r**2)))

    assert mean_t2(["C(centre)"]) == pytest.approx(1.0, abs=0.08)
    assert mean_t2(["numeric(centre)"]) > 3
    with pytest.raises(UserError, match=r"C\(centre\)"):
        run(cohort, ["centre"])


def test_a_linear_change_of_a_column_changes_no_trait(cohort):
    entries = ["age", "age^2", "age:sex", "sex", "age:C(centre)", "C(centre)"]
    first = run(cohort, entries)["traits"]["y"].to_numpy()
    change(cohort, age=pl.col("age") * 1.2 - 7)
    np.testing.assert_allclose(run(cohort, entries)["traits"]["y"].to_numpy(), first, atol=1e-8)


def write_recordings(folder, **columns):
    """A recordings table: one each, and a second one of the first 60 people."""
    who = [*range(N), *range(60)]
    table = pl.DataFrame({"recording_id": [f"r{i}" for i in range(len(who))], "person_id": [f"p{i:03d}" for i in who]})
    start = [f"20{10 + (k >= N)}-0{1 + k % 9}-15T10:00:00" for k in range(len(who))]
    defaults = {"start_time": start, "device": ["A" if k % 3 else "B" for k in range(len(who))]}
    table = table.with_columns(**{k: pl.Series(v) for k, v in (defaults | columns).items()})
    table.with_columns(statements=pl.lit(None, pl.List(pl.String))).write_parquet(folder / "recordings.parquet")
    values = pl.read_parquet(folder / "values.parquet")
    again = values.head(60).with_columns(recording_id=pl.Series([f"r{N + i}" for i in range(60)]))
    pl.concat([values, again]).write_parquet(folder / "values.parquet")
    return table


def test_numbers_of_recordings_are_averaged(cohort):
    rng = np.random.default_rng(2)
    rate = rng.normal(500, 20, N + 60)
    write_recordings(cohort, rr_ms=rate)
    made = run(cohort, ["rr_ms"], recordings=True)["covariates"]
    mean = np.r_[(rate[:60] + rate[N:]) / 2, rate[60:N]]
    np.testing.assert_allclose(made["rr_ms"].to_numpy(), (mean - mean.mean()) / mean.std(), atol=1e-9)


def test_only_the_recordings_that_have_a_value_count(cohort):
    rng = np.random.default_rng(2)
    rate = rng.normal(500, 20, N + 60)
    write_recordings(cohort, rr_ms=rate)
    values = pl.read_parquet(cohort / "values.parquet")
    values.filter(~pl.col("recording_id").is_in([f"r{N + i}" for i in range(60)])).write_parquet(
        cohort / "values.parquet"
    )
    made = run(cohort, ["rr_ms"], recordings=True)["covariates"]
    assert np.corrcoef(made["rr_ms"], rate[:N])[0, 1] > 0.999999


def test_text_of_recordings_is_the_most_frequent_or_the_earliest(cohort):
    device = ["A"] * N + ["B"] * 60
    table = write_recordings(
        cohort, device=device, start_time=["2010-01-01"] * 200 + ["2012-01-01"] * 40 + ["2009-01-01"] * 60
    )
    assert table.height == N + 60
    made = run(cohort, ["device"], recordings=True)["covariates"]
    earliest = np.r_[np.ones(60), np.zeros(N - 60)] > 0
    assert np.array_equal(made["device[T.B]"].to_numpy() > 0, earliest)


def test_year_and_age_at_recording(cohort):
    write_recordings(cohort)
    born = pl.Series([f"{1940 + i % 20}-03-01" for i in range(N)])
    change(cohort, birth_date=born)
    made = run(cohort, ["recording_year", "age_at_recording"], recordings=True)["covariates"]
    starts = pl.read_parquet(cohort / "recordings.parquet")["start_time"].str.slice(0, 10).str.to_date()
    days = (starts[:N] - born.str.to_date()).dt.total_days().to_numpy() / 365.25
    again = (starts[N:] - born[:60].str.to_date()).dt.total_days().to_numpy() / 365.25
    age = np.r_[(days[:60] + again) / 2, days[60:]]
    np.testing.assert_allclose(made["age_at_recording"].to_numpy(), (age - age.mean()) / age.std(), atol=1e-9)
    year = np.r_[np.full(60, 2010.5), np.full(N - 60, 2010)]
    np.testing.assert_allclose(made["recording_year"].to_numpy(), (year - year.mean()) / year.std(), atol=1e-9)


def test_age_at_recording_from_the_year_of_birth(cohort):
    write_recordings(cohort)
    change(cohort, year_of_birth=pl.Series([1940 + i % 20 for i in range(N)]))
    made = run(cohort, ["age_at_recording"], recordings=True)["covariates"]
    assert abs(np.corrcoef(made["age_at_recording"], frame(cohort)["year_of_birth"])[0, 1]) > 0.99


BIRTHS = {
    "German": ("date_of_birth", "01.02.1950"),
    "a year": ("date_of_birth", "1950"),
    "a word": ("birth_date", "unknown"),
    "a code": ("birth_date", "0001-01-01"),
    "a doubtful year": ("birth_year", "1950?"),
    "no year": ("year_of_birth", "0"),
    "half a year": ("year_of_birth", "1950.5"),
    "a short year": ("year_of_birth", "50"),
}


@pytest.mark.parametrize("how", BIRTHS)
def test_births_matter_to_studies_that_use_the_age_at_recording_alone(cohort, how):
    name, odd = BIRTHS[how]
    write_recordings(cohort)
    fine = "1950-03-01" if "date" in name else "1950"
    change(cohort, **{name: pl.Series([odd if i == 4 else fine for i in range(N)])})
    made = run(cohort, ["age", "recording_year"], recordings=True)["covariates"]
    assert made.height == N
    checked = Phenotypes(covariates=["age", "recording_year"])
    check_covariates.main(cohort / "people.csv", checked, cohort / "covariates.json")
    with pytest.raises(UserError, match=rf"people.csv: line 6: {name} is "):
        run(cohort, ["age_at_recording"], recordings=True)
    with pytest.raises(UserError, match=rf"people.csv: line 6: {name} is "):
        check_covariates.main(
            cohort / "people.csv", Phenotypes(covariates=["log(age_at_recording)"]), cohort / "covariates.json"
        )


def test_the_first_check_says_that_births_are_missing(cohort):
    with pytest.raises(UserError, match=r"no covariate age_at_recording; .* birth_date"):
        check_covariates.main(
            cohort / "people.csv", Phenotypes(covariates=["age_at_recording"]), cohort / "covariates.json"
        )


def test_a_recording_before_birth_has_no_age(cohort, capsys):
    write_recordings(cohort)
    change(cohort, birth_date=pl.Series(["2020-01-01"] + [f"{1940 + i % 20}-03-01" for i in range(1, N)]))
    made = run(cohort, ["age_at_recording"], recordings=True)["covariates"]
    assert made.height == N - 1
    assert "age_at_recording of 2 recordings is no age" in capsys.readouterr().out


QUANTITIES = {
    "units": lambda k: f"{20 + k % 30} kg",
    "units without a blank": lambda k: f"{20 + k % 30}kg",
    "bounds": lambda k: f"<{20 + k % 30}",
    "thousands": lambda k: f"1'{200 + k % 30}.5",
    "a few decimal commas": lambda k: f"23,{k % 7}" if k % 3 == 0 else "unbekannt",
    "dates": lambda k: f"0{1 + k % 9}.02.1950",
    "mostly units": lambda k: "unknown" if k % 3 == 0 else f"{20 + k % 30} kg",
}


@pytest.mark.parametrize("how", QUANTITIES)
def test_numbers_with_marks_and_units_are_no_levels_unless_declared(cohort, how):
    values = [QUANTITIES[how](k) for k in range(N)]
    change(cohort, bmi=pl.Series(values))
    with pytest.raises(UserError, match=rf"line 2: covariate bmi is {re.escape(repr(values[0]))}, .* C\(bmi\)"):
        run(cohort, ["bmi"])
    assert run(cohort, ["C(bmi)"])["covariates"].width > 1


@pytest.mark.parametrize("values", [["1a", "1b", "2a"], ["1.5T", "3T"], ["<40", "40-60", ">60"], ["1st", "2nd", "3rd"]])
def test_levels_that_hold_digits_are_levels(cohort, values):
    change(cohort, batch=pl.Series([values[k % len(values)] for k in range(N)]))
    assert run(cohort, ["batch"])["covariates"].width == 2 + len(values) - 1  # of ids, and of levels but one


def test_errors_of_recordings_columns_say_what_to_do(cohort):
    with pytest.raises(UserError, match="device is of the recordings; give --recordings"):
        run(cohort, ["device"])
    write_recordings(cohort)
    with pytest.raises(UserError, match=r"age_at_recording; .* birth_date"):
        run(cohort, ["age_at_recording"], recordings=True)
    change(cohort, device=pl.lit("mine"))
    with pytest.raises(UserError, match="device is a column of this table and of the recordings"):
        run(cohort, ["device"], recordings=True)


def test_rates_of_recordings_are_levels_where_declared(cohort):
    write_recordings(cohort, rate_hz=[(250.0, 500.0, 1000.0)[k % 3] for k in range(N + 60)])
    with pytest.raises(UserError, match=r"rate_hz holds 3 whole numbers .* C\(rate_hz\)"):
        run(cohort, ["rate_hz"], recordings=True)
    made = run(cohort, ["C(rate_hz)"], recordings=True)["covariates"]
    assert len(made.columns) == 4


def test_the_command_line_takes_covariates(cohort):
    given = json.loads(Phenotypes(covariates=["C(centre)", "bs(age, df=4)"]).model_dump_json())
    assert Phenotypes(**given).covariates == ["C(centre)", "bs(age, df=4)"]


def test_covariates_are_checked_before_anything_is_computed(cohort):
    def checked(*entries):
        check_covariates.main(cohort / "people.csv", Phenotypes(covariates=list(entries)), cohort / "covariates.json")
        return json.loads((cohort / "covariates.json").read_text())

    assert checked("age", "C(centre)", "site", "C(device)", "bs(bmi, df=4)") == [
        {"column": "age", "of": "people", "as": "number", "distinct": N, "people": N},
        {"column": "centre", "of": "people", "as": "levels", "distinct": 3, "people": N},
        {"column": "site", "of": "people", "as": "levels", "distinct": 3, "people": N},
        {"column": "device", "of": "recordings"},
        {"column": "bmi", "of": "people", "as": "number", "distinct": len(set(frame(cohort)["bmi"])), "people": N},
    ]
    for entry, why in [("centre", r"numeric\(centre\)"), ("height", "not a column"), ("I(age)", "not allowed")]:
        with pytest.raises(UserError, match=why):
            checked("age", entry)
    odd = pl.int_range(pl.len()) == 7
    change(
        cohort,
        batch=pl.Series(["b3" if i == 7 else "1" for i in range(N)]),
        pc1=pl.col("bmi"),
        sex=pl.when(odd).then(pl.lit("?")).otherwise(pl.col("sex")),
    )
    assert checked("sex")[0]["people"] == N - 1  # as in people.parquet
    with pytest.raises(UserError, match=r"people\.csv: line 9: .*'b3'"):
        checked("batch")
    with pytest.raises(UserError, match="principal component"):
        checked("pc1")
