"""A model in Python, and as a released file: the numbers of the pipeline."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.torch
import torch
import wfdb

import ecgwas.embed
from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.checkpoints import released
from ecgwas.embed import embed, encode, release
from ecgwas.errors import UserError
from ecgwas.ingest import shard
from ecgwas.pretrain import pca, train
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings
from ecgwas.simulate.wfdb_files import write_wfdb

N = 24
INGEST = config.Ingest(shards=1, doublings=2)
LONG = {"r00": (0, 0), "r01": (1, 5, 9), "r02": (2, None, 2, 6)}  # who is recorded in each window; None: only noise
TINY = config.Transformer(width=16, depth=1, heads=2, embedding=16, steps=3, batch=8)
CONFORMER = TINY.model_copy(
    update={"backbone": "conformer", "objective": "ecg_lfm", "strip_patch_s": 0.16, "codes": 32, "readout": 0.0}
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated WFDB records, ingested; a transformer and a PCA trained on them, and their embeddings."""
    root, rng = tmp_path_factory.mktemp("study"), np.random.default_rng(5)
    drawn = {p: np.clip(rng.normal(s.mean, s.sd, N), s.low, s.high) for p, s in PARAMETERS.items()}
    signals = simulate_recordings(drawn, np.array(["sinus"] * N), rng)
    names = [f"r{k:02d}" for k in range(N)]
    write_wfdb(root / "wfdb", names[3:], signals[3:], 500)
    noise = rng.normal(0, 8, signals[0].shape).astype(signals.dtype)
    for name, windows in LONG.items():
        pieces = [noise if k is None else signals[k] for k in windows]
        write_wfdb(root / "wfdb", [name], np.concatenate(pieces, axis=1)[None], 500)
    (root / "signals").mkdir()
    tables = {name: root / f"{name}.parquet" for name in ("recordings", "intervals", "excluded", "quality")}
    strips, longer, rr = (
        [root / f"signals/shard-000.{kind}{bucket}.npy" for bucket in INGEST.buckets]
        for kind in ("strip", "beat", "rr")
    )
    beats = [*longer, *rr[1:]]
    source = config.EcgSource(format="wfdb", path=root / "wfdb")
    windows = {"window_beats": longer[1:], "window_rr": rr[1:]}
    shard.main(source, 0, INGEST, **tables, strips=strips, beat=longer[0], **windows)
    given = [tables["recordings"]], strips, beats
    for name, recipe in (("tiny", TINY), ("conformer", CONFORMER)):
        train.main(*given, recipe, INGEST, root / f"{name}.pt", root / "history.parquet", root / "resume")
    pca.main(*given, config.Pca(components=8), INGEST, root / "pca.pt")
    for name in ("tiny", "conformer", "pca"):
        out = root / f"{name}.parquet", root / f"{name}.windows.parquet"
        embed.main(root / f"{name}.pt", given[0][0], strips, beats, out[0], windows=out[1])
    return root


def read(study: Path, name: str) -> tuple[np.ndarray, float, list[str]]:
    record = wfdb.rdrecord(str(study / "wfdb" / name))
    return record.p_signal.T, record.fs, record.sig_name


@pytest.mark.parametrize("model", ["tiny", "conformer", "pca"])
def test_an_array_gets_the_embedding_that_its_file_gets(study: Path, model: str) -> None:
    table = pl.read_parquet(study / f"{model}.parquet")
    encoder = ecgwas.embed.load(study / f"{model}.pt")
    assert table["recording_id"][:3].to_list() == list(LONG)
    assert table.height > 20
    for name, row in zip(table["recording_id"][:6], table.select("^e\\d+$").to_numpy(), strict=False):
        signal, rate_hz, leads = read(study, name)
        np.testing.assert_allclose(encoder.embed(signal, rate_hz, leads), row, atol=1e-5)
        shuffled = np.random.default_rng(1).permutation(12)
        other = encoder.embed(1000 * signal[shuffled], rate_hz, [leads[k] for k in shuffled], "uV")
        np.testing.assert_allclose(other, row, rtol=1e-4, atol=1e-3)  # some samples round to the next microvolt


