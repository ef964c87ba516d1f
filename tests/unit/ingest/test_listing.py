"""Fingerprint of a cohort's files: it changes with every recording that changes, and with nothing else."""

import os
from pathlib import Path

import pytest

from ecgwas.config import EcgSource
from ecgwas.ingest.listing import fingerprint


def change(path: Path) -> None:
    """The same size at another time, as a file that was written again."""
    about = path.stat()
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + 10**9))


def table(folder: Path, *paths: str) -> Path:
    path = folder.parent / "table.csv"
    path.write_text("recording_id,person_id,path\n" + "".join(f"{k},{k},{name}\n" for k, name in enumerate(paths)))
    return path


@pytest.fixture
def ecg(tmp_path: Path) -> Path:
    """Three WFDB records, one of segments, one whose signal file is called otherwise; and XML files."""
    folder = tmp_path / "ecg"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.hea", "a.dat", "ab.hea", "ab.dat", "s_1.hea", "s_1.dat", "other.dat", "sub/x.xml", "sub/y.xml"):
        (folder / name).write_text(name)
    (folder / "m.hea").write_text("m/1 12 500 100\ns_1 100\n")
    (folder / "n.hea").write_text("n 1 500 100\nother.dat 16\n")
    return folder


@pytest.mark.parametrize("file", ["a.hea", "a.dat", "s_1.dat", "other.dat", "sub/x.xml"])
def test_a_folder_without_a_table_is_all_its_files(ecg: Path, file: str) -> None:
    source = EcgSource(path=ecg)
    before = fingerprint(source)
    assert fingerprint(source) == before
    change(ecg / file)
    after = fingerprint(source)
    assert after != before
    (ecg / ".hidden").write_text("x")
    assert fingerprint(source) == after
    (ecg / file).rename(ecg / f"{file}.new")
    assert fingerprint(source) not in (before, after)


@pytest.mark.parametrize(
    ("record", "files", "others"),
    [
        ("a", ["a.hea", "a.dat"], ["ab.dat", "s_1.dat", "sub/x.xml"]),
        ("a.hea", ["a.hea", "a.dat"], ["ab.dat"]),
        ("m", ["m.hea", "s_1.hea", "s_1.dat"], ["a.dat", "other.dat"]),
        ("n", ["n.hea", "other.dat"], ["a.dat"]),
    ],
)
def test_a_table_of_records_is_their_files_alone(ecg: Path, record: str, files: list[str], others: list[str]) -> None:
    source = EcgSource(path=ecg, recordings=table(ecg, record))
    seen = {fingerprint(source)}
    for name in files:
        change(ecg / name)
        seen.add(fingerprint(source))
    assert len(seen) == 1 + len(files)
    for name in others:
        change(ecg / name)
    assert fingerprint(source) in seen


def test_a_table_of_files(ecg: Path) -> None:
    """With or without a suffix; its own rows count, its time does not."""
    source = EcgSource(format="muse", path=ecg, recordings=table(ecg, "sub/x.xml"))
    before = fingerprint(source)
    change(ecg / "sub/y.xml")
    change(ecg.parent / "table.csv")
    assert fingerprint(source) == before
    change(ecg / "sub/x.xml")
    assert (after := fingerprint(source)) != before
    table(ecg, "sub/x.xml", "sub/y.xml")
    assert fingerprint(source) != after
    assert fingerprint(EcgSource(format="muse", path=ecg, recordings=table(ecg, "sub/x"))) != before


def test_an_array_is_its_file(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"1")
    source = EcgSource(format="array", path=path, rate_hz=500)
    before = fingerprint(source)
    change(path)
    assert fingerprint(source) != before


def a_link_to_nothing(ecg: Path) -> Path:
    (ecg / "a.dat").unlink()
    (ecg / "a.dat").symlink_to(ecg / "nowhere")
    return ecg / "a.dat"


def a_header_that_links_to_nothing(ecg: Path) -> Path:
    (ecg / "n.hea").unlink()
    (ecg / "n.hea").symlink_to(ecg / "nowhere")
    return ecg / "n.hea"


def a_link_to_itself(ecg: Path) -> Path:
    (ecg / "loop").symlink_to(ecg / "loop")
    return ecg / "loop"


def a_folder_that_links_to_itself(ecg: Path) -> Path:
    (ecg / "sub/again").symlink_to(ecg, target_is_directory=True)
    return ecg / "sub/again"


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    "spoil", [a_link_to_nothing, a_header_that_links_to_nothing, a_link_to_itself, a_folder_that_links_to_itself]
)
def test_one_bad_file_hides_no_change_of_the_others(ecg: Path, spoil, listed: bool) -> None:
    bad = spoil(ecg)
    source = EcgSource(path=ecg, recordings=table(ecg, "a", "n", "m", "loop") if listed else None)
    before = fingerprint(source)
    assert before
    change(ecg / "s_1.dat")
    assert (after := fingerprint(source)) not in ("", before)
    bad.unlink()
    bad.write_text("whole again")
    assert fingerprint(source) not in ("", after) or (listed and "again" in bad.name)


def test_a_folder_that_cannot_be_listed_hides_no_change(ecg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions bind no root, so that the refusal is made here."""
    scandir, refused = os.scandir, str(ecg / "sub")

    def guarded(where):
        if str(where) == refused:
            raise PermissionError(13, "Permission denied", refused)
        return scandir(where)

    monkeypatch.setattr(os, "scandir", guarded)
    before = fingerprint(EcgSource(path=ecg))
    change(ecg / "a.dat")
    assert fingerprint(EcgSource(path=ecg)) not in ("", before)
    refused = str(ecg)
    assert fingerprint(EcgSource(path=ecg)) == ""


def test_what_cannot_be_listed_is_for_the_job_to_say(tmp_path: Path) -> None:
    assert fingerprint(EcgSource(path=tmp_path / "absent")) == ""
    (tmp_path / "t.csv").write_text("no,columns\n1,2\n")
    assert fingerprint(EcgSource(path=tmp_path, recordings=tmp_path / "t.csv")) == ""
