"""The cohort files ready to fill in: each is valid and reads a small copy of its data, laid out as distributed."""

import gzip
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import wfdb
import yaml
from tests.conftest import PROJECT
from tests.unit.ingest import writers

from ecgwas import config, study, user_tables
from ecgwas.config import LEADS
from ecgwas.ecg.canonical import twelve_leads
from ecgwas.ingest.readers import open_source
from ecgwas.predict.labels import codes

MIMIC_ORDER = [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11]


def cohort(name: str, labels: bool = False) -> config.Cohort:
    """The cohort file with its environment variables filled in, and the comment signs taken from `labels`."""
    text = (PROJECT / f"config/cohorts/{name}.yaml").read_text()
    values = yaml.safe_load(re.sub(r"^# (labels:|  \w+: )", r"\1", text, flags=re.MULTILINE) if labels else text)
    return study._validate(config.Cohort, study._expand(values), name)


def lay_out_ptbxl(folder: Path, counts: np.ndarray) -> dict[str, str]:
    """One record of 500 Hz in its folder of a thousand, and two rows of the database, the second without a file."""
    (folder / "records500/00000").mkdir(parents=True)
    writers.write_wfdb(folder / "records500/00000", "00001_hr", counts)
    rows = ["1,15709.0,56.0,1,,63.0,3,{'AFIB': 0.0},1984-11-09 09:17:34,", "2,13243.0,300.0,0,180,81.0,2,{},,"]
    rows = [f"{row}records100/00000/0000{k}_lr,records500/00000/0000{k}_hr" for k, row in enumerate(rows, 1)]
    head = "ecg_id,patient_id,age,sex,height,weight,strat_fold,scp_codes,recording_date,filename_lr,filename_hr"
    (folder / "ptbxl_database.csv").write_text("\n".join([head, *rows]) + "\n")
    return {"PTBXL": str(folder)}


def lay_out_mimic(folder: Path, counts: np.ndarray) -> dict[str, str]:
    """One record with aVF before aVL, gain 200, and the tables of patients."""
    where = folder / "ecg/files/p1000/p10000032/s40689238"
    where.mkdir(parents=True)
    names = [LEADS[k] for k in MIMIC_ORDER]
    samples = np.rint(counts[MIMIC_ORDER] / 5).astype(np.int64).T
    scale = {"fmt": ["16"] * 12, "adc_gain": [200.0] * 12, "baseline": [0] * 12}
    wfdb.wrsamp("40689238", 500, ["mV"] * 12, names, d_signal=samples, write_dir=str(where), **scale)
    row = "10000032,40689238,40689238,2180-07-23 08:44:00,files/p1000/p10000032/s40689238/40689238"
    (folder / "ecg/record_list.csv").write_text(f"subject_id,study_id,file_name,ecg_time,path\n{row}\n")
    (folder / "clinical/hosp").mkdir(parents=True)
    with gzip.open(folder / "clinical/hosp/patients.csv.gz", "wt") as file:
        file.write("subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n10000032,F,52,2178,2014 - 2016,\n")
    with gzip.open(folder / "clinical/hosp/admissions.csv.gz", "wt") as file:
        file.write("subject_id,hadm_id,dischtime\n10000032,7,2180-07-25 10:00:00\n")
    with gzip.open(folder / "clinical/hosp/diagnoses_icd.csv.gz", "wt") as file:
        file.write("subject_id,hadm_id,seq_num,icd_code,icd_version\n10000032,7,1,I4891,10\n10000032,7,2,4280,9\n")
    return {"MIMIC_IV_ECG": str(folder / "ecg"), "MIMIC_IV": str(folder / "clinical")}


def lay_out_code15(folder: Path, counts: np.ndarray) -> dict[str, str]:
    """One HDF5 file and the table of exams."""
    writers.write_code15(folder, "exams_part0", counts)
    head = "exam_id,age,is_male,nn_predicted_age,1dAVb,RBBB,LBBB,SB,ST,AF,patient_id,death,timey,normal_ecg,trace_file"
    row = "1169160,38,True,40.16,False,False,False,False,False,False,523632,False,2.09,True,exams_part0.hdf5"
    (folder / "exams.csv").write_text(f"{head}\n{row}\n")
    return {"CODE15": str(folder)}


