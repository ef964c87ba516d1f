"""Diseases from few and many labels: the fine-tuned model beside frozen, untrained, supervised and classical ones.

python benchmarks/prediction.py --work FOLDER [--model config/models/wide.yaml] [--quick true]

Predictors are fitted by the pipeline's own steps to folds 1 to 5 of the PTB-XL subset; fold 6 chooses settings and
thresholds; folds 7 and 8 are scored once, at the end, and never enter pretraining. Then the recordings of the CinC
Challenge 2021 that are not of PTB-XL, and simulated AF, MI and HF recorded by a second device, at the thresholds
carried over. All that takes time is kept in the work folder, so that an interrupted run goes on. The last line is JSON.
"""

import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one thread a predictor, as many predictors at once as there are threads
os.environ["OMP_NUM_THREADS"] = "1"
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the parts below, when run as a script
from benchmarks import prediction_device as device
from benchmarks import prediction_outcomes as outcomes
from benchmarks import representation_data as recordings
from benchmarks.prediction_fits import Job, Place, run_all
from benchmarks.representation import QUICK_STEPS, pool
from benchmarks.representation_models import recipe

from ecgwas import config
from ecgwas.cli import run
from ecgwas.config import METHODS
from ecgwas.predict.evaluate import evaluate_study, scored
from ecgwas.predict.evaluate.subgroups import GroupTables

PROJECT = Path(__file__).resolve().parents[1]
NAMES = {"xresnet1d": "xresnet"}  # in the JSON
SLOW = ("finetuned", "supervised", "xresnet1d")
DISEASE_METHODS = ("finetuned", "probe", "combined", "random", "intervals", "demographics")


class Plan(NamedTuple):
    """How much is done."""

    draws: dict[float, int]  # share of the labels: draws of people
    slow_draws: dict[float, int]  # of these, for networks that are trained
    predict: dict  # keys of config.Predict
    simulated: tuple[int, int]  # people learnt from, people with the second device


FULL = Plan(
    {1.0: 1, 0.5: 2, 0.1: 5, 0.05: 5, 0.01: 5},
    {1.0: 1, 0.5: 1, 0.1: 3, 0.05: 1, 0.01: 1},
    {"epochs": 15, "patience": 4, "learning_rates": [5e-4, 2e-3], "batch": 32, "resamples": 1000},
    (2000, 1000),
)
QUICK = Plan(
    {1.0: 1, 0.1: 2},
    {1.0: 1, 0.1: 1},
    {"epochs": 1, "patience": 1, "learning_rates": [1e-3], "batch": 64, "resamples": 100},
    (300, 300),
)


def jobs_of(plan: Plan, methods: Iterable[str], checkpoint: Path, train: Place, scored: tuple[Place, ...],
            settings: config.Predict, folder: Path) -> list[Job]:  # fmt: skip
    """Every method by every share and draw of the labels."""
    return [
        Job(method, share, draw, checkpoint, train, scored, settings, folder, 1)
        for method in methods
        for share, draws in (plan.slow_draws if method in SLOW else plan.draws).items()
        for draw in range(draws)
    ]


def evaluate_jobs(jobs: list[Job], places: list[Place], settings: config.Predict) -> dict[str, pl.DataFrame]:
    """The tables of the pipeline's evaluation, of the outcomes of `settings`."""
    cohorts = {}
    for place in places:
        labels = scored.read_labels(place.labels, settings)  # the macro average is over the outcomes of `settings`
        scores = scored.read_scores(labels, [job.method for job in jobs], [job.scores(place) for job in jobs])
        cohorts[place.folder.name] = (
            labels,
            scores,
            GroupTables(place.folder / recordings.RECORDINGS, place.people, None),
        )
    settings = settings.model_copy(update={"train": places[0].folder.name, "subgroups": ["sex", "age"]})
    made = evaluate_study.tabled(evaluate_study.evaluated(cohorts, settings, 1))
    return {Path(table.path).stem: frame for table, frame in made.items()}


