"""The tiny study, run whole: complete, repeatable, reported; and a wrong study is refused before it starts."""

import re
import subprocess
import sys

import polars as pl
import pytest
from tests.conftest import PROJECT, run_study
from tests.contract.catalogue import described

from ecgwas import tables

pytestmark = pytest.mark.workflow

COHORT = "cohorts/demo-tiny"
WRITTEN = {
    f"{COHORT}/people.parquet": tables.PEOPLE,
    f"{COHORT}/ecg/recordings.parquet": tables.RECORDINGS,
    f"{COHORT}/ecg/excluded.parquet": tables.RECORDINGS_EXCLUDED,
    f"{COHORT}/ecg/intervals.parquet": tables.INTERVALS,
    f"{COHORT}/ecg/quality.parquet": tables.QUALITY,
    f"{COHORT}/genotypes/samples.parquet": tables.SAMPLES,
    f"{COHORT}/genotypes/variants.parquet": tables.VARIANTS,
    f"{COHORT}/genotypes/excluded.parquet": tables.GENOTYPES_EXCLUDED,
    f"{COHORT}/genotypes/kinship.parquet": tables.KINSHIP,
    f"{COHORT}/embeddings/tiny.windows.parquet": tables.EMBEDDING_WINDOWS,
    f"{COHORT}/phenotypes/tiny/reliability.parquet": tables.RELIABILITY,
    f"{COHORT}/phenotypes/tiny/excluded.parquet": tables.TRAITS_EXCLUDED,
    f"{COHORT}/gwas/tiny/loci.parquet": tables.LOCI,
    f"{COHORT}/gwas/tiny/loci_any_trait.parquet": tables.LOCI_ANY_TRAIT,
    f"{COHORT}/gwas/tiny/multiplicity.parquet": tables.MULTIPLICITY,
    f"{COHORT}/gwas/tiny/calibration.parquet": tables.CALIBRATION,
    f"{COHORT}/finemap/tiny/credible_sets.parquet": tables.CREDIBLE_SETS,
    f"{COHORT}/finemap/tiny/variants.parquet": tables.FINEMAP_VARIANTS,
    "embeddings/readout/tiny.parquet": tables.READOUT,
    "embeddings/readout/intervals.parquet": tables.READOUT,
    f"{COHORT}/embeddings/tiny.ood.parquet": tables.OUT_OF_DISTRIBUTION,
    f"{COHORT}/embeddings/pca.ood.parquet": tables.OUT_OF_DISTRIBUTION,
    f"{COHORT}/finemap/tiny/ld_diagnostics.parquet": tables.LD_DIAGNOSTICS,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_tables_keep_their_promise(tiny, name):
    written = pl.read_parquet_schema(tiny / name)
    promised = dict(WRITTEN[name].schema)
    assert {column: written.get(column) for column in promised} == promised


def test_every_table_and_array_is_what_its_entry_says(tiny):
    assert described(tiny) > 50


def test_a_second_run_runs_no_job(tiny_in_place):
    again = run_study("config/tiny.yaml")
    assert again.returncode == 0, again.stderr
    assert "Nothing to be done" in again.stderr


def test_plain_snakemake_makes_the_whole_study(tiny):
    """The fixture ran it without a profile; the run above, with one, finds nothing to do."""
    assert (tiny / "report/index.html").is_file()
    benchmarks = {str(path.relative_to(tiny / "benchmarks")) for path in (tiny / "benchmarks").rglob("*.tsv")}
    assert {"demo-tiny/gwas/tiny-loci.tsv", "report.tsv", "demo-tiny/consent.tsv"} <= benchmarks


def test_findings_are_reported_by_the_name_of_the_study_or_its_folder(tiny_in_place):
    named, folder = (
        subprocess.run([sys.executable, "-m", "ecgwas", "report", study], cwd=PROJECT, capture_output=True, text=True)
        for study in ("tiny", "results/tiny")
    )
    assert named.returncode == folder.returncode == 0, named.stderr + folder.stderr
    assert named.stdout.splitlines()[:-1] == folder.stdout.splitlines()[:-1]
    assert named.stdout.splitlines()[-1] == f"report: {tiny_in_place / 'report/index.html'}"


def test_everyone_is_accounted_for(tiny):
    people = pl.read_csv(tiny / "simulated/demo-tiny/people.csv")["person_id"]
    for model in ("tiny", "pca", "intervals"):
        folder = tiny / COHORT / "phenotypes" / model
        analysed = pl.read_parquet(folder / "traits.parquet")["person_id"]
        excluded = pl.read_parquet(folder / "excluded.parquet").filter(pl.col("kind") == "person")["id"]
        assert set(analysed).isdisjoint(excluded)
        assert set(people) == set(analysed) | set(excluded), f"{model}: some people are neither analysed nor excluded"


def test_snakemake_makes_its_own_report(tiny_in_place, tmp_path):
    finished = run_study("config/tiny.yaml", "--report", str(tmp_path / "report.html"))
    assert finished.returncode == 0, finished.stderr[-3000:]
    text = re.sub(r"<[^>]*>", "", (tmp_path / "report.html").read_text())  # Snakemake colours words of commands
    assert "ecgwas gwas scan" in text


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("gwas={locus_windw_bp: 3}", "gwas.locus_windw_bp: there is no such key; did you mean 'locus_window_bp'"),
        ("cohorts=[demo-tny]", "cohorts: 'demo-tny' has no file .*; did you mean 'demo-tiny'"),
        ("models=[tiny, tniy]", "models: 'tniy' has no file .*; did you mean 'tiny'"),
    ],
)
def test_a_wrong_study_is_refused_before_it_starts(tiny_in_place, override, words):
    refused = run_study("config/tiny.yaml", "--config", override)
    assert refused.returncode != 0
    assert re.search(words, refused.stderr), refused.stderr
    assert "Traceback" not in refused.stderr


