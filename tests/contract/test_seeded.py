"""The table of seeded faults fits the code, and the script tells a fault that is caught from one that is not."""

import ast
import dataclasses

import pytest
from tests.faults import seeded
from tests.faults.seeded import Fault

FAULTS = seeded.read()


def test_there_are_forty_faults_each_another():
    assert len(FAULTS) >= 40
    assert len({fault.what for fault in FAULTS}) == len({fault.old for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_is_in_the_code_once_and_its_tests_are_there(fault, project):
    path = seeded.module_of(fault, project)
    assert fault.new != fault.old
    ast.parse(path.read_text().replace(fault.old, fault.new))
    assert seeded.tests_of(fault, project)


@pytest.fixture
def toy(tmp_path):
    """A project of one module and two tests, one of which fails."""
    for name, text in {
        "src/toy/__init__.py": "",
        "src/toy/sums.py": "def add(a, b):\n    return a + b\n\n\ndef less(a, b):\n    return a - b\n",
        "tests/test_sums.py": "from toy import sums\n\n\ndef test_add():\n    assert sums.add(2, 1) == 3\n",
        "tests/test_broken.py": "def test_broken():\n    assert False\n",
    }.items():
        path = tmp_path / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "toy"


def test_faults_are_caught_missed_or_not_tried(toy):
    caught = Fault("a sign", "a + b", "a - b", ("test_sums.py",))
    faults = {
        "caught": caught,
        "missed": Fault("never called", "a - b", "a + b", ("test_sums.py",)),
        "not tried: its tests do not pass without it": dataclasses.replace(caught, tests=("test_broken.py",)),
        "not tried: its tests do not pass": dataclasses.replace(caught, only="no_such_test"),
        "not tried: nowhere": Fault("nowhere", "a * b", "a / b", ("test_sums.py",)),
        "not tried: everywhere": Fault("everywhere", "return", "yield", ("test_sums.py",)),
        "not tried: untested": Fault("untested", "a + b", "a - b", ("test_none.py",)),
    }
    before = (toy / "src/toy/sums.py").read_text()
    found = seeded.check(toy, list(faults.values()), lambda one: None, preloaded=[])
    assert found[0].by == "test_sums.py::test_add"
    assert [one.result[: len(wanted)] for one, wanted in zip(found, faults, strict=True)] == list(faults)
    assert (toy / "src/toy/sums.py").read_text() == before