def printed(title: str, table: pl.DataFrame) -> None:
    """A table in full."""
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, tbl_hide_dataframe_shape=True,
                   tbl_hide_column_data_types=True, float_precision=3, fmt_str_lengths=60):  # fmt: skip
        print(f"\n{title}\n{table}", flush=True)


def told(performance: pl.DataFrame, cohort: str, outcome: str, split: str = "test") -> dict[str, dict[int, dict]]:
    """{method: {share of labels, per cent: row}} of the AUROC of an outcome, or macro."""
    rows = performance.filter(cohort=cohort, outcome=outcome, split=split, metric="auroc")
    found: dict[str, dict[int, dict]] = {}
    for row in rows.iter_rows(named=True):
        found.setdefault(row["method"], {})[round(100 * row["label_share"])] = row
    return found


def against_supervised(tables: dict[str, pl.DataFrame], cohort: str, outcome: str) -> dict[str, object]:
    """The fine-tuned model less the supervised network with the better validation score, from few labels and all."""
    validation = told(tables["performance"], cohort, outcome, "validation")
    line = {}
    for share in (10, 100):
        values = {m: validation.get(m, {}).get(share, {}).get("value") for m in ("supervised", "xresnet1d")}
        known = {m: v for m, v in values.items() if v is not None}
        if not known:
            continue
        other = max(known, key=known.get)
        rows = tables["differences"].filter(
            cohort=cohort, outcome=outcome, split="test", method="finetuned", other=other, metric="auroc",
            test="bootstrap", label_share=share / 100,
        )  # fmt: skip
        for row in rows.iter_rows(named=True):
            goal = row["low"] > 0 if share == 10 else row["value"] > -0.01
            line[str(share)] = {"other": other, **{k: row[k] for k in ("value", "low", "high")}, "goal": bool(goal)}
    return line


def on_ptbxl(plan: Plan, checkpoint: Path, data: Path, work: Path, cohort: Path, threads: int) -> dict[str, object]:
    """PTB-XL's folds, and the recordings of the challenge beside them."""
    settings = config.Predict(outcomes=outcomes.outcomes(), splits=outcomes.FOLDS, min_cases=5, **plan.predict)
    here = Place(cohort, *outcomes.ptbxl(cohort, data, settings))
    folder = work / "cohorts" / "parts" / "ecg_cinc2021-without-ptbxl"
    there = Place(folder, *outcomes.cinc(folder, data, settings))
    jobs = jobs_of(plan, METHODS, checkpoint, here, (here, there), settings, work / "prediction")
    run_all(jobs, threads)
    line: dict[str, object] = {}
    for task, names in outcomes.TASKS.items():
        made = evaluate_jobs(jobs, [here, there], outcomes.of_task(settings, task))
        outcome = "macro" if len(names) > 1 else names[0]
        found = told(made["performance"], cohort.name, outcome)
        rows = [
            {"method": m, "labels, %": s, **{k: row[k] for k in ("value", "low", "high")}}
            for m, shares in found.items()
            for s, row in sorted(shares.items(), reverse=True)
        ]
        printed(f"PTB-XL, folds 7 and 8, {task}: macro AUROC", pl.DataFrame(rows))
        for method, shares in found.items():
            line |= {f"{NAMES.get(method, method)}_{task}_{s}": row["value"] for s, row in shares.items()}
        line[f"finetuned_less_supervised_{task}"] = against_supervised(made, cohort.name, outcome)
        external(made, folder.name, task)
    return line


