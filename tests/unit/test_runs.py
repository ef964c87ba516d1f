"""A study belongs to one run at a time, and a result to the run that made it last."""

import os
import signal
import subprocess
import sys
import time

import pytest

from ecgwas import runs
from ecgwas.errors import UserError
from ecgwas.files import Superseded, atomic, remove_folder


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    """Steps are called by hand unless a test says which run started them."""
    monkeypatch.delenv(runs.VARIABLE, raising=False)


def write(path, text):
    with atomic(path) as temporary:
        temporary.write_text(text)


def test_a_study_is_held_by_one_run(tmp_path):
    study = tmp_path / "mine"
    first = runs.start(study)
    assert runs.held(study)
    with pytest.raises(UserError, match=rf"study 'mine' is being run by another process \(process {os.getpid()} on "):
        runs.start(study)
    first.release()
    assert not runs.held(study)
    assert runs.start(study).id != first.id


def test_a_killed_run_holds_nothing(tmp_path):
    hold = f"import time; from pathlib import Path; from ecgwas import runs; run = runs.start(Path({str(tmp_path)!r}))"
    process = subprocess.Popen([sys.executable, "-c", f"{hold}; print(flush=True); time.sleep(60)"], stdout=-1)
    process.stdout.readline()
    assert runs.held(tmp_path)
    process.kill()
    process.wait()
    assert not runs.held(tmp_path)


def test_a_job_writes_while_its_run_is_the_last(tmp_path, monkeypatch):
    first = runs.start(tmp_path)
    monkeypatch.setenv(runs.VARIABLE, first.id)
    write(tmp_path / "deep" / "table", "old")
    first.release()
    write(tmp_path / "deep" / "table", "older job of a killed run")  # nobody has taken the study
    second = runs.start(tmp_path)
    with pytest.raises(Superseded, match="another has taken the study"):
        write(tmp_path / "deep" / "table", "late")
    monkeypatch.setenv(runs.VARIABLE, second.id)
    write(tmp_path / "deep" / "table", "new")
    second.release()
    monkeypatch.setenv(runs.VARIABLE, first.id)
    with pytest.raises(Superseded):
        write(tmp_path / "deep" / "table", "later still: the new run is over")
    with pytest.raises(Superseded):
        remove_folder(tmp_path / "deep")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["table"]
    assert (tmp_path / "deep" / "table").read_text() == "new"


def test_a_job_that_was_writing_when_its_run_was_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv(runs.VARIABLE, (first := runs.start(tmp_path)).id)
    late = atomic(tmp_path / "table")
    late.__enter__().write_text("old")
    first.release()
    second = runs.start(tmp_path)
    runs.sweep(tmp_path)
    monkeypatch.setenv(runs.VARIABLE, second.id)
    write(tmp_path / "table", "new")
    monkeypatch.setenv(runs.VARIABLE, first.id)
    with pytest.raises(Superseded):
        late.__exit__(None, None, None)
    assert (tmp_path / "table").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == [runs.PLACE, "table"]


def test_a_late_job_takes_no_name_from_a_job_of_the_new_run(tmp_path, monkeypatch):
    first = runs.start(tmp_path)
    first.release()
    second = runs.start(tmp_path)
    monkeypatch.setenv(runs.VARIABLE, second.id)
    with atomic(tmp_path / "table") as temporary:
        temporary.write_text("new")
        monkeypatch.setenv(runs.VARIABLE, first.id)
        with pytest.raises(Superseded):
            write(tmp_path / "table", "old")
        monkeypatch.setenv(runs.VARIABLE, second.id)
    assert (tmp_path / "table").read_text() == "new"


def test_a_step_by_hand_waits_for_no_dead_run_but_for_a_live_one(tmp_path):
    run = runs.start(tmp_path)
    with pytest.raises(UserError, match="the study is being run"):
        write(tmp_path / "table", "by hand")
    run.release()
    write(tmp_path / "table", "by hand")
    assert (tmp_path / "table").read_text() == "by hand"