def lay_out_ukb(folder: Path, counts: np.ndarray) -> dict[str, str]:
    """One XML file in its folder by the first digits, and a table of fields."""
    (folder / "xml/10").mkdir(parents=True)
    writers.write_cardiosoft(folder / "xml/10", "1000015_20205_2_0", counts)
    (folder / "fields.csv").write_text(
        "eid,p31,p21003_i2,p21001_i2,p41270,p41280_a0,p41280_a1,p40000_i0\n"
        '1000015,0,63,24.5,"[""I10"",""I480""]",2012-01-02,2013-04-05,\n1000027,1,,,,,,2020-01-01\n'
    )
    paths = {"UKB_ECG": "xml", "UKB_FIELDS": "fields.csv", "UKB_PEOPLE": "people.csv", "UKB_GENOTYPES": "g"}
    paths |= {"UKB_LABELS": "."}
    return {name: str(folder / path) for name, path in paths.items()} | {"UKB_END": "2022-05-31"}


CASES = {
    "ptbxl": (lay_out_ptbxl, "1", "15709", (1.0, 56.0)),
    "mimic-iv-ecg": (lay_out_mimic, "40689238", "10000032", (1.0, 54.0)),
    "code15": (lay_out_code15, "1169160", "523632", (0.0, 38.0)),
    "ukb": (lay_out_ukb, "10/1000015_20205_2_0", "1000015", (1.0, 63.0)),
}


def assert_labels(name: str, found: config.Cohort, recording_id: str, person_id: str) -> None:
    """The tables of the page are read as predict.labels reads them."""
    stated = codes.statements(found.labels) if found.labels.statements else None
    if name in ("ptbxl", "code15"):
        given = dict(zip(stated["recording_id"], stated["codes"].to_list(), strict=True))[recording_id]
        assert given == {"ptbxl": ["AFIB"], "code15": ["NORMAL_ECG"]}[name]
        return
    diagnoses = codes.diagnoses(found.labels.diagnoses).filter(person_id=person_id)
    dated = dict(zip(diagnoses["code"], diagnoses["date"].cast(pl.String), strict=True))
    stay = "2180-07-25"
    expected = {"mimic-iv-ecg": {"I4891": stay, "ICD9:4280": stay}, "ukb": {"I10": "2012-01-02", "I480": "2013-04-05"}}
    assert dated == expected[name]
    end = codes.followup(found.labels.followup).filter(person_id=person_id)["end"].cast(pl.String).item()
    assert end == {"mimic-iv-ecg": "2181-07-25", "ukb": "2022-05-31"}[name]


@pytest.mark.parametrize("name", CASES)
def test_a_copy_laid_out_as_distributed_is_read(tmp_path: Path, sinus, monkeypatch, name: str) -> None:
    """Recording, person, leads in our order; and the people made by the lines of the cohort's page."""
    lay_out, recording_id, person_id, (female, age) = CASES[name]
    counts = (np.rint(sinus[1][0][:, :4000] / 10) * 10).astype(int)
    for variable, value in lay_out(tmp_path, counts).items():
        monkeypatch.setenv(variable, value)
    found = cohort(name, labels=True)
    entry = open_source(found.ecg, 10.0).entries.filter(recording_id=recording_id).row(0, named=True)
    assert entry["person_id"] == person_id
    signal, unit = twelve_leads(open_source(found.ecg, 10.0).read(entry["key"]))
    assert unit == ("unknown" if name == "code15" else "mV")
    assert np.abs(signal * 1000 - counts).max() < 1e-3
    page = (PROJECT / f"docs/cohorts/{name}.md").read_text()
    for lines in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(lines, {})
    assert_labels(name, found, recording_id, person_id)
    people = user_tables.read(found.people).frame
    row = people.filter(person_id=person_id).row(0, named=True)
    assert row["age"] == age
    assert row["sex"] == ("female" if female else "male")


@pytest.mark.parametrize("name", CASES)
def test_its_page_says_how_to_get_it(name: str) -> None:
    page = (PROJECT / f"docs/cohorts/{name}.md").read_text()
    assert all(
        f"**{part}" in page for part in ("Access", "Recordings", "People", "Folds" if name != "ptbxl" else "Leads")
    )
    variables = set(re.findall(r"\$\{(\w+)\}", (PROJECT / f"config/cohorts/{name}.yaml").read_text()))
    explained = page + (PROJECT / f"config/cohorts/{name}.yaml").read_text().split("\ncohort:")[0]
    assert all(variable in explained for variable in variables)


def test_biobank_names_a_file_a_chromosome(monkeypatch) -> None:
    monkeypatch.setenv("UKB_GENOTYPES", "/g")
    paths = [str(path) for path in cohort("ukb").genotypes.paths]
    assert paths == [f"/g/ukb22828_c{k}_b0_v3.bgen" for k in range(1, 23)]
