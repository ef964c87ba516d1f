"""The section on what embeddings hold: models side by side, reasons in place of numbers, baselines asked for."""

import polars as pl
import pytest
from tests.unit.report.conftest import table
from tests.unit.report.test_page import checked

from ecgwas import config, tables
from ecgwas.files import write_parquet
from ecgwas.report import page
from ecgwas.report.inputs import StudyResults
from ecgwas.report.sections import embedding

MODELS = ["nano", "random"]
ROLES = {"nano": "transformer", "random": "random"}


@pytest.fixture
def study(make_study):
    made = make_study()
    for k, model in enumerate(MODELS):
        readout = table(
            tables.READOUT, model=model, cohort="all",
            quantity=["qt_ms", "repeatability", "cohort", "device"],
            kind=["wanted", "wanted", "unwanted", "unwanted"], score=["R2", "ICC", "AUROC", "AUROC"],
            value=[0.9 - k / 10, 0.6, None, 0.5 + k / 5],
            low=[0.8, 0.5, None, 0.4 + k / 5], high=[0.95, 0.7, None, 0.9],
            n=[2950, 600, 0, 2950], n_people=100, reason=[None, None, "one class only: demo", None],
        )  # fmt: skip
        write_parquet(readout, made.root / f"embeddings/readout/{model}.parquet")
        percentile = [99.95] * (1 + k) + [99.5] * 3 + [40.0] * (96 - k)
        ood = table(tables.OUT_OF_DISTRIBUTION, recording_id=[f"r{i}" for i in range(100)], percentile=percentile)
        write_parquet(ood, made.root / f"cohorts/demo/embeddings/{model}.ood.parquet")
    return made


def section_of(study, labels: dict[str, str] | None = None) -> dict | None:
    whole = config.Study(study="demo", cohorts=["demo"], models=MODELS, report=config.Report(labels=labels or {}))
    return embedding.section(StudyResults(study.root, whole), ROLES)


def render(study, roles: dict[str, str] | None) -> str:
    whole = config.Study(study="demo", cohorts=["demo"], models=MODELS)
    report = study.root / "report/index.html"
    page.main(study.root, whole, report, roles=roles)
    return report.read_text(encoding="utf-8")


def test_models_stand_side_by_side_and_absent_baselines_are_named(study) -> None:
    parser = checked(render(study, ROLES))
    words = " ".join(" ".join(parser.words).split())
    assert "held" in parser.ids
    for said in (
        "Information in the embedding",
        "QT (ms)",
        "0.90",
        "0.80",
        "0.80 to 0.95",
        "not estimable: one class only: demo",
    ):
        assert said in words, said
    assert "4.0 % / 1.0 %" in words
    assert "5.0 % / 2.0 %" in words
    assert "No comparison with principal components" in words
    assert "models: [..., intervals]" in words
    assert "the untrained encoder" not in words


def test_what_can_be_read_and_should_not_is_marked(study) -> None:
    section = section_of(study, {"nano": "learned"})
    assert section["labels"] == ["learned", "random"]
    device = next(row for row in section["groups"][0]["rows"] if row["name"] == "device")
    assert [cell["warn"] for cell in device["cells"]] == [False, True]
    assert device["cells"][1]["value"] == "0.70"
    assert [row["kind"] for row in section["groups"][0]["rows"]] == ["wanted"] * 2 + ["unwanted"] * 2


def test_a_study_without_readouts_has_no_such_section(make_study) -> None:
    study = make_study()
    assert section_of(study) is None
    assert "Information in the embedding" not in render(study, None)


def test_a_model_without_one_quantity_has_a_dash(study) -> None:
    path = study.root / "embeddings/readout/random.parquet"
    write_parquet(pl.read_parquet(path).filter(pl.col("quantity") != "qt_ms"), path)
    rows = section_of(study)["groups"][0]["rows"]
    assert rows[0]["cells"][1] == {"value": "–", "interval": "", "warn": False}
    checked(render(study, ROLES))
