"""Generated documents say what the code says."""

import json
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


def test_schemas_know_every_top_key_and_refuse_others() -> None:
    study = json.loads(docs.schema(config.Study, "study"))
    assert set(study["properties"]) == set(config.Study.model_fields)
    assert study["additionalProperties"] is False


def test_every_table_names_the_file_it_describes() -> None:
    page = docs.tables_page()
    for name, described in docs._schemas():
        assert name in docs.PLACES, f"add the path of {name} to ecgwas.docs.PLACES"
        assert f"`{docs.PLACES[name]}`" in page
        assert all(f"| `{column}` |" in page for column in described)
    assert set(docs.PLACES) <= set(vars(tables))


def test_check_ends_with_a_message_where_a_document_is_stale(tmp_path: Path) -> None:
    docs.main(root=tmp_path)
    with pytest.raises(SystemExit) as fine:
        docs.main(check=True, root=tmp_path)
    assert fine.value.code == 0
    (tmp_path / "docs/tables.md").write_text("old")
    with pytest.raises(SystemExit, match=r"docs/tables\.md"):
        docs.main(check=True, root=tmp_path)
