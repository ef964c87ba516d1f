"""Provenance: content, not circumstances."""

import hashlib
from pathlib import Path

import pytest

from ecgwas import config, provenance


def cohort(folder: Path) -> config.Cohort:
    """A cohort with a PLINK file and a folder of ECGs under `folder`."""
    (folder / "ecg").mkdir(parents=True)
    (folder / "ecg/a.dat").write_bytes(b"abc")
    (folder / "g.bed").write_bytes(b"12345")
    (folder / "g.bim").write_bytes(b"1")
    return config.Cohort(
        cohort="c",
        ecg={"path": folder / "ecg"},
        genotypes={"paths": [folder / "g.bed"], "build": "GRCh37"},
    )


def test_files_are_hashed_with_their_companions(tmp_path: Path) -> None:
    found = provenance.provenance(STUDY, [cohort(tmp_path / "in")], tmp_path)
    by_name = {entry["path"]: entry for entry in found["inputs"]}
    assert by_name["in/g.bed"] == {"path": "in/g.bed", "bytes": 5, "sha256": hashlib.sha256(b"12345").hexdigest()}
    assert by_name["in/g.bim"]["bytes"] == 1
    assert by_name["in/g.fam"] == {"path": "in/g.fam", "bytes": None}
    assert by_name["in/ecg"]["files"] == 1


STUDY = config.Study(study="s", cohorts=["c"], models=["m"])


def test_equal_content_in_two_places_gives_equal_provenance(tmp_path: Path) -> None:
    one, two = (
        provenance.provenance(STUDY, [cohort(tmp_path / place / "in")], tmp_path / place) for place in ("one", "two")
    )
    assert one == two
    assert str(tmp_path) not in str(one)


def test_a_changed_byte_or_key_changes_the_hash(tmp_path: Path) -> None:
    described = cohort(tmp_path / "in")
    before = provenance.provenance(STUDY, [described], tmp_path)
    (tmp_path / "in/ecg/a.dat").write_bytes(b"abd")
    after = provenance.provenance(STUDY, [described], tmp_path)
    assert before["inputs"] != after["inputs"]
    assert before["config_sha256"] == after["config_sha256"]
    other = STUDY.model_copy(update={"seed": 2})
    assert provenance.provenance(other, [described], tmp_path)["config_sha256"] != before["config_sha256"]


def test_large_files_are_hashed_by_their_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "WHOLE", 10)
    path = tmp_path / "big"
    path.write_bytes(bytes(3 * 2**20))
    found = provenance.fingerprint(path, tmp_path)
    assert found["sha256_of_ends"] == hashlib.sha256(bytes(2 * 2**20)).hexdigest()


def test_versions_skip_what_is_not_installed() -> None:
    assert set(provenance.versions(("numpy", "no-such-package"))) == {"numpy"}


def test_no_checkout_has_no_commit(tmp_path: Path) -> None:
    assert provenance.git_commit(tmp_path) is None
