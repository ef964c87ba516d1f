"""A small study as the evaluation reads it: two cohorts, two methods, labels, scores and what is known of people."""

import numpy as np
import polars as pl
import pytest


def cohort(folder, name, n, seed, external=False, shift=0.0):
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    y = rng.random(n) < 1 / (1 + np.exp(-(2 * risk - 1.5 + shift)))
    common = rng.random(n) < 1 / (1 + np.exp(-risk))
    ids = [f"{name}{k:05d}" for k in range(n)]
    split = np.array(["test"] * n) if external else rng.choice(["train", "validation", "test"], n, p=[0.4, 0.3, 0.3])
    labels = pl.DataFrame(
        {
            "recording_id": ids,
            "person_id": ids,
            "split": split,
            "time": [f"20{10 + k % 6}-0{1 + k % 9}-11T10:00:00" for k in range(n)],
            "age": rng.uniform(30, 80, n),
            "sex": rng.choice(["female", "male"], n),
            "y:af": y.astype(float),
            "y:mi": common.astype(float),
            "y:rare": np.where(np.arange(n) < 2, 1.0, 0.0),
        }
    ).with_columns(pl.when(pl.arange(n) % 20 == 7).then(None).otherwise("y:mi").alias("y:mi"))
    labels.write_parquet(folder / f"{name}-labels.parquet")
    for method, noise in (("finetuned", 0.3), ("probe", 1.0)):
        seen = risk + noise * rng.normal(size=n)
        scores = {"recording_id": ids, "person_id": ids, "af": 4 * seen - 1, "mi": seen, "rare": seen, "reason": None}
        pl.DataFrame(scores).sample(fraction=1, shuffle=True, seed=1).write_parquet(folder / f"{name}-{method}.parquet")
    few = [
        pl.DataFrame({"recording_id": ids, "share": 0.1, "draw": d, "af": risk + 2 * rng.normal(size=n)})
        for d in range(2)
    ]
    pl.concat(few).with_columns(mi="af", rare="af").write_parquet(folder / f"{name}-few.parquet")
    pl.DataFrame(
        {
            "recording_id": ids,
            "person_id": ids,
            "device": rng.choice(["A", "B"], n),
            "n_leads": np.where(np.arange(n) % 100 == 3, 8, 12),
        }
    ).write_parquet(folder / f"{name}-recordings.parquet")


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    cohort(folder, "a", 1500, 1)
    cohort(folder, "b", 400, 2, external=True, shift=0.5)
    return folder