def external(made: dict[str, pl.DataFrame], cohort: str, task: str) -> None:
    """Print what the challenge's recordings say: few, so most classes are not estimable."""
    auroc = made["performance"].filter(cohort=cohort, split="test", metric="auroc", label_share=1.0)
    shown = auroc.select("outcome", "method", "value", "low", "high", "n", "n_cases", "reason")
    printed(f"{cohort}, {task}: AUROC of predictors fitted to PTB-XL", shown.sort("outcome", "method"))
    carried = made["thresholds"].filter(cohort=cohort, split="test", method="finetuned")
    carried = carried.filter(pl.col("metric").is_in(["sensitivity", "specificity"]), pl.col("value").is_not_null())
    if carried.height:
        printed(f"{cohort}, {task}: fine-tuned, at the thresholds of fold 6",
                carried.select("outcome", "rule", "metric", "value", "low", "high", "n"))  # fmt: skip


def on_devices(plan: Plan, checkpoint: Path, work: Path, threads: int) -> dict[str, object]:
    """AF, MI and HF of simulated people, recorded by one device and judged also on another."""
    columns = {name: config.Outcome(column=name) for name in device.DISEASES}
    settings = config.Predict(outcomes=columns, min_cases=5, **plan.predict)
    first, second = (
        Place(*device.cohort(name, n, seed, other, work, settings))
        for name, n, seed, other in (
            ("device-a", plan.simulated[0], 1, False),
            ("device-b", plan.simulated[1], 2, True),
        )
    )
    one = plan._replace(draws={1.0: 1}, slow_draws={1.0: 1})
    jobs = jobs_of(one, DISEASE_METHODS, checkpoint, first, (first, second), settings, work / "prediction-devices")
    run_all(jobs, threads)
    made = evaluate_jobs(jobs, [first, second], settings)
    auroc = (
        made["performance"]
        .filter(split="test", metric="auroc")
        .select("cohort", "outcome", "method", "value", "low", "high", "n_cases")
    )
    printed("Simulated, AUROC", auroc)
    rows = made["thresholds"].filter(split="test", method="finetuned").filter(
        pl.col("metric").is_in(["sensitivity", "specificity", "ppv", "npv"])
    )  # fmt: skip
    printed("Simulated, fine-tuned, at the threshold of the validation split (device a)",
            rows.select("cohort", "outcome", "metric", "value", "low", "high", "n"))  # fmt: skip
    return {
        f"{row['cohort'].rsplit('-', 1)[0]}_{row['outcome']}_{row['metric']}": [row["value"], row["low"], row["high"]]
        for row in rows.iter_rows(named=True)
        if row["metric"] in ("sensitivity", "specificity")
    }


def main(
    work: Path,
    model: Path = PROJECT / "config" / "models" / "wide.yaml",
    data: Path | None = None,
    generated: int = 0,
    seed: int = 1,
    parts: str = "ptbxl,devices",
    quick: bool = False,
    threads: int = 2,
) -> None:
    """Print the tables and, last, one line of JSON.

    Args:
        work: folder for cohorts, models and all else that takes time; that of representation.py will do.
        model: recipe of the encoder, a file of config/models.
        data: folder of the real recordings; the environment's ECGWAS_REALDATA where left out.
        generated: generated recordings beside the real ones in pretraining.
        seed: seed of pretraining.
        parts: what to run, of ptbxl, devices.
        quick: a trial of few steps.
        threads: CPU threads, each with a predictor of its own.
    """
    began, plan = time.monotonic(), QUICK if quick else FULL
    folder = (data or Path(os.environ.get("ECGWAS_REALDATA", "../shared/data"))).resolve()
    work = (work / "quick" if quick else work).resolve()
    settings = recipe(model, **({"steps": QUICK_STEPS} if quick else {}))
    found = pool(folder, work, generated, threads)
    checkpoint = found.fitted(model.stem, settings, seed)
    line: dict[str, object] = {}
    if "ptbxl" in parts.split(","):
        line |= on_ptbxl(plan, checkpoint, folder, work, found.ptbxl, threads)
    if "devices" in parts.split(","):
        line |= on_devices(plan, checkpoint, work, threads)
    line |= {"model": model.stem, "generated": generated, "quick": quick, "seconds": round(time.monotonic() - began)}
    print(json.dumps(line))


if __name__ == "__main__":
    run(main)