@pytest.mark.parametrize("model", ["tiny", "pca"])
def test_a_folder_of_files_gets_the_embeddings_of_the_pipeline(study: Path, tmp_path: Path, model: str) -> None:
    folder = shutil.copytree(study / "wfdb", tmp_path / "ecgs")
    (folder / "note.txt").write_text("no ECG")
    (folder / "r05.dat").unlink()
    encode.main(study / f"{model}.pt", folder, tmp_path / "out.parquet")
    found, wanted = pl.read_parquet(tmp_path / "out.parquet"), pl.read_parquet(study / f"{model}.parquet")
    assert found.height == N + 1
    reasons = dict(zip(found["file"], found["reason"], strict=True))
    assert reasons["note.txt"].startswith("unknown_format: ")
    assert reasons["r05.hea"] == "unreadable: signal file r05.dat is missing"
    embedded = found.filter(pl.col("reason").is_null())
    assert embedded["recording_id"].to_list() == [name for name in sorted(wanted["recording_id"]) if name != "r05"]
    paired = embedded.join(wanted, on="recording_id", suffix="_wanted")
    axes = [name for name in wanted.columns if name.startswith("e0")]
    np.testing.assert_allclose(paired.select(axes), paired.select(f"{name}_wanted" for name in axes), atol=1e-5)
    assert found.filter(pl.col("reason").is_not_null()).select(axes).null_count().sum_horizontal()[0] == 2 * len(axes)
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no file below this folder"):
        encode.main(study / f"{model}.pt", tmp_path / "none", tmp_path / "none.parquet")


@pytest.mark.parametrize(("model", "windows"), [("tiny", [2, 3, 4]), ("pca", [2, 3, 3])])
def test_a_window_of_noise_has_no_beat_and_counts_where_the_model_needs_none(
    study: Path, model: str, windows: list[int]
) -> None:
    table = pl.read_parquet(study / f"{model}.windows.parquet")
    assert table["recording_id"].equals(pl.read_parquet(study / f"{model}.parquet")["recording_id"])
    assert table["windows"].to_list() == windows + [1] * (table.height - 3)
    spread = table.select("^s\\d+$").to_numpy()
    assert np.isfinite(spread[:3]).all()
    assert np.isnan(spread[3:].astype(float)).all()
    assert (spread[0] < spread[1]).mean() > 0.8  # one person twice, and three people


def test_one_lead_is_enough_and_noise_is_refused(study: Path) -> None:
    encoder = ecgwas.embed.load(study / "tiny.pt")
    signal, rate_hz, leads = read(study, "r03")
    named = encoder.embed(signal[:1], rate_hz, leads[:1])
    unnamed = encoder.embed(signal[:1], rate_hz, ["unknown"])
    assert np.isfinite(named).all()
    assert np.isfinite(unnamed).all()
    assert not np.allclose(named, unnamed)
    assert np.allclose(unnamed, encoder.embed(signal[:1], rate_hz, ["Unknown"]))
    with pytest.raises(UserError, match="flat_lead"):
        encoder.embed(np.zeros((2, 5000)), 500, ["I", "II"])
    with pytest.raises(UserError, match=r"shape \[12, 5000\] for 2 leads"):
        encoder.embed(signal, rate_hz, ["I", "II"])


@pytest.mark.parametrize("model", ["tiny", "conformer", "pca"])
def test_a_released_model_is_the_same_model(study: Path, tmp_path: Path, model: str) -> None:
    path, card = tmp_path / "model.safetensors", tmp_path / "README.md"
    release.main(study / f"{model}.pt", "mine", config.Release(licence="CC-BY-4.0"), path, card)
    signal, rate_hz, leads = read(study, "r04")
    one, other = (ecgwas.embed.load(p).embed(signal, rate_hz, leads) for p in (study / f"{model}.pt", path))
    assert np.array_equal(one, other)
    trained, again = files.load(study / f"{model}.pt"), files.load(path)
    assert {k: v for k, v in trained.items() if k not in released.GROUPS} == {
        k: v for k, v in again.items() if k not in released.GROUPS
    }
    text = card.read_text()
    assert released.checksum(released.tensors_of(trained)) in text
    assert text.startswith("---\nlicense: CC-BY-4.0\n")
    assert f"| training recordings | {pl.read_parquet(study / 'recordings.parquet').height} |" in text


def test_a_changed_or_foreign_file_is_refused(study: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    released.save(files.load(study / "tiny.pt"), path, "MIT")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="sha256"):
        files.load(path)
    path.write_bytes(data[:100])
    with pytest.raises(UserError, match="not a readable safetensors"):
        files.load(path)
    safetensors.torch.save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="not written by ecgwas"):
        files.load(path)
    with pytest.raises(UserError, match=r"release\.licence is not set"):
        release.main(study / "tiny.pt", "x", config.Release(), path, tmp_path / "card")
