"""Statements of PTB-XL and of the CinC Challenge 2021 -> the same outcomes, and tables of labels the pipeline reads.

An outcome is a list of codes of both systems, so that one definition holds for every cohort.
"""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.representation_data import (
    OLDEST,
    OVER_89,
    PTBXL_COPIES,
    RECORDINGS,
    RHYTHMS,
    SUPERCLASSES,
    TEST_FOLDS,
    TRAIN_FOLDS,
    VALIDATION_FOLD,
)

from ecgwas import config
from ecgwas.errors import UserError
from ecgwas.predict.labels import labels

# SNOMED CT codes of the CinC Challenge 2021 (dx_mapping_scored.csv and dx_mapping_unscored.csv of its organisers; Reyna
# et al. 2021, Computing in Cardiology) that say what a diagnostic statement of PTB-XL says (scp_statements.csv).
# Findings of form that PTB-XL gives no class (T inversion, high voltage, ST deviation) have none here; none is NORM.
# Ischaemia is STTC, as in PTB-XL (ISC_, ISCIN), not MI. S T changes (55930002) are what the challenge made of NST_.
SNOMED = {
    "MI": "164865005 164867002 54329005 57054005",
    "STTC": "164934002 55930002 428750005 111975006 164861001 413444003 413844008 425419005 425623009 426434006",
    "CD": "698252002 713426002 713427006 59118001 164909002 733534002 251120003 445118002 445211001 74390002 270492004"
    " 195042002 27885002",
    "HYP": "164873001 89792004 67741000119109 253352002 446358003 446813000",
    "SR": "426783006",
    "AFIB": "164889003",
    "STACH": "427084000",
    "SARRH": "427393009",
    "SBRAD": "426177001",
}
TASKS = {"superdiagnostic": tuple(SUPERCLASSES), "rhythm": RHYTHMS, "af": ("AFIB",)}
FOLDS = config.Splits(train=list(TRAIN_FOLDS), validation=[VALIDATION_FOLD], test=list(TEST_FOLDS))


def outcomes() -> dict[str, config.Outcome]:
    """Every class of the tasks, by its codes in both systems."""
    scp = {name: codes.split() for name, codes in SUPERCLASSES.items()} | {name: [name] for name in RHYTHMS}
    return {name: config.Outcome(codes=[*codes, *SNOMED.get(name, "").split()]) for name, codes in scp.items()}


def of_task(settings: config.Predict, task: str) -> config.Predict:
    """The same settings with the outcomes of one task."""
    return settings.model_copy(update={"outcomes": {name: settings.outcomes[name] for name in TASKS[task]}})


def write_labels(
    cohort: Path, settings: config.Predict, given: config.Labels | None, people: Path, training: bool
) -> Path:
    """labels.parquet of a cohort's folder, by the pipeline's step."""
    folder = cohort / "predict"
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "labels.parquet", folder / "excluded.parquet"
    labels.main(cohort.name, cohort / RECORDINGS, settings, *paths, given, people, training=training)
    return paths[0]


def ptbxl(cohort: Path, data: Path, settings: config.Predict) -> tuple[Path, Path]:
    """Labels and people of the PTB-XL subset; 300 years, which stand for over 89, become 90. One recording a person."""
    path = data / "ecg_ptbxl_subset" / "labels.csv"
    table = pl.read_csv(path, schema_overrides={"ecg_id": pl.String})
    sex = pl.when(pl.col("sex_0male_1female") == 1).then(pl.lit("female")).otherwise(pl.lit("male"))
    age = pl.when(pl.col("age") == OVER_89).then(OLDEST).otherwise(pl.col("age"))
    people = cohort / "people.csv"
    table.select(person_id="ecg_id", age=age, sex=sex).write_csv(people)
    given = config.Labels(
        statements=path, recording_column="ecg_id", codes_column="scp_codes", fold_column="strat_fold"
    )
    return write_labels(cohort, settings, given, people, True), people


def cinc(cohort: Path, data: Path, settings: config.Predict) -> tuple[Path, Path]:
    """Labels and people of the recordings of `ecg_cinc2021` in the cohort, from the comments of their headers."""
    ids = pl.read_parquet(cohort / RECORDINGS)["recording_id"].to_list()
    if copies := [name for name in ids if name.startswith(PTBXL_COPIES)]:
        raise UserError(f"{cohort}: {copies[0]} is a recording of PTB-XL; leave those named {PTBXL_COPIES}* out")
    rows = [header(data / "ecg_cinc2021" / f"{name}.hea") | {"recording_id": name, "person_id": name} for name in ids]
    table = pl.DataFrame(rows, schema={n: pl.String for n in ("recording_id", "person_id", "codes", "age", "sex")})
    statements, people = cohort / "statements.csv", cohort / "people.csv"
    table.select("recording_id", "codes").write_csv(statements)
    table.select("person_id", "age", "sex").write_csv(people)
    given = config.Labels(statements=statements, codes_column="codes")
    return write_labels(cohort, settings, given, people, False), people


def header(path: Path) -> dict[str, str | None]:
    """Age, sex and codes of a WFDB header of the challenge."""
    found = dict(re.findall(r"^#\s*(Age|Sex|Dx):\s*(.*?)\s*$", path.read_text(), re.M))
    age = found.get("Age", "")
    return {
        "age": age if re.fullmatch(r"[\d.]+", age) else None,
        "sex": found.get("Sex", "").lower() or None,
        "codes": found.get("Dx", "").replace(",", ";"),
    }


def simulated_people(n: int, seed: int) -> dict[str, np.ndarray]:
    """Parameters, age, sex and diseases [n] of the simulator, without genotypes."""
    from ecgwas.simulate.ecg import PARAMETERS
    from ecgwas.simulate.traits import simulate_diseases

    rng = np.random.default_rng([seed, 20])
    male = rng.random(n) < 0.5
    about = {"age": np.clip(rng.normal(57, 9, n), 30, 85).round(1), "bmi": np.exp(rng.normal(3.28, 0.15, n)).round(1)}
    age = (about["age"] - 57) / 9
    values = {}
    for name, p in PARAMETERS.items():
        fixed = p.age * age + p.male * (male - 0.5)
        z = fixed + np.sqrt(max(1 - fixed.var(), 0.1)) * rng.standard_normal(n)
        values[name] = np.clip(p.mean + p.sd * z, p.low, p.high)
    return values | about | {"male": male} | simulate_diseases(values, male, about, seed)


def settings_json(settings: config.Predict) -> str:
    """Settings as a key of what is kept in the work folder."""
    return json.dumps(settings.model_dump(mode="json"), sort_keys=True)
