"""Memory of a job: a + b x size, times the attempt; sizes of the nearest source that knows."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecgwas import config, memory
from ecgwas.errors import UserError
from ecgwas.memory import Size


def manifest(root: Path) -> None:
    path = root / "cohorts/mine/genotypes/manifest.json"
    path.parent.mkdir(parents=True)
    sources = [{"path": "a", "n_samples": 900, "n_variants": 40_000}, {"path": "b", "n_samples": 900, "n_variants": 2}]
    path.write_text(json.dumps({"sources": sources}))


def test_a_size_is_declared_or_simulated_or_of_the_manifest_or_assumed(tmp_path: Path) -> None:
    cohort = config.Cohort(cohort="mine")
    assert memory.size("mine", cohort, tmp_path) == Size(**memory.ASSUMED)
    manifest(tmp_path)
    assert memory.size("mine", cohort, tmp_path) == Size(900, memory.ASSUMED["recordings"], 40_002)
    made = cohort.model_copy(update={"simulate": config.Simulate(people=100, second_recording=0.2)})
    assert memory.size("mine", made, tmp_path) == Size(100, 120, 9600)
    declared = made.model_copy(update={"expected": config.Expected(people=500_000)})
    assert memory.size("mine", declared, tmp_path) == Size(500_000, 120, 9600)


def asked(tmp_path: Path, text: str, **cohorts: config.Cohort) -> memory.Memory:
    path = tmp_path / "resources.yaml"
    path.write_text(text)
    return memory.Memory(SimpleNamespace(cohorts=cohorts), path, tmp_path)


def expecting(people: int, variants: int) -> config.Cohort:
    return config.Cohort(cohort="c", expected=config.Expected(people=people, recordings=1, variants=variants))


def test_memory_grows_with_the_cohort_and_with_each_attempt(tmp_path: Path) -> None:
    text = "scan: {mb: 1000, mb_per_1000_people: 2, mb_per_million_variants: 10}"
    of_rule = asked(tmp_path, text, a=expecting(500_000, 10**7), b=expecting(1000, 3 * 10**7))("scan")
    assert of_rule({"cohort": "a"}, 1) == 1000 + 1000 + 100
    assert of_rule({"cohort": "a"}, 3) == 3 * 2100
    assert of_rule({"cohort": "b"}, 1) == 1000 + 2 + 300
    assert of_rule({"model": "m"}, 1) == 1000 + 1002 + 300  # of all people, and the larger number of variants


@pytest.mark.parametrize(
    ("text", "words"),
    [("scan: {mb: 1, mb_per_person: 1}", "scan: mb_per_person"), ("scan: {mb: much}", "scan: mb: much")],
)
def test_a_wrong_coefficient_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        asked(tmp_path, text)
    with pytest.raises(UserError, match="no memory of rule loci"):
        asked(tmp_path, "scan: {mb: 1}")("loci")