def test_one_run_of_a_study_at_a_time(project, tiny_in_place):
    study = project / "results" / "tiny"
    hold = f"import time; from pathlib import Path; from ecgwas import runs; run = runs.start(Path({str(study)!r}));"
    hold += " print(flush=True); time.sleep(60)"
    first = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    first.stdout.readline()
    try:
        refused = run_study("config/tiny.yaml")
    finally:
        first.kill()
    assert refused.returncode != 0
    assert "is being run by another process" in refused.stderr


def test_relatives_are_kept_and_results_exported_where_asked():
    overrides = ["study=tiny-relatives", "models=[intervals]", "phenotypes={relatives: keep, pcs: 4}"]
    overrides += ["report={model: intervals}", "exports={formats: [gwas-ssf, regenie]}"]
    finished = run_study("config/tiny.yaml", "--config", *overrides)
    assert finished.returncode == 0, finished.stderr[-5000:]
    folder = PROJECT / "results/tiny-relatives" / COHORT
    analysed = pl.read_parquet(folder / "phenotypes/intervals/traits.parquet")
    samples = pl.read_parquet(folder / "genotypes/samples.parquet")
    related = analysed.join(samples.filter(~pl.col("unrelated")), on="sample_id", how="semi")
    assert related.height > 0
    predicted = pl.read_parquet(folder / "gwas/intervals/loco.parquet")
    assert predicted.height == analysed.height * (predicted["contig"].n_unique())
    lengths = pl.read_parquet(folder / "gwas/intervals/sumstats/traits-000.parquet")
    assert lengths["contig"].n_unique() == 23
    traits = lengths["trait"].unique()
    for kind, suffix in (("gwas-ssf", "tsv.gz"), ("regenie", "regenie.gz")):
        written = folder / "gwas/intervals/exports" / kind
        assert {path.name for path in written.glob(f"*.{suffix}")} == {f"{trait}.{suffix}" for trait in traits}
