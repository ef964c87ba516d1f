"""Baselines on tables: what they find, with what is missing, and that the test teaches them nothing."""

import numpy as np
import polars as pl
import pytest
import torch

from ecgwas.config import Predict
from ecgwas.predict.inputs import CohortFiles, Examples, FitInputs
from ecgwas.predict.methods import classical
from ecgwas.stats.discrimination import auroc

RNG = np.random.default_rng(3)


def cohort(n: int = 400) -> tuple[pl.DataFrame, np.ndarray]:
    split = np.array(["train", "validation", "test"])[np.searchsorted([0.6, 0.8], np.arange(n) / n, "right")]
    age, male = RNG.uniform(30, 80, n), RNG.random(n) < 0.5
    pr = 160 + 20 * RNG.standard_normal(n)
    y = (0.08 * (age - 55) + 0.05 * (pr - 160) + RNG.standard_normal(n) > 0.5).astype(float)
    names = {"recording_id": [f"r{k}" for k in range(n)], "person_id": [f"p{k}" for k in range(n)]}
    table = pl.DataFrame(names | {"split": split, "age": age, "sex": np.where(male, "male", "female"), "pr_ms": pr})
    return table.with_columns(pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("pr_ms").alias("pr_ms")), y


@pytest.mark.parametrize(("method", "least"), [("demographics", 0.75), ("intervals", 0.7)])
def test_age_and_sex_and_measurements_find_what_they_should(tmp_path, method, least):
    table, y = cohort()
    columns = ["recording_id", "person_id"]
    table.select(columns).write_parquet(tmp_path / "recordings.parquet")
    table.select("person_id", "age", "sex").write_csv(tmp_path / "people.csv")
    measured = table.select(
        "recording_id", "pr_ms", af=pl.lit(False), machine_pr_ms="pr_ms", p_axis_deg=pl.lit(None, pl.Float64)
    )
    measured.write_parquet(tmp_path / "intervals.parquet")
    measured.drop("af").write_parquet(tmp_path / "other.parquet")
    files = {name: tmp_path / f"{name}.parquet" for name in ("recordings", "intervals")}
    here = CohortFiles(**files, people=tmp_path / "people.csv")
    fitted = {"method": method} | classical.fit(FitInputs(method, Predict(), here, Examples(table, ("x",), y[:, None])))
    logits = classical.score(fitted, here, table["recording_id"]).logits
    test = (table["split"] == "test").to_numpy()
    assert auroc(y[test], logits[test, 0]) > least
    assert np.isfinite(logits).all()
    assert fitted["features"] == (["pr_ms", "af"] if method == "intervals" else ["age", "age_squared", "male"])
    other = CohortFiles(here.recordings, intervals=tmp_path / "other.parquet", people=here.people)
    assert np.isfinite(classical.score(fitted, other, table["recording_id"]).logits).all()
    turned = np.where(test, 1 - y, y)
    again = classical.fit(FitInputs(method, Predict(), here, Examples(table, ("x",), turned[:, None])))
    assert torch.equal(again["weight"], fitted["weight"])
