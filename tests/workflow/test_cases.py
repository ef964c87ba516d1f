"""Situations that users of such software reported: each runs as its folder says, and comes out as it says is right.

Folders of `ECGWAS_CASES` (../shared/cases by default): the input, run.sh, expected.txt.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import PROJECT

pytestmark = pytest.mark.workflow

LEFT_BEHIND = shutil.ignore_patterns(".git", ".venv", "results", ".snakemake", "__pycache__", ".pytest_cache")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of the cases; tests that ask for it skip where it is absent."""
    folder = Path(os.environ.get("ECGWAS_CASES", PROJECT.parent / "shared" / "cases"))
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder}; set ECGWAS_CASES to their folder")
    return folder


@pytest.fixture(scope="session")
def product(tmp_path_factory) -> Path:
    """A copy of the project without results, which cases copy again and write to."""
    copy = tmp_path_factory.mktemp("product") / "ecgwas"
    shutil.copytree(PROJECT, copy, ignore=LEFT_BEHIND, symlinks=True)
    return copy


def run_script(script: Path, product: Path, folder: Path, *arguments: str, **more: str) -> str:
    """What a script of the cases prints; `folder` takes what it makes."""
    folder.mkdir(parents=True, exist_ok=True)
    where = {"PRODUCT": str(product), "VENV": sys.prefix, "W": str(folder)}
    command = ["bash", str(script), *arguments]
    done = subprocess.run(command, env=os.environ | where | more, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def case(cases: Path, product: Path, tmp_path: Path) -> Callable[..., str]:
    """Run a case by its number, with more environment, and return its output."""

    def run(number: str, **more: str) -> str:
        (folder,) = cases.glob(f"{number}-*")
        return run_script(folder / "run.sh", product, tmp_path / "made", **more)

    return run


@pytest.fixture(scope="module")
def mini(cases: Path, product: Path, tmp_path_factory) -> Path:
    """A folder x with the small study run whole, and data, of which the person S0003 withdrew."""
    folder = tmp_path_factory.mktemp("mini")
    said = run_script(cases / "common/mini.sh", product, folder, str(folder / "x"), str(folder / "data"))
    assert (folder / "x/results/mini/report/index.html").is_file(), said[-3000:]
    return folder


def lines_of(said: str, word: str) -> list[str]:
    return [line for line in said.splitlines() if word in line]


def test_01_cells_of_na_are_missing_and_other_text_is_an_error_or_a_row(case):
    said = case("01")
    assert "na: traits ['t1', 't2'] excluded []" in said
    for name in ("empty", "allna"):
        (row,) = lines_of(said, f"{name}: traits")
        assert re.search(r"traits \['t1'\] excluded \[\('trait', 't2', 'too_few_people', '0 people have a value", row)
    assert re.search(r"dec\.csv: line 2: t1 is '-0,0019', a number with a decimal comma.*write decimal points", said)
    assert "whitened from the columns ['t1', 't2']" in said


def test_02_a_row_number_is_no_trait_and_is_reported(case):
    said = case("02")
    assert "traits ['t1', 't2']" in said
    assert "whitened from ['t1', 't2']" in said
    assert "column 1 is no trait: a column without a name, such as row numbers" in said


@pytest.mark.parametrize("quick", ["1", ""])
def test_03_everyone_of_a_list_from_excel_is_withdrawn(case, quick):
    said = case("03", QUICK=quick)
    if quick:
        assert "withdrawn: ['S0000', 'S0003', 'S0005', 'S0007']" in said
    else:
        assert "samples: 4 withdrawn, 156 left" in said
        assert not re.search(r"S000[0357]", said.split("left")[1])


def test_06_no_ecg_of_the_withdrawn_is_read_or_trained_on(mini, cases, product, tmp_path):
    script = next(cases.glob("06-*")) / "run.sh"
    said = run_script(script, product, tmp_path, SKIP=str(mini / "x"), DATA=str(mini / "data"))
    assert [re.search(r"(\d+) rows", line)[1] for line in lines_of(said, "ecg/")] == ["159", "159"]
    assert len(lines_of(said, "withdrawn S0003 among them: False")) == 4
    assert "159 recordings" in said.split("training of pca4:")[1]


def prove(mini: Path) -> subprocess.CompletedProcess[str]:
    """What `make withdrawn` runs."""
    command = [sys.executable, "-m", "ecgwas.people.withdrawn", "--study", "config/mini.yaml"]
    environment = os.environ | {"PYTHONPATH": str(mini / "x/src")}
    return subprocess.run(command, cwd=mini / "x", env=environment, capture_output=True, text=True, check=False)


def test_05_a_longer_list_reruns_what_follows_and_nothing_holds_an_id_of_it(mini, cases, product, tmp_path):
    clean = prove(mini)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "no file holds any of the 1 ids" in clean.stdout
    (mini / "data/withdrawn.txt").write_text("S0003\nS0005\n")
    before = prove(mini)
    assert before.returncode == 1
    assert "mini/cohorts/mini/ecg/recordings.parquet: holds an id" in before.stdout
    assert "mini/cohorts/mini/genotypes/pruned.mt" in before.stdout
    (mini / "data/withdrawn.txt").write_text("S0003\n")
    script = next(cases.glob("05-*")) / "run.sh"
    said = run_script(script, product, tmp_path, SKIP=str(mini / "x"), DATA=str(mini / "data"))
    assert "genotypes" in said.split("third run")[1]
    assert "analysed: {'S0003': False, 'S0005': False, 'S0007': False}" in said
    after = prove(mini)
    assert after.returncode == 0, after.stdout + after.stderr
    assert "no file holds any of the 3 ids" in after.stdout


def test_07_own_components_never_replace_those_of_the_genotypes(case):
    said = case("07")
    refused = "rename the column" in said
    both = re.search(r"with the genotypes' pc1: (1\.000|-1\.000)", said)
    assert refused or both, said


def test_08_paths_may_have_blanks(case):
    said = case("08")
    assert "exit 0" in said, said[-3000:]


def test_15_ids_of_the_recordings_are_cleaned_as_everywhere(case):
    said = case("15")
    assert re.search(r"blank\.csv: line \d+: no person_id", said)


def test_16_a_covariate_that_is_no_number_is_named_with_its_line(case):
    said = case("16")
    assert re.search(r"people\.csv.*line \d+.*'b3'", said)


def test_14_lengths_that_a_header_does_not_give_follow_from_the_files(case):
    """WFDB without a number of samples, and with 0; EDF with -1 blocks."""
    said = case("14")
    assert "kept ['a-ref_1', 'n-nolen_1', 'v-len0_1']" in said
    assert len(lines_of(said, "1 kept, 0 excluded")) == 1


def test_11_phased_bgen_is_read(case):
    said = case("11")
    assert "exit 0" in said
    assert "phased.bgen: BGEN, phased haplotype probabilities, 8 bits, layout 2, zlib" in said
    assert "variants: 60 kept" in said
    assert "Traceback" not in said
