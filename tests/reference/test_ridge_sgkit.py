"""Step 1 against sgkit's implementation of the same method, frozen with the script beside this file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ecgwas.gwas.step1 import ridge


@pytest.fixture(scope="module")
def frozen():
    return np.load(Path(__file__).with_name("sgkit_regenie.npz"))


def fit(frozen, level1):
    """Our predictions of the frozen cohort, on the same folds and level-0 penalties."""
    dosage, y = frozen["dosage"].astype(np.float64), frozen["y"]
    q = np.full((len(y), 1), len(y) ** -0.5)

    def blocks():
        return ((str(first // 60), dosage[first : first + 20]) for first in range(0, len(dosage), 20))

    fold, lambdas = np.arange(len(y)) // 80, (list(frozen["alphas"]), level1)
    genotypes = ridge.Genotypes(blocks, 180, 9, ["0", "1", "2"])
    return ridge.predict(genotypes, y, q, fold, ridge.Options(4, torch.float64, lambdas))


def test_predictions_agree(frozen):
    loco = fit(frozen, list(frozen["alphas"])).loco
    expected = np.concatenate([frozen["loco"], frozen["whole"][None]])  # [C + 1, n, T]
    assert loco.shape == expected.shape
    for a, b in zip(*(x.transpose(0, 2, 1).reshape(-1, len(frozen["y"])) for x in (loco, expected)), strict=True):
        assert np.corrcoef(a, b)[0, 1] > 0.9999
        assert np.polyfit(b, a, 1)[0] == pytest.approx(1, abs=0.01)


def test_the_same_penalty_is_chosen(frozen):
    """sgkit tells predictions only: its penalty is the one that, forced on every trait, reproduces them."""
    forced = [fit(frozen, [alpha]).loco[-1] for alpha in frozen["alphas"]]  # R of [n, T]
    far = np.stack([((x - frozen["whole"]) ** 2).mean(0) / frozen["whole"].var(0) for x in forced])  # [R, T]
    assert (np.sort(far, axis=0)[0] < 1e-3).all()
    assert (np.sort(far, axis=0)[1] > 1e-2).all()
    assert (far.argmin(0) == fit(frozen, list(frozen["alphas"])).errors.argmin(1)).all()
