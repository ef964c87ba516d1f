"""Recordings for the ingest tests: simulated, so that the truth is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgwas.config import LEADS
from ecgwas.signals.recording import Recording
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

Sinus = tuple[dict[str, np.ndarray], np.ndarray]


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Sinus]:
    """A function: n, seed, rhythm, rate -> independent parameters [n] and recordings [n, 12, sample], microvolts."""

    def draw(n: int, seed: int, rhythm: str = "sinus", rate_hz: float = 500.0) -> Sinus:
        rng = np.random.default_rng(seed)
        parameters = {name: np.clip(rng.normal(p.mean, p.sd, n), p.low, p.high) for name, p in PARAMETERS.items()}
        return parameters, simulate_recordings(parameters, np.array([rhythm] * n), rng, rate_hz)

    return draw


@pytest.fixture(scope="session")
def sinus(simulated: Callable[..., Sinus]) -> Sinus:
    """Parameters [150] and recordings [150, 12, 5000] of sinus rhythm."""
    return simulated(150, 11)


@pytest.fixture(scope="session")
def as_recording() -> Callable[..., Recording]:
    """A function: [12, sample] in microvolts, rate -> recording."""

    def make(counts: np.ndarray, rate_hz: float = 500.0) -> Recording:
        return Recording(LEADS, ("uV",) * 12, counts.astype(np.float32), rate_hz, counts.shape[1] / rate_hz)

    return make


@pytest.fixture(scope="session")
def write_record() -> Callable[..., None]:
    """A function that writes one WFDB record of [12, sample] microvolts, lead names in lower case."""

    def write(folder: Path, name: str, counts: np.ndarray, fmt: str = "16") -> None:
        wfdb.wrsamp(
            name,
            fs=500,
            units=["mV"] * 12,
            sig_name=[lead.lower() for lead in LEADS],
            d_signal=counts.T.astype(np.int64),
            fmt=[fmt] * 12,
            adc_gain=[1000.0] * 12,
            baseline=[0] * 12,
            write_dir=str(folder),
        )

    return write


@pytest.fixture
def folder(tmp_path: Path, sinus: Sinus, write_record: Callable[..., None]) -> Path:
    """Six WFDB records, a_0 to f_0, of six people."""
    for k, name in enumerate("abcdef"):
        write_record(tmp_path, f"{name}_0", sinus[1][k])
    return tmp_path
