"""Training and validation people -> the risk models of one outcome: Cox and discrete-time, with their ridge."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ecgwas.config import Predict
from ecgwas.predict.survival import covariates
from ecgwas.predict.survival.covariates import Covariates, FollowedCohort
from ecgwas.stats.survival import cox, discrete_time

HEADS = ("cox", "discrete")
PENALTIES = np.geomspace(0.1, 1e4, 6)  # on coefficients of covariates in SDs, beside the log likelihood
DEFAULT_PENALTY = 100.0  # where nobody in the validation split has the event
LEVEL = 1e-6  # ridge of age and sex, which keeps a constant one at 0
GROUPS = 3


@dataclass(frozen=True)
class RiskModel:
    """One model of one outcome, fitted in the training cohort."""

    model: str
    head: str
    space: Covariates
    penalty: float
    linear: Callable[[np.ndarray], np.ndarray]  # [n, p] -> log hazard (or odds) [n]
    incidence: Callable[[np.ndarray, np.ndarray], np.ndarray]  # [n, p], years [t] -> [n, t]
    cuts: np.ndarray  # limits of the linear predictor between groups of risk: thirds of the training people
    fitted: cox.Cox | None  # of head cox
    training: tuple[np.ndarray, np.ndarray, np.ndarray]  # x, years, event


def fit(cohort: FollowedCohort, outcome: str, settings: Predict) -> list[RiskModel]:
    """Every model and head of an outcome."""
    pairs = itertools.product(covariates.MODELS, HEADS)
    return [_fit(cohort, outcome, model, head, settings) for model, head in pairs]


def _fit(cohort: FollowedCohort, outcome: str, model: str, head: str, settings: Predict) -> RiskModel:
    rows, validation = (cohort.followed(outcome, split) for split in ("train", "validation"))
    made = covariates.fit_covariates(model, cohort, rows, settings.axes)
    training = made.of(cohort, rows), *cohort.times(outcome, rows)
    held_out = made.of(cohort, validation), *cohort.times(outcome, validation)
    penalty = chosen(head, made, training, held_out)
    ridge = np.where(made.free, LEVEL, penalty)
    linear, incidence, fitted = (_cox if head == "cox" else _discrete)(training, ridge)
    cuts = np.quantile(linear(training[0]), np.arange(1, GROUPS) / GROUPS)
    return RiskModel(model, head, made, penalty, linear, incidence, cuts, fitted, training)


def chosen(head: str, made: Covariates, training: tuple, held_out: tuple) -> float:
    """The ridge with the greatest likelihood in the validation split; 0 for age and sex alone."""
    if made.free.all():
        return 0.0
    if not (held_out[2] == 1).any():
        return DEFAULT_PENALTY

    def worth(penalty: float) -> float:
        ridge, (x, years, event) = np.where(made.free, LEVEL, penalty), training
        if head == "cox":
            return cox.deviance(cox.fit(x, years, event == 1, ridge), held_out[0], held_out[1], held_out[2] == 1)
        return discrete_time.deviance(discrete_time.fit(x, years, event, ridge), *held_out)

    return float(PENALTIES[int(np.argmax([worth(penalty) for penalty in PENALTIES]))])


def _cox(training: tuple, ridge: np.ndarray) -> tuple:
    """Cause-specific Cox models of the event and, where it occurs, of death before it."""
    x, years, event = training
    first = cox.fit(x, years, event == 1, ridge)
    second = cox.fit(x, years, event == 2, np.maximum(ridge, 1.0)) if (event == 2).any() else None
    last = years.max()

    def incidence(new: np.ndarray, at: np.ndarray) -> np.ndarray:
        return np.where(at > last, np.nan, cox.incidence(first, second, new, at))

    return first.linear, incidence, first


def _discrete(training: tuple, ridge: np.ndarray) -> tuple:
    model = discrete_time.fit(*training, ridge)
    return (
        lambda new: (new - model.mean) @ model.beta[0],
        lambda new, at: discrete_time.incidence(model, new, at),
        None,
    )


def ratios(risk: RiskModel) -> Iterator[dict]:
    """Rows of hazard ratios: of the model and, where it has a ridge, of the unpenalised model."""
    x, years, event = risk.training
    varied = np.isfinite(risk.space.scale)
    plain = cox.fit(x[:, varied], years, event == 1)
    told = cox.proportional(plain, x[:, varied], years, event == 1) if plain.converged else (None, float("nan"))
    names = [name for name, there in zip(risk.space.names, varied, strict=True) if there]
    fits = [(0.0, plain)]
    if risk.penalty:
        ridge = np.where(risk.space.free, LEVEL, risk.penalty)[varied]
        fits.append((risk.penalty, cox.fit(x[:, varied], years, event == 1, ridge)))
    for penalty, model in fits:
        for k, (value, low, high) in enumerate(cox.hazard_ratios(model, np.ones(len(names)))):
            found = model.converged
            yield {
                "method": risk.model,
                "penalty": penalty,
                "covariate": names[k],
                "sd": float(risk.space.scale[varied][k]),
                "value": float(value) if found else None,
                "low": float(low) if found else None,
                "high": float(high) if found else None,
                "p_proportional": float(told[0][k]) if not penalty and told[0] is not None else None,
                "p_proportional_all": told[1] if not penalty and told[0] is not None else None,
                "n": len(years),
                "reason": None if found else "the likelihood has no maximum: too few events for these covariates",
            }
