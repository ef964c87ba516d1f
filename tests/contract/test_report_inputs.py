"""The report's rule declares what the report reads."""

from pathlib import Path

import pytest

from ecgwas.report import inputs

READ = [path for path, _ in (inputs.FLOW | inputs.RESULTS | inputs.STUDY).values()]
READ += ["gwas/{model}/crosscheck.parquet", "models/{model}/history.parquet", "recovery/{cohort}/{model}.tsv"]


@pytest.mark.parametrize("path", READ)
def test_rule_names_every_table_that_the_page_reads(project: Path, path: str) -> None:
    rule = (project / "workflow/rules/report.smk").read_text().split("rule page:")
    text = rule[0].split("rule recovery:")[0] + rule[1]
    folder, name = path.rsplit("/", 1)
    listed = f"{folder}/{{table}}.parquet" in text and f'"{name.removesuffix(".parquet")}"' in text
    assert f'{path}"' in text or listed
