"""Parts of the prediction benchmark: who teaches, what the codes mean, scored once, what the JSON says."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks import prediction, prediction_fits, prediction_outcomes
from benchmarks.prediction_fits import Job, Place
from benchmarks.representation_data import RECORDINGS, SUPERCLASSES

from ecgwas import config
from ecgwas.errors import UserError
from ecgwas.predict.inputs import read_examples

# Names of the challenge's codes, from its organisers' dx_mapping_scored.csv and dx_mapping_unscored.csv (2021).
INFARCTION = {"164865005", "57054005", "54329005", "164867002"}  # of any age or wall
ISCHAEMIA = {"164861001", "413444003", "413844008", "426434006", "425419005", "425623009"}
BLOCKS = {"270492004", "195042002", "27885002", "713427006", "59118001", "713426002", "733534002", "164909002",
          "251120003", "445118002", "445211001", "698252002", "74390002"}  # fmt: skip
CHAMBERS = {"164873001", "89792004", "67741000119109", "253352002", "446358003", "446813000"}
SETTINGS = config.Predict(outcomes=prediction_outcomes.outcomes(), splits=prediction_outcomes.FOLDS, min_cases=5)


def write_recordings(cohort: Path, ids: list[str]) -> None:
    """recordings.parquet of a cohort's folder, one recording a person."""
    (cohort / RECORDINGS).parent.mkdir(parents=True, exist_ok=True)
    table = pl.DataFrame({"recording_id": ids, "person_id": ids}).with_columns(start_time=pl.lit(None, pl.String))
    table.write_parquet(cohort / RECORDINGS)


