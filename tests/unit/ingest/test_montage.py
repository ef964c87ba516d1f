"""An EEG passes through the same job as an ECG with its own montage: named channels, own filters, no heart beats."""

from pathlib import Path

import numpy as np
import polars as pl
import pydantic
import pytest
import wfdb
import yaml
from tests.conftest import PROJECT
from tests.unit.ingest.writers import write_edf

from ecgwas import study
from ecgwas.config import EcgSource, Ingest
from ecgwas.errors import UserError
from ecgwas.ingest import shard

EEG = yaml.safe_load((PROJECT / "config/montages/eeg.yaml").read_text())


@pytest.fixture
def eeg() -> np.ndarray:
    """[19, 7680] microvolts: 30 s at 256 Hz, a rhythm of 10 Hz that grows towards the back, and a drift of 0.05 Hz."""
    t = np.arange(7680) / 256
    rng = np.random.default_rng(5)
    alpha = np.linspace(5, 50, 19)[:, None] * np.sin(2 * np.pi * 10 * t)
    return np.rint(alpha + 300 * np.sin(2 * np.pi * 0.05 * t) + rng.normal(0, 2, (19, 7680))).astype(int)


def ingested(folder: Path, fmt: str) -> tuple[dict[str, pl.DataFrame], np.ndarray, np.ndarray]:
    """Tables, strips and beats of the one shard."""
    names = ("recordings", "intervals", "excluded", "quality")
    out = {name: folder / f"{name}.parquet" for name in names}
    arrays = {name: folder / f"{name}.out.npy" for name in ("strip", "beat")}
    shard.main(
        EcgSource(format=fmt, path=folder),
        0,
        Ingest(**EEG, shards=1),
        **out,
        strips=[arrays["strip"]],
        beat=arrays["beat"],
    )
    return {name: pl.read_parquet(path) for name, path in out.items()}, *(np.load(path) for path in arrays.values())


@pytest.mark.parametrize("fmt", ["edf", "wfdb"])
def test_an_eeg_is_stored_by_its_montage(tmp_path: Path, eeg: np.ndarray, fmt: str) -> None:
    order = np.random.default_rng(0).permutation(19)
    labels = [EEG["channels"][k] for k in order]
    if fmt == "edf":
        write_edf(tmp_path, "p1_a", eeg[order], 256, [f"EEG {label.upper()}" for label in labels])
    else:
        gains = {"adc_gain": [1.0] * 19, "baseline": [0] * 19, "fmt": ["16"] * 19}
        wfdb.wrsamp("p1_a", 256, ["uV"] * 19, labels, d_signal=eeg[order].T, write_dir=str(tmp_path), **gains)
    tables, strip, beat = ingested(tmp_path, fmt)
    assert tables["excluded"].is_empty()
    row = tables["recordings"].row(0, named=True)
    assert (row["unit"], row["n_leads"], row["n_beats"], row["rr_ms"]) == ("mV", 19, 0, None)
    assert (row["rate_hz"], row["seconds"], row["person_id"]) == (256, 30, "p1")
    assert strip.shape == (1, 19, 6000)
    assert (beat == -32768).all()
    assert row["scale"] == 0.05e-3  # mV a count
    inside = strip[0, :, 1000:5000] * (1000 * row["scale"])
    assert np.allclose(np.sqrt(2) * inside.std(axis=1), np.hypot(np.linspace(5, 50, 19), 2), rtol=0.1)
    assert np.abs(inside.mean(axis=1)).max() < 2  # the drift is gone
    intervals = tables["intervals"].row(0, named=True)
    assert [name for name, value in intervals.items() if value is not None] == ["recording_id", "person_id"]


def test_an_absent_or_flat_channel_is_missing_and_too_few_exclude(tmp_path: Path, eeg: np.ndarray) -> None:
    eeg[4] = 7
    write_edf(tmp_path, "a_1", eeg[:17], 256, EEG["channels"][:17])
    write_edf(tmp_path, "b_1", eeg[:12], 256, EEG["channels"][:12])
    tables, strip, _ = ingested(tmp_path, "edf")
    assert (strip[0] == -32768).all(axis=1).nonzero()[0].tolist() == [4, 17, 18]
    assert tables["excluded"].select("recording_id", "reason").rows() == [("b_1", "missing_leads")]
    assert "11 usable channels < 16" in tables["excluded"]["detail"][0]


def test_a_study_names_its_montage(tmp_path: Path) -> None:
    (tmp_path / "config/montages").mkdir(parents=True)
    (tmp_path / "config/montages/eeg.yaml").write_text(yaml.safe_dump(EEG))
    values = {"study": "s", "cohorts": ["c"], "models": ["intervals"], "ingest": {"montage": "eeg", "seconds": 20}}
    ingest = study._with_montage(values, tmp_path)["ingest"]
    settings = Ingest(**ingest)
    assert (settings.heart, settings.seconds, settings.lowpass_hz, len(settings.channels)) == (False, 20, 70, 19)
    with pytest.raises(UserError, match="did you mean 'eeg'"):
        study._with_montage({"ingest": {"montage": "eg"}}, tmp_path)


@pytest.mark.parametrize("path", sorted((PROJECT / "config/montages").glob("*.yaml")), ids=lambda path: path.stem)
def test_montages_are_valid(path: Path) -> None:
    assert not Ingest(**yaml.safe_load(path.read_text())).heart


def test_heart_beats_need_the_twelve_leads() -> None:
    with pytest.raises(pydantic.ValidationError, match="write heart: false"):
        Ingest(channels=["Fp1"], min_leads=1)
    with pytest.raises(pydantic.ValidationError, match="more than the 12 channels"):
        Ingest(min_leads=13)
