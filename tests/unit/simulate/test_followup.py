"""Dates of a simulated cohort: hazards are those planted, nothing happens after the end, another recorder differs."""

import json
from datetime import date

import numpy as np
import polars as pl
import pytest
from statsmodels.duration.hazard_regression import PHReg

from ecgwas import config, study, tables
from ecgwas.predict.labels import labels
from ecgwas.simulate import devices, followup
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

PEOPLE = 4000


def cohort(seed: int, n: int = PEOPLE) -> dict:
    """Arguments of `simulate_followup` for n members, a fifth with two recordings, the last ten with none."""
    rng = np.random.default_rng(seed)
    member = rng.permutation(np.concatenate([np.arange(n - 10), np.arange(n // 5)]))
    return {
        "person_id": np.array([f"P{k:05d}" for k in rng.permutation(n)]),
        "values": {name: rng.normal(p.mean, p.sd, n) for name, p in PARAMETERS.items()},
        "male": rng.random(n) < 0.5,
        "people": {"age": rng.normal(57, 9, n)} | {name: (rng.random(n) < 0.05).astype(int) for name in followup.CODES},
        "recordings": pl.DataFrame(
            {"recording_id": [f"R{k:05d}" for k in range(len(member))], "member": member, "rhythm": "sinus"}
        ),
    }


def labelled(folder, seed: int):
    """labels.parquet and excluded.parquet of the incident outcomes, by the tables as written; and the cohort."""
    given = cohort(seed)
    made = followup.simulate_followup(**given, seed=seed)
    for name, table in made.items():
        table.write_csv(folder / f"{name}.csv")
    person = given["person_id"][given["recordings"]["member"].to_numpy()]
    blank = tables.RECORDINGS.empty()
    named = given["recordings"].select("recording_id", person_id=pl.Series(person))
    pl.concat([blank, named], how="diagonal").write_parquet(folder / "recordings.parquet")
    block = config.Labels(codes_column="codes", time_column="time", **{name: folder / f"{name}.csv" for name in made})
    patterns = {"af": "I48*", "hf": "I50*"}
    outcomes = {name: config.Outcome(codes=[code], kind="incident") for name, code in patterns.items()}
    out = folder / "labels.parquet", folder / "excluded.parquet"
    labels.main("made", folder / "recordings.parquet", config.Predict(outcomes=outcomes), *out, block, training=True)
    return given, made, pl.read_parquet(out[0]), pl.read_parquet(out[1])


def cox(given: dict, table: pl.DataFrame, years: str, event: pl.Series, weights: dict) -> tuple[np.ndarray, np.ndarray]:
    """Cox coefficients and their standard errors by statsmodels, terms standardised over the members."""
    terms = {"age": given["people"]["age"], "male": given["male"].astype(float)} | given["values"]
    columns = {t: terms[t] if t == "male" else (terms[t] - terms[t].mean()) / terms[t].std() for t in weights}
    design = pl.DataFrame({"person_id": given["person_id"], **columns})
    joined = table.select("person_id", years).with_columns(event=event).join(design, on="person_id", how="left")
    joined = joined.drop_nulls()
    fit = PHReg(joined[years].to_numpy(), joined.select(*weights).to_numpy(), status=joined["event"].to_numpy()).fit()
    return fit.params, fit.bse


def test_cox_finds_the_planted_hazard_ratios(tmp_path):
    z = []
    for seed in (1, 2, 3):
        given, _, table, _ = labelled(tmp_path, seed)
        for name in ("af", "hf"):
            weights = followup.HAZARDS[name][1]
            beta, se = cox(given, table, f"years:{name}", table[f"event:{name}"] == 1, weights)
            z += ((beta - list(weights.values())) / se).tolist()
    assert np.mean(np.abs(z) < 1.96) >= 0.83  # 24 intervals of 95 %: fewer than 20 have p 0.002
    assert np.max(np.abs(z)) < 4


def test_death_follows_its_hazards(tmp_path):
    given, made, _, _ = labelled(tmp_path, 4)
    start = made["statements"].with_columns(member=given["recordings"]["member"]).group_by("member").agg(
        start=pl.col("time").min().str.slice(0, 10).str.to_date()
    )  # fmt: skip
    start = start.select("start", person_id=pl.Series(given["person_id"][start["member"].to_numpy()]))
    table = made["followup"].join(start, on="person_id")
    table = table.with_columns(years=(pl.col("end") - pl.col("start")).dt.total_days() / 365.25)
    weights = followup.HAZARDS["death"][1]
    beta, se = cox(given, table, "years", table["death"].is_not_null(), weights)
    assert np.all(np.abs(beta - list(weights.values())) < 3.5 * se)


def test_gompertz_times_have_their_distribution_function():
    years = followup.gompertz(np.full(40_000, 0.02), np.random.default_rng(1))
    for t in (1.0, 10.0, 30.0):
        survival = np.exp(-0.02 * np.expm1(followup.GROWTH * t) / followup.GROWTH)
        assert np.mean(years > t) == pytest.approx(survival, abs=0.01)


def test_dates_are_in_order_and_prevalent_cases_come_before(tmp_path):
    given, made, table, gone = labelled(tmp_path, 5)
    ends, diagnoses = made["followup"], made["diagnoses"].join(made["followup"], on="person_id", how="left")
    assert ends["person_id"].n_unique() == ends.height == PEOPLE - 10
    assert diagnoses["end"].null_count() == 0  # nobody without a recording
    assert (diagnoses["date"].drop_nulls() <= diagnoses.filter(pl.col("date").is_not_null())["end"]).all()
    assert ends["end"].max() == date(2020, 12, 31)
    assert (ends["death"].drop_nulls() == ends.filter(pl.col("death").is_not_null())["end"]).all()
    member = given["recordings"]["member"].to_numpy()
    times = made["statements"].with_columns(person_id=pl.Series(given["person_id"][member])).join(ends, on="person_id")
    assert (times["time"].str.slice(0, 10).str.to_date() <= times["end"]).all()
    assert times.group_by("person_id").agg(pl.col("time").is_sorted())["time"].all()
    had = {p for p, case in zip(given["person_id"], given["people"]["af"], strict=True) if case}
    af = gone.filter(outcome="af")
    assert set(af["reason"]) == {"prevalent", "undated_diagnosis"}
    assert set(af["person_id"]) == had & set(ends["person_id"])
    assert {0, 1, 2} == set(table["event:af"].drop_nulls())


def test_the_truth_and_the_cohort_file_name_what_was_planted():
    given = cohort(1, 100)
    told = json.loads(json.dumps(followup.tell_followup(given["values"], given["people"]["age"])))
    assert told["hazards"]["af"]["log_hazard_ratios"] == followup.HAZARDS["af"][1]
    assert told["sd"]["pr_ms"] == pytest.approx(given["values"]["pr_ms"].std())
    made = study.simulated(config.Cohort(cohort="made", simulate=config.Simulate()))
    assert str(made.labels.diagnoses) == "simulated/made/diagnoses.csv"


def test_another_recorder_has_its_gain_band_and_noise():
    n, rate = 6, 500
    parameters = {name: np.full(n, p.mean) for name, p in PARAMETERS.items()}
    plain = simulate_recordings(parameters, np.full(n, "sinus"), np.random.default_rng(1), rate)
    plain[0, 7] = 0
    assert devices.as_recorded(plain, "a", np.random.default_rng(2), rate) is plain
    other = devices.as_recorded(plain, "b", np.random.default_rng(2), rate)
    assert np.all(other[0, 7] == 0)
    assert np.array_equal(other[:, 2], other[:, 1] - other[:, 0])  # III = II - I still
    spectrum = [np.abs(np.fft.rfft(x[1:, 1].astype(float))) for x in (plain, other)]
    hz = np.fft.rfftfreq(plain.shape[-1], 1 / rate)
    low = (hz > 0.5) & (hz < 8)
    assert np.median(spectrum[1][:, low] / spectrum[0][:, low]) == pytest.approx(1.03, abs=0.02)
    at_60 = np.argmin(np.abs(hz - 60))
    assert np.all(spectrum[1][:, at_60] > 5 * spectrum[1][:, at_60 - 20])
    half = spectrum[1][:, (hz > 150)].mean() / (12 * (plain.shape[-1] * np.pi / 4) ** 0.5)
    assert half == pytest.approx(1, abs=0.1)  # above its band there is its own white noise alone