@pytest.fixture
def subset(tmp_path) -> tuple[Path, Path]:
    """Folders of a cohort and of data: 1,000 recordings in folds 1 to 10 with statements of every class."""
    codes = [*(text.split()[0] for text in SUPERCLASSES.values()), *prediction_outcomes.RHYTHMS]
    cohort, data = tmp_path / "ptbxl", tmp_path / "data"
    (data / "ecg_ptbxl_subset").mkdir(parents=True)
    ids = [str(1000 + k) for k in range(1000)]
    write_recordings(cohort, ids)
    table = {"ecg_id": ids, "age": [300.0, 50.0] * 500, "sex_0male_1female": [0, 1] * 500}
    table |= {"strat_fold": [k % 10 + 1 for k in range(1000)], "scp_codes": [codes[k // 10 % 10] for k in range(1000)]}
    pl.DataFrame(table).write_csv(data / "ecg_ptbxl_subset" / "labels.csv")
    return cohort, data


def test_folds_teach_choose_and_test(subset) -> None:
    labels, people = prediction_outcomes.ptbxl(*subset, SETTINGS)
    fold = pl.col("recording_id").cast(pl.Int32) % 10 + 1
    folds = pl.read_parquet(labels).group_by("split").agg(fold.unique().sort().alias("folds"))
    assert dict(folds.iter_rows()) == {"train": [1, 2, 3, 4, 5], "validation": [6], "test": [7, 8]}
    assert pl.read_csv(people)["age"].max() == 90
    for share in (1.0, 0.5):
        taught, _ = read_examples(labels, SETTINGS, share, 0)
        assert set(taught.table.select(fold).to_series()) <= {1, 2, 3, 4, 5, 6}


def test_codes_of_the_challenge_say_what_ptbxl_says() -> None:
    sets = {name: set(codes.split()) for name, codes in prediction_outcomes.SNOMED.items()}
    assert (sets["MI"], sets["CD"], sets["HYP"]) == (INFARCTION, BLOCKS, CHAMBERS)
    assert sets["STTC"] == ISCHAEMIA | {"164934002", "55930002", "428750005", "111975006"}
    assert sum(map(len, sets.values())) == len(set.union(*sets.values()))  # a code is of one class
    assert set(sets) | {"NORM"} == set(SETTINGS.outcomes)
    assert set(SUPERCLASSES["MI"].split()) | INFARCTION == set(SETTINGS.outcomes["MI"].codes)


def test_recordings_of_ptbxl_among_the_challenge_are_refused(subset) -> None:
    cohort, data = subset
    write_recordings(cohort, ["E1", "HR06000"])
    with pytest.raises(UserError, match="HR06000 is a recording of PTB-XL"):
        prediction_outcomes.cinc(cohort, data, SETTINGS)


def test_headers_of_the_challenge(tmp_path) -> None:
    path = tmp_path / "E1.hea"
    path.write_text("E1 12 500 5000\n# Age: NaN\n#Sex: Female\n# Dx: 164865005,426783006\n")
    assert prediction_outcomes.header(path) == {"age": None, "sex": "female", "codes": "164865005;426783006"}


def test_a_predictor_is_fitted_and_scored_once(subset, monkeypatch, tmp_path) -> None:
    cohort, data = subset
    place, done = Place(cohort, *prediction_outcomes.ptbxl(cohort, data, SETTINGS)), []

    def write(name):
        def step(*args, **given):
            done.append(name)
            (given.get("predictor") or given["scores"]).touch()

        return step

    monkeypatch.setattr(prediction_fits.fit, "main", write("fit"))
    monkeypatch.setattr(prediction_fits.score, "main", write("score"))
    job = Job("demographics", 0.1, 2, tmp_path / "checkpoint.pt", place, (place,), SETTINGS, tmp_path / "fits", 1)
    assert prediction_fits.run(job) == prediction_fits.run(job)
    assert done == ["fit", "score"]
    assert job._replace(settings=SETTINGS.model_copy(update={"epochs": 7})).predictor != job.predictor
    assert len({job._replace(draw=draw, share=share).predictor for draw in (0, 1) for share in (0.1, 1.0)}) == 4


def test_every_method_meets_the_same_draws() -> None:
    place = Place(Path("a"), Path("b"), Path("c"))
    jobs = prediction.jobs_of(prediction.FULL, config.METHODS, Path("m"), place, (place,), SETTINGS, Path("f"))
    drawn = {method: {(job.share, job.draw) for job in jobs if job.method == method} for method in config.METHODS}
    assert all(drawn["finetuned"] == drawn[method] for method in ("supervised", "xresnet1d"))
    assert all(drawn["finetuned"] <= found for found in drawn.values())
    assert {share for share, _ in drawn["finetuned"]} == {0.01, 0.05, 0.1, 0.5, 1.0}


@pytest.mark.parametrize(("better", "goals"), [("supervised", (True, False)), ("xresnet1d", (False, True))])
def test_those_who_choose_choose_the_opponent(better, goals) -> None:
    about = {"cohort": "c", "outcome": "macro", "metric": "auroc"}
    both = [(m, s) for m in ("supervised", "xresnet1d") for s in (0.1, 1.0)]
    value = {m: 0.9 if m == better else 0.8 for m, _ in both}
    rows = [about | {"method": m, "label_share": s, "split": "validation", "value": value[m]} for m, s in both]
    low = {"supervised": 0.001, "xresnet1d": -0.001}
    less = {"supervised": -0.02, "xresnet1d": -0.005}
    same = {"method": "finetuned", "split": "test", "test": "bootstrap", "high": 0.1}
    differences = [
        about | same | {"other": m, "label_share": s, "value": less[m] if s == 1 else 0.03, "low": low[m]}
        for m, s in both
    ]
    tables = {"performance": pl.DataFrame(rows), "differences": pl.DataFrame(differences)}
    line = prediction.against_supervised(tables, "c", "macro")
    assert [line[share]["other"] for share in ("10", "100")] == [better, better]
    assert tuple(line[share]["goal"] for share in ("10", "100")) == goals


def test_the_json_names_methods_and_shares(subset, monkeypatch, tmp_path) -> None:
    rng, resamples = np.random.default_rng(1), {"resamples": 100}

    def scored(jobs, threads):
        for job in jobs:
            for place in job.scored:
                ids = pl.read_parquet(place.labels, columns=["recording_id", "person_id"])
                about = {"method": job.method, "share": job.share, "draw": job.draw, "reason": None}
                logits = {name: rng.standard_normal(ids.height) for name in job.settings.outcomes}
                job.scores(place).parent.mkdir(exist_ok=True)
                table = ids.with_columns(pl.lit(v).alias(k) for k, v in about.items())
                table.with_columns(pl.Series(k, v) for k, v in logits.items()).write_parquet(job.scores(place))

    cohort, data = subset
    there = tmp_path / "cohorts" / "parts" / "ecg_cinc2021-without-ptbxl"
    (data / "ecg_cinc2021").mkdir()
    ids = [f"E{k}" for k in range(12)]
    write_recordings(there, ids)
    for k, name in enumerate(ids):
        code = "270492004" if k % 2 else "426783006"
        (data / "ecg_cinc2021" / f"{name}.hea").write_text(f"#Age: 50\n#Sex: Male\n#Dx: {code}\n")
    monkeypatch.setattr(prediction, "run_all", scored)
    plan = prediction.Plan({1.0: 1, 0.1: 1}, {1.0: 1, 0.1: 1}, resamples, (0, 0))
    line = prediction.on_ptbxl(plan, tmp_path / "checkpoint.pt", data, tmp_path, cohort, 1)
    methods = ("finetuned", "probe", "random", "supervised", "xresnet", "intervals", "demographics")
    assert {f"{method}_superdiagnostic_{share}" for method in methods for share in (10, 100)} <= set(line)
    assert set(line["finetuned_less_supervised_superdiagnostic"]) == {"10", "100"}


def test_the_macro_average_is_over_the_outcomes_of_a_task(subset, tmp_path) -> None:
    cohort, data = subset
    place = Place(cohort, *prediction_outcomes.ptbxl(cohort, data, SETTINGS))
    job = Job("intervals", 1.0, 0, tmp_path / "m.pt", place, (place,), SETTINGS, tmp_path, 1)
    scores, rng = pl.read_parquet(place.labels).select("recording_id"), np.random.default_rng(1)
    scores = scores.with_columns(pl.Series(name, rng.random(len(scores))) for name in SETTINGS.outcomes)
    job.scores(place).parent.mkdir(parents=True, exist_ok=True)
    scores.with_columns(method=pl.lit("intervals")).write_parquet(job.scores(place))
    settings = SETTINGS.model_copy(update={"resamples": 20})
    macros = set()
    for task, names in prediction_outcomes.TASKS.items():
        found = prediction.evaluate_jobs([job], [place], prediction_outcomes.of_task(settings, task))["performance"]
        auroc = found.filter(split="test", metric="auroc", label_share=1.0)
        single = auroc.filter(pl.col("outcome").is_in(list(names)))
        assert set(auroc["outcome"]) == {*names, "macro"} if len(names) > 1 else set(names) <= set(auroc["outcome"])
        if len(names) > 1:
            macro = auroc.filter(outcome="macro")["value"].item()
            assert macro == pytest.approx(single["value"].mean(), abs=1e-12)
            macros.add(macro)
    assert len(macros) == 2
