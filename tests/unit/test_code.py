"""The hash of a stage's code follows its imports, and nothing else."""

from pathlib import Path

import pytest

from ecgwas import code

FILES = {
    "ecgwas/__init__.py": "",
    "ecgwas/ground.py": "ONE = 1\n",
    "ecgwas/near/__init__.py": "",
    "ecgwas/near/main.py": "from ecgwas.far import lazy\n\n\ndef main():\n    from ecgwas.ground import ONE\n",
    "ecgwas/near/page.j2": "{{ text }}\n",
    "ecgwas/far/__init__.py": "",
    "ecgwas/far/lazy.py": "import importlib\n\nONE = importlib.import_module(f'ecgwas.kinds.{__name__}')\n",
    "ecgwas/kinds/__init__.py": "",
    "ecgwas/kinds/one.py": "",
    "ecgwas/other.py": "",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(code, "SRC", tmp_path)
    code.imported.cache_clear()
    return tmp_path


@pytest.mark.parametrize("name", [name for name in FILES if name != "ecgwas/other.py"])
def test_a_stage_is_rerun_where_code_that_it_imports_has_changed(tree: Path, name: str) -> None:
    before = code.fingerprint("near")
    tree.joinpath(name).write_text(FILES[name] + "# changed\n")
    code.imported.cache_clear()

    assert code.fingerprint("near") != before


def test_a_stage_is_not_rerun_where_other_code_has_changed(tree: Path) -> None:
    before = code.fingerprint("near")
    tree.joinpath("ecgwas/other.py").write_text("X = 1\n")

    assert code.fingerprint("near") == before
