"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of the public real data; tests that ask for it skip where it is absent."""
    folder = Path(os.environ.get("ECGWAS_REALDATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set ECGWAS_REALDATA to the folder that holds it")
    return folder
