"""What the contrast of a person's recordings does, on people who are the same twice but for their heart rate."""

import numpy as np
import pytest

from ecgwas.checkpoints import checkpoint
from ecgwas.config import Ingest, Transformer
from ecgwas.embed.embed import embed, encoder_of
from ecgwas.pretrain import train
from ecgwas.signals import data
from ecgwas.stats.repeated_measures import icc

RECIPE = Transformer(
    width=16, depth=1, heads=2, embedding=8, steps=80, batch=32, learning_rate=3e-3, rank_floor=1, readout=0.3
)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    from tests.unit.conftest import make_cohort

    return make_cohort(tmp_path_factory.mktemp("repeated") / "toy" / "ecg", 200, twice=True)


def mean_icc(cohort, folder, weight: float) -> float:
    """Mean ICC(1,1) of the whitened axes."""
    settings = RECIPE.model_copy(update={"same_person": weight})
    outputs = {name: folder / name for name in ("checkpoint", "history", "resume")}
    train.main([cohort.recordings], cohort.strips, cohort.beats, settings, Ingest(), **outputs)
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    z = embed(encoder_of(checkpoint.load(outputs["checkpoint"])), signals, 64)
    z = np.linalg.svd(z - z.mean(0), full_matrices=False)[0]
    person = signals.table["person"].to_numpy()
    return float(np.mean([icc(z[:, k], person)[1] for k in range(8)]))


def test_the_contrast_of_a_persons_recordings_makes_embeddings_repeat(repeated, tmp_path):
    without, with_it = (mean_icc(repeated, tmp_path / str(w), w) for w in (0.0, 1.0))
    assert with_it > without + 0.05
