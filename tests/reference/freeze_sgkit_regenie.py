"""sgkit's leave-one-chromosome-out predictions of a small cohort -> sgkit_regenie.npz; in an environment of its own.

sgkit 0.10.0 needs numpy below 2.2: python -m venv sg && sg/bin/pip install sgkit==0.10.0 && sg/bin/python <this file>
"""

from pathlib import Path

import dask.array as da
import numpy as np
from sgkit.stats import regenie

N, CONTIGS, PER_CONTIG, BLOCK, TRAITS, FOLDS = 400, 3, 60, 20, 4, 5
ALPHAS = [2.0, 100.0, 5000.0, 250_000.0]  # far apart, so that no trait is undecided


def main() -> None:
    """Draw the cohort, run sgkit on standardised genotypes and traits without covariates, write all of it."""
    rng = np.random.default_rng(20)
    m = CONTIGS * PER_CONTIG
    dosage = rng.binomial(2, rng.uniform(0.05, 0.5, m)[:, None], (m, N)).astype(np.int8)
    g = (dosage - dosage.mean(1, keepdims=True)) / dosage.std(1, ddof=1, keepdims=True)
    value = g.T @ rng.standard_normal((m, TRAITS))
    y = np.sqrt([4.0, 1.0, 0.3, 0.0]) * value / value.std(0) + rng.standard_normal((N, TRAITS))
    y = (y - y.mean(0)) / y.std(0)
    # sgkit standardises the level-0 predictions for level 1 but leaves chromosomes out of the raw ones, which mixes two
    # scales; here all its stages get the standardised ones, as in the paper.
    contigs = np.repeat(np.arange(CONTIGS), PER_CONTIG)
    chunks = (N // FOLDS,) * FOLDS
    g_, y_ = da.from_array(g.T, (chunks, BLOCK)), da.from_array(y, (chunks, -1))
    x_, alphas = da.zeros((N, 0), chunks=(chunks, 0)), np.array(ALPHAS)
    level0 = regenie._stage_1(g_, x_, y_, alphas=alphas)
    level0 = (level0 - level0.mean(axis=2, keepdims=True)) / level0.std(axis=2, keepdims=True)
    beta, whole = regenie._stage_2(level0, x_, y_, alphas=alphas, normalize=False)
    loco = regenie._stage_3(beta, level0, x_, y_, da.from_array(contigs), np.arange(0, m, BLOCK))
    loco, whole = loco.compute(), whole.compute()
    path = Path(__file__).with_name("sgkit_regenie.npz")
    np.savez_compressed(path, dosage=dosage, y=y, alphas=ALPHAS, loco=loco.astype("f4"), whole=whole.astype("f4"))


if __name__ == "__main__":
    main()