def test_a_linked_folder_belongs_to_the_study_it_is_linked_from(tmp_path):
    (tmp_path / "disk").mkdir()
    run = runs.start(tmp_path / "study")
    (tmp_path / "study" / "cohorts").symlink_to(tmp_path / "disk")
    with pytest.raises(Superseded):
        write(tmp_path / "study" / "cohorts" / "table", "by hand")
    run.release()


def test_what_dead_processes_left_is_swept(tmp_path):
    token = "0123456789abcdef" * 2
    kept = ["a.parquet", "cohorts/b.csv", ".hidden", f"{token}.csv", "x.mt/part-0", ".snakemake/locks/0.input.lock"]
    swept = [f".a.parquet.{token}.parquet", f"cohorts/.b.csv.{token}.csv", "cohorts/.b.csv.owner"]
    for name in [*kept, *swept]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for folder in (f".ecg.{token}", f"cohorts/.pruned.mt.{token}.mt/rows", "ecgwas-hail-x1y2"):
        (tmp_path / folder).mkdir(parents=True)
    assert runs.sweep(tmp_path) == len(swept) + 3
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == sorted(kept)
    assert not list(tmp_path.rglob("*hail*")) + list(tmp_path.rglob(f".*{token}*"))


STEP = """
import sys, time
from pathlib import Path
from ecgwas import cli, files

def main(out: Path) -> None:
    with files.atomic(out) as temporary:
        temporary.write_text("half")
        print("writing", flush=True)
        time.sleep(60)

cli.run(main)
"""


def test_a_terminated_step_leaves_nothing(tmp_path):
    step = subprocess.Popen([sys.executable, "-c", STEP, "--out", str(tmp_path / "x" / "table")], stdout=-1, stderr=-1)
    assert step.stdout.readline() == b"writing\n"
    step.send_signal(signal.SIGTERM)
    assert step.wait(20) == 128 + signal.SIGTERM
    assert step.stderr.read() == b""
    assert [path.name for path in (tmp_path / "x").iterdir() if not path.name.endswith(".owner")] == []


PRINTS = """
from ecgwas import cli

def main(lines: int = 100000, fail: bool = False) -> None:
    for line in range(lines):
        print("a line of output", line)
    if fail:
        raise BrokenPipeError("not ours")

cli.run(main)
"""


def printing(*flags, **streams):
    return subprocess.Popen([sys.executable, "-c", PRINTS, *flags], stderr=subprocess.PIPE, **streams)


@pytest.mark.parametrize("flags", [[], ["--lines", "3"], ["--help"]])
def test_a_reader_that_has_enough_ends_a_step_without_a_word(flags):
    reads, writes = os.pipe()
    os.close(reads)
    step = printing(*flags, stdout=writes)
    os.close(writes)
    _, errors = step.communicate(timeout=60)
    assert errors == b""
    ended = {128 + signal.SIGPIPE} | ({0} if flags == ["--help"] else set())  # unbuffered, argparse minds no pipe
    assert step.returncode in ended


def test_another_broken_pipe_is_told():
    step = printing("--lines", "1", "--fail", "true", stdout=subprocess.PIPE)
    _, errors = step.communicate(timeout=60)
    assert step.returncode == 1
    assert b"BrokenPipeError: not ours" in errors


def test_whoever_starts_while_a_result_is_renamed_waits(tmp_path):
    """Between the look at the run and the rename no other run can begin."""
    runs.start(tmp_path).release()
    take = f"from pathlib import Path; from ecgwas import runs; runs.start(Path({str(tmp_path)!r})); print('taken')"
    with runs.may_write(tmp_path / "table"):
        other = subprocess.Popen([sys.executable, "-c", take], stdout=subprocess.PIPE)
        time.sleep(1.5)
        assert other.poll() is None
    assert other.communicate(timeout=20)[0] == b"taken\n"
