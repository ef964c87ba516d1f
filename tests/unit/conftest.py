"""A small ingested cohort with known parameters, as files, for the stages that read signals."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.config import Ingest

# Directions of P, Q, R, S, T on the twelve leads, I to V6; rows are waves.
_LEADS = np.random.default_rng([7]).uniform(0.3, 1.0, (5, 12)) * np.array([1, -1, 1, -1, 1])[:, None]


@dataclass(frozen=True)
class Cohort:
    """Files of an ingested cohort, and what its recordings were made of."""

    recordings: Path
    strips: list[Path]
    beats: list[Path]
    parameters: pl.DataFrame  # one row a recording


def _waves(t: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    """Sum of Gaussians, microvolts [recording, 12, time], at times t [recording, time] from the R peak, s."""
    centre = [-p["pr"], -p["qrs"] / 3, 0 * p["pr"], p["qrs"] / 3, p["qt"]]
    width = [0.02 + 0 * p["pr"], p["qrs"] / 9, p["qrs"] / 9, p["qrs"] / 9, 0.045 + 0 * p["pr"]]
    height = [p["p_mv"], 0.15 + 0 * p["pr"], p["r_mv"], 0.25 + 0 * p["pr"], p["t_mv"]]
    shapes = [
        h[:, None] * np.exp(-0.5 * ((t - c[:, None]) / w[:, None]) ** 2)
        for c, w, h in zip(centre, width, height, strict=True)
    ]
    return 1000 * np.einsum("wnt,wl->nlt", np.array(shapes), _LEADS)


def make_cohort(folder: Path, n: int, seed: int = 0, shards: int = 2, no_beat: int = 0, twice: bool = False) -> Cohort:
    """Write a cohort of n recordings; the first `no_beat` have no median beat, every tenth lacks V2.

    twice: recording k + n/2 is of the person of recording k, who is the same but for the heart rate of the day.
    """
    rng, settings = np.random.default_rng([seed]), Ingest()
    means = {"rr": 0.9, "pr": 0.16, "qrs": 0.09, "qt": 0.3, "p_mv": 0.12, "r_mv": 1.0, "t_mv": 0.3}
    p = {name: mean * np.exp(0.12 * rng.standard_normal(n)) for name, mean in means.items()}
    if twice:
        p = {name: x if name == "rr" else np.tile(x[: n // 2], 2) for name, x in p.items()}
    t = np.arange(int(settings.seconds * settings.model_rate_hz)) / settings.model_rate_hz
    phase = (t + rng.uniform(0, 1, (n, 1))) % p["rr"][:, None]
    strip = _waves(phase, p) + _waves(phase - p["rr"][:, None], p)
    beat_t = (
        np.arange(round((settings.beat_before_s + settings.beat_after_s) * settings.beat_rate_hz))
        / settings.beat_rate_hz
    )
    beat = _waves(np.tile(beat_t - settings.beat_before_s, (n, 1)), p)
    strip, beat = strip + 20 * rng.standard_normal(strip.shape), beat + 6 * rng.standard_normal(beat.shape)
    strip, beat = strip.round().astype(np.int16), beat.round().astype(np.int16)
    beat[:no_beat] = -32768
    strip[::10, 7], beat[::10, 7] = -32768, -32768
    (folder / "signals").mkdir(parents=True)
    pieces, files = [], {"strip": [], "beat": []}
    for shard, rows in enumerate(np.array_split(np.arange(n), shards)):
        for kind, array in (("strip", strip), ("beat", beat)):
            files[kind].append(folder / "signals" / f"shard-{shard:03d}.{kind}.npy")
            np.save(files[kind][-1], array[rows])
        pieces.append(
            pl.DataFrame(
                {
                    "recording_id": [f"r{i:04d}" for i in rows],
                    "shard": shard,
                    "row": range(len(rows)),
                    "bucket": 0,
                    "strip_row": range(len(rows)),
                }
            )
        )
    table = pl.concat(pieces).with_columns(
        person_id=pl.col("recording_id").str.replace("r", "p"), rate_hz=500.0, seconds=10.0, unit=pl.lit("mV"),
        n_leads=12, n_beats=10, rr_ms=pl.Series(1000 * p["rr"]),
    )  # fmt: skip
    if twice:
        person = pl.Series([f"p{i % (n // 2):04d}" for i in range(n)])
        table = table.with_columns(person_id=person)
    table = pl.concat([tables.RECORDINGS.empty(), table], how="diagonal_relaxed")
    tables.RECORDINGS.typed(table).write_parquet(folder / "recordings.parquet")
    return Cohort(folder / "recordings.parquet", files["strip"], files["beat"], pl.DataFrame(p))


@pytest.fixture
def ecg_cohort(tmp_path: Path) -> Callable[..., Cohort]:
    """make_cohort in a temporary folder; each call with its own `name`."""
    return lambda n=48, name="toy", **options: make_cohort(tmp_path / name / "ecg", n, **options)
