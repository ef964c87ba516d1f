"""Generated documents say what the code says."""

import json
import re
from pathlib import Path

import pydantic
import pytest

from ecgwas import config, docs, tables


def test_documents_are_up_to_date(project: Path) -> None:
    assert docs.stale(project) == [], "run `make docs` and commit"


def blocks() -> list[type[pydantic.BaseModel]]:
    found = [value for value in vars(config).values() if isinstance(value, type) and issubclass(value, config.Strict)]
    return [block for block in found if block is not config.Strict]


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.__name__)
def test_every_key_of_every_block_is_in_the_key_table(block: type[pydantic.BaseModel]) -> None:
    part = docs.config_readme().split(f"### {block.__name__}\n")[1].split("\n### ")[0]
    for name in block.model_fields:
        row = next(line for line in part.splitlines() if line.startswith(f"| `{name}` |"))
        meaning = row.rstrip(" |").rsplit("| ", 1)[1]
        assert len(meaning) > 3, f"{block.__name__}.{name} has no description"


def test_range_default_and_unit_of_a_key() -> None:
    fields = config.Ingest.model_fields
    assert docs.kind_and_range(fields["model_rate_hz"]) == ("number", "> 20")
    assert docs.default(fields["model_rate_hz"]) == "`100.0`"
    assert docs.unit("model_rate_hz", fields["model_rate_hz"]) == "Hz"
    share = config.Genotypes.model_fields["sample_call_rate"]
    assert docs.kind_and_range(share) == ("number", "≥ 0, ≤ 1")
    assert docs.unit("sample_call_rate", share) == "share"
    assert docs.default(config.Study.model_fields["study"]) == "**required**"


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.__name__)
def test_only_numbers_between_0_and_1_are_shares(block: type[pydantic.BaseModel]) -> None:
    """The bounds themselves and not their first digits: 0 to 12 doublings are no share."""
    for name, field in block.model_fields.items():
        if docs.unit(name, field) == "share":
            kind, bounds = docs.kind_and_range(field)
            assert "whole" not in kind, name
            assert re.fullmatch(r"(each )?≥ 0, (each )?≤ 1", bounds), name
    assert docs.unit("doublings", config.Ingest.model_fields["doublings"]) == "–"
    assert docs.unit("hwe_p", config.Genotypes.model_fields["hwe_p"]) == "–"


def test_schemas_know_every_top_key_and_refuse_others() -> None:
    study = json.loads(docs.schema(config.Study, "study"))
    assert set(study["properties"]) == set(config.Study.model_fields)
    assert study["additionalProperties"] is False


def test_every_file_is_described_with_its_path_and_contents() -> None:
    page = docs.tables_page()
    for entry in tables.entries().values():
        part = page.split(f"`{entry.path}`\n")[1].split("\n## ")[0]
        if isinstance(entry, tables.Document):
            assert entry.meaning in part
        elif isinstance(entry, tables.Array):
            assert all(f"| `{name}` | {described[0]} |" in part for name, described in entry.arrays.items())
        elif "The columns of [" not in part:
            every = {**entry.columns, **entry.further}
            assert all(f"| `{column}` |" in part for column in every)
            assert all(len(meaning) > 1 for _, meaning in every.values())


def test_check_ends_with_a_message_where_a_document_is_stale(tmp_path: Path) -> None:
    docs.main(root=tmp_path)
    with pytest.raises(SystemExit) as fine:
        docs.main(check=True, root=tmp_path)
    assert fine.value.code == 0
    (tmp_path / "docs/tables.md").write_text("old")
    with pytest.raises(SystemExit, match=r"docs/tables\.md"):
        docs.main(check=True, root=tmp_path)
