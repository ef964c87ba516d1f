"""Frozen embedding and classical measurements together -> logits: the gain of an encoder over classical measurements.

One penalised regression on both. Embeddings are on a scale of `probe.SCALES`, times a ratio that says how cheaply they
are used beside standardised measurements; scale, ratio and penalty are those with the least validation
log loss. The logit is a sum of the two parts, so that scoring needs no more than a probe's network and a measurement's
regression.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch

from ecgwas.predict.inputs import CohortFiles, FitInputs, Logits
from ecgwas.predict.methods import classical, networks, probe, tuning

RATIOS = (1.0, 0.25, 4.0)  # of embeddings to measurements; the first where the validation split is empty
MEASURED = "intervals"
BATCH = tuning.BATCH


class CombinedModel(NamedTuple):
    """logit = bias + z · embedding + x · measured, of raw embeddings z and the design x of measurements."""

    embedding: np.ndarray  # [E]
    measured: np.ndarray  # [M]
    bias: float
    told: dict[str, Any]  # hyperparameters selected, and their validation loss


def fit_outcome(
    z: np.ndarray, x: np.ndarray, y: np.ndarray, train: np.ndarray, validation: np.ndarray
) -> CombinedModel:
    """The regression of one outcome: embeddings z [n, E], measurements x [n, M], labels y [n], NaN unknown."""
    centre, spread = probe.spread(x[train])
    measured = probe.scaled(x, centre, spread)
    found = []
    for name, scale in probe.SCALES.items():
        mean, sd = scale(z[train])
        for ratio in RATIOS:
            # Not `probe.scaled`: NaN excludes a recording without an embedding from the fit.
            u = np.column_stack([(z - mean) / sd * ratio, measured])
            one = probe.fit(u[train], y[train], u[validation], y[validation], scales=("one",))
            of_z, of_x = one.weight[: z.shape[1]] * ratio / sd, one.weight[z.shape[1] :] / spread
            bias = one.bias - float(mean @ of_z + centre @ of_x)
            told = {"scale": name, "ratio": ratio, "penalty": one.penalty, "loss": one.loss}
            found.append(CombinedModel(of_z, of_x, bias, told))
    losses = [one.told["loss"] for one in found]
    return found[int(np.argmin(np.where(np.isnan(losses), np.inf, losses)))]


def fit(given: FitInputs) -> dict[str, Any]:
    """Contents of the predictor's file: a probe's network, and the regression of the measurements."""
    given.cohort.need(given.method, MEASURED)
    examples = given.examples
    setting = tuning.opened(replace(given, method="probe"))
    network = networks.make_network("probe", examples.outcomes, setting.checkpoint, given.seed).to(setting.device)
    z = tuning.embeddings(setting, network).astype(np.float64)
    measures = classical.Design.of(classical.features(MEASURED, given.cohort, examples.table), setting.train)
    x = measures.rows(classical.features(MEASURED, given.cohort, examples.table))
    fits = [fit_outcome(z, x, y, setting.train, setting.validation) for y in examples.y.T]
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(np.stack([one.embedding for one in fits])))
        network.head.bias.copy_(torch.tensor([one.bias for one in fits]))
    weight = torch.from_numpy(np.stack([one.measured for one in fits]))
    told = {name: one.told for name, one in zip(examples.outcomes, fits, strict=True)}
    measured = measures.to_dict() | {"weight": weight, "bias": torch.zeros(len(fits), dtype=torch.float64)}
    return {"network": networks.to_dict(network), "measured": measured, "chosen": told}


def score(
    predictor: dict[str, Any], cohort: CohortFiles, ids: pl.Series, threads: int = 1, batch: int = BATCH
) -> Logits:
    """Logits of the recordings named; a recording without an embedding has none."""
    cohort.need(predictor["method"], MEASURED)
    seen = tuning.score(predictor["network"], cohort, ids, threads, batch)
    measured = classical.score(predictor["measured"] | {"method": MEASURED}, cohort, ids)
    return Logits(seen.logits + measured.logits, seen.reasons)
