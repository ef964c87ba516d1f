"""What jobs are given by their wildcards and files."""

import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecgwas import command_lines, config, jobs
from ecgwas.jobs import Jobs
from ecgwas.study import Checked

ROOT = Path("/data")
SOURCE = config.EcgSource(format="wfdb", path=ROOT / "ecg", recordings=ROOT / "ecg.csv")
GENOTYPES = config.GenotypeSource(format="plink", paths=[ROOT / "g.bed"], build="GRCh37")
LISTS = {"id_bridge": ROOT / "the bridge.csv", "withdrawn": ROOT / "out.csv"}
COHORTS = {
    "mine": config.Cohort(
        cohort="mine", ecg=SOURCE, people=ROOT / "p.csv", genotypes=GENOTYPES, outcomes=["af"], **LISTS
    ),
    "made": config.Cohort(cohort="made", ecg=SOURCE, genotypes=GENOTYPES, simulate=config.Simulate(seed=7)),
    "ecgs": config.Cohort(cohort="ecgs", ecg=SOURCE),
}
MODELS = {
    "intervals": config.Intervals(),
    "outcomes": config.Outcomes(),
    "net": config.Transformer(),
    "pca": config.Pca(),
    "own": config.TableModel(kind="table", path="/tables/{cohort}.csv"),
}
PREDICT = config.Predict(methods=["probe", "intervals"], label_shares=[0.05], label_draws=2)
STUDY = config.Study(study="s", cohorts=list(COHORTS), models=list(MODELS), seed=3, predict=PREDICT)
JOBS = Jobs(Checked(STUDY, COHORTS, MODELS))


def of(**wildcards: str) -> SimpleNamespace:
    return SimpleNamespace(**wildcards)


def test_cohorts_and_models_by_what_they_have() -> None:
    assert JOBS.genotyped == ["mine", "made"]
    assert JOBS.planted == JOBS.simulated_as("cohort") == ["made"]
    assert JOBS.with_people == ["mine"]
    assert JOBS.models_of(*jobs.ENCODERS) == ["net", "pca"]
    assert [JOBS.is_genotyped(of(cohort=name)) for name in COHORTS] == ["true", "true", "false"]
    assert jobs.pattern([]) == "(?!)"
    assert jobs.pattern(["a", "b"]) == "a|b"


def test_values_by_kind_of_model() -> None:
    assert {name: JOBS.values(of(cohort="mine", model=name)) for name in MODELS} == {
        "intervals": "cohorts/mine/ecg/intervals.parquet",
        "outcomes": "cohorts/mine/people.parquet",
        "net": "cohorts/mine/embeddings/net.parquet",
        "pca": "cohorts/mine/embeddings/pca.parquet",
        "own": "/tables/mine.csv",
    }
    assert JOBS.values_of_cohorts(of(model="own")) == [f"/tables/{name}.csv" for name in COHORTS]
    assert [JOBS.is_embedding(of(model=name)) for name in MODELS][:4] == ["false", "false", "true", "true"]
    assert [JOBS.is_intervals(of(model=name)) for name in MODELS] == ["true", "false", "false", "false", "false"]
    assert JOBS.outcomes(of(cohort="mine", model="outcomes")) == '["af"]'
    assert JOBS.outcomes(of(cohort="mine", model="net")) == "[]"


def test_consent_reaches_every_door_and_only_tables_of_users() -> None:
    flags = JOBS.consent_flags(of(cohort="mine"))
    assert shlex.split(flags) == ["--bridge", "/data/the bridge.csv", "--withdrawn", "/data/out.csv"]
    assert JOBS.consent_flags(of(cohort="ecgs")) == ""
    assert JOBS.consent_flags_of_values(of(cohort="mine", model="own")) == flags
    assert JOBS.consent_flags_of_values(of(cohort="mine", model="net")) == ""
    assert JOBS.consent_counts(of(cohort="ecgs")) == {"recordings": "cohorts/ecgs/consent/recordings.json"}
    assert list(JOBS.consent_counts(of(cohort="mine"))) == ["people", "recordings", "samples"]


def test_a_simulated_cohort_has_its_own_seed_and_its_truth_as_genotype_files() -> None:
    assert JOBS.simulation_seed(of(cohort="made")) == 7
    assert JOBS.genotype_files(of(cohort="made")) == "simulated/made/truth.json"
    assert JOBS.genotype_files(of(cohort="mine")) == GENOTYPES.files()
    assert JOBS.ecg_fingerprint(of(cohort="made")) == ""
    assert Jobs(JOBS.checked, planning=False).ecg_fingerprint(of(cohort="mine")) == ""


def test_names_of_predictors_and_back() -> None:
    names = jobs.fitted(PREDICT)
    assert names == ["probe", "intervals", "probe-0050-0", "probe-0050-1", "intervals-0050-0", "intervals-0050-1"]
    parts = [(jobs.method_of(of(fitted=n)), jobs.share_of(of(fitted=n)), jobs.draw_of(of(fitted=n))) for n in names]
    assert parts[0] == ("probe", 1.0, "0")
    assert parts[5] == ("intervals", 0.05, "1")


def test_signals_of_several_cohorts_come_in_the_order_of_shards() -> None:
    named = JOBS.signals_of("mine", "ecgs")
    assert named["recordings"] == [f"cohorts/{name}/ecg/recordings.parquet" for name in ("mine", "ecgs")]
    assert len(named["strips"]) == 2 * STUDY.ingest.shards * len(STUDY.ingest.buckets)
    assert named["strips"][0] == "cohorts/mine/ecg/signals/shard-000.strip.npy"
    assert "{cohort}" in JOBS.signals_of("{cohort}")["beats"][0]


def test_flags_are_quoted_and_lists_are_json() -> None:
    files = {"manifest": "m.json", "variants": "v 1", "samples": "s", "traits": "t", "covariates": "c", "loco": []}
    assert command_lines.analysed(None, files) == (
        "--manifest m.json --variants 'v 1' --samples s --traits t --covariates c"
    )
    assert command_lines.analysed(None, files | {"loco": "l"}).endswith(" --loco l")
    assert command_lines.input_lists(None, {"a": "x", "b": ["y", "z"]}) == {"a": '["x"]', "b": '["y", "z"]'}
    assert command_lines.output_flags(None, {"a": "x y"}) == "--a_out 'x y'"


@pytest.mark.parametrize("package", ["polars", "torch", "pyarrow", "hail", "scipy"])
def test_nothing_heavy_is_imported_by_the_rules(package: str) -> None:
    """Every job reads the rules again."""
    code = f"import sys, ecgwas.jobs, ecgwas.memory, ecgwas.study, ecgwas.tables; sys.exit({package!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
