"""A small cohort on disk: whole, consistent, the same whatever the threads, and telling the truth."""

import json

import numpy as np
import pgenlib
import polars as pl
import pytest
import wfdb

from ecgwas.config import Simulate
from ecgwas.errors import UserError
from ecgwas.simulate import cohort, genotypes

FAM = ["family", "sample_id", "father", "mother", "sex", "phenotype"]
BIM = ["contig", "rsid", "cm", "position", "a1", "a2"]
SETTINGS = Simulate(
    people=90,
    sparse_variants=2300,
    dense_variants=60,
    loci=[{"parameter": "pr_ms", "variance_explained": 0.25, "maf": 0.3}],
    polygenic_chromosomes=[1, 2],
    seconds=2.5,
)


def simulate(folder, threads):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(genotypes, "CONTIGS", ("1", "2", "X"))
        patch.setattr(cohort, "CONTIGS", ("1", "2", "X"))
        cohort.main(SETTINGS, 7, folder, threads)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("cohort") / "cohort", threads=2)


@pytest.fixture(scope="module")
def truth(folder):
    return json.loads((folder / "truth.json").read_text())


def test_rerun_is_the_same_bit_for_bit(folder, tmp_path):
    again = simulate(tmp_path / "again", threads=1)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in names:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_ids_agree_where_they_must(folder, truth):
    people, recordings = pl.read_csv(folder / "people.csv"), pl.read_csv(folder / "recordings.csv")
    bridge = pl.read_csv(folder / "id_bridge.csv")
    samples = pl.read_csv(folder / "genotypes.fam", separator="\t", has_header=False, new_columns=FAM)["sample_id"]
    both = [p for p in truth["people"] if p["ecg"] and p["genotypes"]]
    assert len(both) == SETTINGS.people
    assert set(recordings["person_id"]) == {p["person_id"] for p in truth["people"] if p["ecg"]}
    assert set(samples) == {p["sample_id"] for p in truth["people"] if p["genotypes"]}
    assert set(recordings["person_id"]) <= set(people["person_id"])
    assert set(bridge["sample_id"]) < set(samples)  # some samples are of nobody we know
    assert {(p["person_id"], p["sample_id"]) for p in both} <= set(bridge.iter_rows())
    assert not people["person_id"].is_in(samples.to_list()).any()
    assert samples.to_list() != sorted(samples)


def test_recordings_are_readable_and_labelled(folder, truth):
    recordings = pl.read_csv(folder / "recordings.csv")
    assert recordings["recording_id"].to_list() == [r["recording_id"] for r in truth["recordings"]]
    record = wfdb.rdrecord(str(folder / "ecg" / recordings["path"][0]))
    assert (record.fs, record.sig_len, record.n_sig, set(record.units)) == (500, 1250, 12, {"mV"})
    assert recordings["person_id"].n_unique() < len(recordings)
    header = (folder / "ecg" / f"{recordings['path'][0]}.hea").read_text()
    assert recordings["person_id"][0] not in header


def test_planted_locus_explains_the_parameter(folder, truth):
    """From the files alone: the dosage of the planted variant against the person's true PR interval."""
    (locus,) = truth["loci"]
    bim = pl.read_csv(folder / "genotypes.bim", separator="\t", has_header=False, infer_schema=False, new_columns=BIM)
    fam = pl.read_csv(folder / "genotypes.fam", separator="\t", has_header=False, new_columns=FAM)
    dose = np.empty(len(fam), np.int8)
    with pgenlib.PgenReader(str(folder / "genotypes.bed").encode(), raw_sample_ct=len(fam)) as reader:
        reader.read(bim["rsid"].to_list().index(locus["rsid"]), dose)
    table = pl.DataFrame({"sample_id": fam["sample_id"], "dose": dose}).filter(pl.col("dose") >= 0)
    table = table.join(pl.read_csv(folder / "id_bridge.csv"), on="sample_id")
    table = table.join(pl.read_parquet(folder / "parameters.parquet"), on="person_id")
    slope = np.polyfit(table["dose"], table["pr_ms"], 1)[0]
    assert slope == pytest.approx(locus["beta"], rel=0.5)
    assert locus["variance_explained_realised"] == pytest.approx(0.25, rel=0.1)
    assert locus["maf_realised"] == pytest.approx(0.3, abs=0.05)
    assert 0 < locus["power"] <= 1


def test_swapped_sex_is_in_the_tables_not_in_the_genotypes(folder, truth):
    swapped = [s for s in truth["bad_samples"] if s["kind"] == "sex_mismatch"]
    fam = pl.read_csv(folder / "genotypes.fam", separator="\t", has_header=False, new_columns=FAM)
    bim = pl.read_csv(folder / "genotypes.bim", separator="\t", has_header=False, infer_schema=False, new_columns=BIM)
    calls = np.empty((len(bim), len(fam)), np.int8)
    with pgenlib.PgenReader(str(folder / "genotypes.bed").encode(), raw_sample_ct=len(fam)) as reader:
        reader.read_range(0, len(bim), calls)
    het = (calls[(bim["contig"] == "X").to_numpy()] == 1).any(axis=0)
    wrong = fam.filter(pl.Series(het) == (pl.col("sex") == 1))["sample_id"]
    assert set(wrong) == {s["sample_id"] for s in swapped}
    sexes = dict(pl.read_csv(folder / "people.csv").select("person_id", "sex").iter_rows())
    reported = dict(fam.select("sample_id", "sex").iter_rows())
    assert all(sexes[s["person_id"]] == {1: "male", 2: "female"}[reported[s["sample_id"]]] for s in swapped)


def test_null_chromosomes_are_those_without_effects(truth):
    assert truth["null_chromosomes"] == ["X"]
    used = {name.split(":")[0] for parameter in truth["polygenic"].values() for name in parameter["variant"]}
    assert used == {"1", "2"}


def test_unknown_parameter_is_refused(tmp_path):
    wrong = Simulate(loci=[{"parameter": "pr", "variance_explained": 0.1, "maf": 0.3}])
    with pytest.raises(UserError, match="'pr' is none of heart_rate_bpm, pr_ms"):
        cohort.main(wrong, 1, tmp_path / "x")
    assert not (tmp_path / "x").exists()
