"""Two processes learn what one does of the same batch; broken off and resumed too.

Sums over recordings are taken in another order, which changes their last bits, and AdamW divides a gradient by its own
size: after six steps losses differ by less than 1e-4 of their size, weights by less than a tenth of the learning rate.
A batch that `accumulate` cuts has its variance, covariance and contrast terms within each part, so that it is another
loss than that of the uncut one; cut alike, two processes equal one.
"""

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import torch.multiprocessing

from ecgwas.checkpoints import checkpoint
from ecgwas.config import Ingest, Transformer
from ecgwas.pretrain import train

RATE = 1e-3
TINY = Transformer(
    width=16, depth=1, heads=2, embedding=8, steps=6, batch=16, checkpoint_every=2, same_person=0.5, covariance=0.5,
    learning_rate=RATE,
)  # fmt: skip
CASES = {
    "jepa": {},
    "jepa_in_two": {"accumulate": 2},
    "mae": {"objective": "mae"},
    "mae_in_two": {"objective": "mae", "accumulate": 2},
    "ecg_lfm": {"objective": "ecg_lfm", "codes": 32},
    "conformer": {"backbone": "conformer", "objective": "ecg_lfm", "strip_patch_s": 0.16, "codes": 32, "readout": 0},
}


def learn(cohort: SimpleNamespace, folder: Path, case: str, stop_after: int | None = None) -> None:
    settings = TINY.model_copy(update=CASES[case])
    paths = {"checkpoint": folder / "checkpoint.pt", "history": folder / "history.parquet", "resume": folder / "resume"}
    signals = [cohort.recordings], cohort.strips, cohort.beats
    train.main(*signals, settings, Ingest(), **paths, stop_after=stop_after)


def process(rank: int, ports: list[int], cohort: SimpleNamespace, folder: Path) -> None:
    """What torchrun would start: every case, and one broken off and resumed."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1"}
    for port, case in zip(ports, CASES, strict=False):
        os.environ["MASTER_PORT"] = str(port)
        learn(cohort, folder / case, case)
    os.environ["MASTER_PORT"] = str(ports[-2])
    try:
        learn(cohort, folder / "resumed", "jepa", stop_after=3)
    except InterruptedError:
        torch.distributed.destroy_process_group()
    os.environ["MASTER_PORT"] = str(ports[-1])
    learn(cohort, folder / "resumed", "jepa")


def free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def two_each(cohort) -> SimpleNamespace:
    """The cohort, in which everyone has two recordings, as what another process can be given."""
    table = pl.read_parquet(cohort.recordings)
    person = pl.Series("person_id", [f"p{k // 2}" for k in range(table.height)])
    table.with_columns(person).write_parquet(cohort.recordings)
    return SimpleNamespace(recordings=cohort.recordings, strips=cohort.strips, beats=cohort.beats)


def test_two_processes_learn_what_one_does_broken_off_or_not(ecg_cohort, tmp_path):
    cohort = two_each(ecg_cohort(n=40, no_beat=3))
    torch.multiprocessing.spawn(process, (free_ports(len(CASES) + 2), cohort, tmp_path / "two"), nprocs=2)
    for case in CASES:
        learn(cohort, tmp_path / "one" / case, case)
        one, two = (pl.read_parquet(tmp_path / n / case / "history.parquet") for n in ("one", "two"))
        parts = [name for name in one.columns if name.startswith("loss")]
        assert {"loss_person", "loss_covariance", "loss_variance"} <= set(parts)
        assert one["loss_person"].min() > 0
        np.testing.assert_allclose(two.select(parts).to_numpy(), one.select(parts).to_numpy(), rtol=1e-4, atol=1e-6)
        a, b = (checkpoint.load(tmp_path / n / case / "checkpoint.pt")["weights"] for n in ("one", "two"))
        assert max(float((a[name] - b[name]).abs().max()) for name in a) < 0.1 * RATE
    whole, resumed = ((tmp_path / "two" / name / "checkpoint.pt").read_bytes() for name in ("jepa", "resumed"))
    assert whole == resumed
