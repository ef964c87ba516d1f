"""Step 1 against sgkit's implementation of the same method, frozen with the script beside this file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ecgwas.gwas import ridge


@pytest.fixture(scope="module")
def frozen():
    return np.load(Path(__file__).with_name("sgkit_regenie.npz"))


@pytest.fixture(scope="module")
def ours(frozen):
    dosage, y = frozen["dosage"].astype(np.float64), frozen["y"]
    q = np.full((len(y), 1), len(y) ** -0.5)
    lambdas = list(frozen["alphas"])

    def blocks():
        return ((str(first // 60), dosage[first : first + 20]) for first in range(0, len(dosage), 20))

    fold = np.arange(len(y)) // 80
    return ridge.predict(blocks, 180, 9, y, q, fold, ["0", "1", "2"], 4, torch.float64, (lambdas, lambdas))


def test_the_same_penalty_is_chosen_and_predictions_agree(frozen, ours):
    loco = ours.loco
    expected = np.concatenate([frozen["loco"], frozen["whole"][None]])  # [C + 1, n, T]
    assert loco.shape == expected.shape
    for a, b in zip(*(x.transpose(0, 2, 1).reshape(-1, len(frozen["y"])) for x in (loco, expected)), strict=True):
        assert np.corrcoef(a, b)[0, 1] > 0.9999
        assert np.polyfit(b, a, 1)[0] == pytest.approx(1, abs=0.01)
