"""0/1 outcome, covariates -> logistic regression: null models, Wald and likelihood-ratio tests, score tests of blocks.

log(mu/(1 - mu)) = offset + X b, fitted by Fisher scoring (McCullagh & Nelder 1989, Generalized Linear Models, 2.5) with
step halving. With `firth`, Jeffreys' prior is added to the likelihood: l + 1/2 log|X'WX| (Firth 1993, Biometrika 80:27;
Heinze & Schemper 2002, Stat Med 21:2409), W = mu(1 - mu), and estimates are finite whatever the data.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import linalg, special

MAX_ITERATIONS = 60
MAX_HALVINGS = 25
DECREMENT = 1e-16  # squared length of the last step in standard errors
EXTREME = 12.0  # fitted log odds further out than this, with twice that as standard error: the outcome is separated
CANCELLED = 1e-3  # a variant with a smaller share of its information left by the covariates is computed in float64
COLLINEAR = 1e-8  # below this share there is nothing left: no test


@dataclass(frozen=True)
class Fit:
    """A fitted model of n people and c coefficients; `reason` says why the numbers are not to be used."""

    beta: np.ndarray  # [c] log odds ratios
    mu: np.ndarray  # [n] fitted probabilities
    cov: np.ndarray  # [c, c] inverse information of the coefficients
    leverage: np.ndarray  # [n] diagonal of W^1/2 X (X'WX)^-1 X' W^1/2; 0 without `firth`
    loglik: float  # penalised with `firth`
    reason: str | None = None  # separated, collinear, not_converged

    @property
    def se(self) -> np.ndarray:
        """[c] standard errors (Wald)."""
        return np.sqrt(np.diag(self.cov))


def log_likelihood(y: np.ndarray, eta: np.ndarray) -> float:
    """Bernoulli log likelihood at the log odds `eta` [n]."""
    return float(y @ eta - np.logaddexp(0, eta).sum())


def _state(y: np.ndarray, x: np.ndarray, beta: np.ndarray, fixed: np.ndarray, firth: bool) -> tuple[Fit, np.ndarray]:
    """The model and its score [c] at `beta`; raises LinAlgError where the information is singular."""
    eta = fixed + x @ beta
    mu = special.expit(eta)
    weight = mu * special.expit(-eta)
    factor = linalg.cho_factor((x * weight[:, None]).T @ x, lower=True)
    cov = linalg.cho_solve(factor, np.eye(x.shape[1]))
    value, rest, leverage = log_likelihood(y, eta), y - mu, np.zeros_like(mu)
    if firth:
        leverage = weight * np.einsum("nc,cd,nd->n", x, cov, x, optimize=True)
        value += float(np.log(np.diag(factor[0])).sum())
        rest = rest + leverage * (0.5 - mu)
    return Fit(beta, mu, cov, leverage, value), x.T @ rest


def _step(now: Fit, score: np.ndarray, free: int) -> tuple[np.ndarray, float]:
    """Change [c] of the coefficients, of which the first `free` move, and its squared length in standard errors."""
    cov, cross = now.cov[:free, :free], now.cov[:free, free:]
    inverse = cov - cross @ np.linalg.solve(now.cov[free:, free:], cross.T)  # of the free block of the information
    step = np.zeros(len(now.beta))
    step[:free] = inverse @ score[:free]
    return step, float(step @ score)


def _search(
    y: np.ndarray, x: np.ndarray, fixed: np.ndarray, now: Fit, step: np.ndarray, firth: bool
) -> tuple[Fit, np.ndarray]:
    """The model after `step`, halved until the likelihood does not fall; raises LinAlgError where no length does."""
    for _ in range(MAX_HALVINGS):
        beta = now.beta + step
        try:
            new, score = _state(y, x, beta, fixed, firth)
        except linalg.LinAlgError:
            new = None
        if new and new.loglik >= now.loglik - 1e-12 * abs(now.loglik):
            return new, score
        step = step / 2
    raise linalg.LinAlgError("no step raises the likelihood")


def separated(x: np.ndarray, found: Fit) -> bool:
    """Whether someone's log odds run off to infinity: far out, and of no certainty at all."""
    eta, variance = np.abs(x @ found.beta), np.einsum("nc,cd,nd->n", x, found.cov, x, optimize=True)
    return bool(((eta > EXTREME) & (variance > (2 * eta) ** 2)).any())


def nothing(n: int, beta: np.ndarray) -> Fit:
    """A model of which only the coefficients are known."""
    return Fit(beta, np.full(n, np.nan), np.full((len(beta), len(beta)), np.nan), np.full(n, np.nan), np.nan)


def fit(
    y: np.ndarray,
    x: np.ndarray,
    offset: np.ndarray | None = None,
    firth: bool = False,
    start: np.ndarray | None = None,
    free: int | None = None,
) -> Fit:
    """Model of `y` [n] 0/1 on the columns of `x` [n, c] with a fixed `offset` [n] in the log odds.

    Only the first `free` coefficients move, the others stay at `start` (0), and with `firth` the penalty is still that
    of all columns: the null model of the penalised likelihood-ratio test.
    """
    free = x.shape[1] if free is None else free
    fixed = np.zeros(len(y)) if offset is None else offset
    beta = np.zeros(x.shape[1]) if start is None else start.astype(float).copy()
    now, reason = nothing(len(y), beta), "not_converged"
    try:
        now, score = _state(y, x, beta, fixed, firth)
        for _ in range(MAX_ITERATIONS):
            step, length = _step(now, score, free)
            now, score = _search(y, x, fixed, now, step, firth)
            if length < DECREMENT:
                reason = None
                break
    except linalg.LinAlgError:
        reason = "collinear"
    return replace(now, reason="separated" if separated(x, now) else reason)


def with_genotype(y: np.ndarray, x: np.ndarray, g: np.ndarray, offset: np.ndarray | None = None) -> tuple[float, ...]:
    """beta, standard error (Wald) and likelihood-ratio chi-square of genotype `g` [n] beside the columns of `x`."""
    null, full = fit(y, x, offset), fit(y, np.column_stack([x, g]), offset)
    if null.reason or full.reason:
        return np.nan, np.nan, np.nan
    return float(full.beta[-1]), float(full.se[-1]), 2 * (full.loglik - null.loglik)


@dataclass(frozen=True)
class Null:
    """What a score test needs of one null model: n people, c columns of X."""

    mu: np.ndarray  # [n]
    e: np.ndarray  # [n] residuals, orthogonal to X
    w: np.ndarray  # [n] mu(1 - mu)
    h: np.ndarray  # [n, c] X L^-T with LL' = X'WX: W-orthonormal columns
    reason: str | None = None


def null_model(y: np.ndarray, x: np.ndarray, offset: np.ndarray | None = None, firth: bool = False) -> Null:
    """The null model, once a trait and chromosome.

    With `firth` the residuals are y - mu + leverage (1/2 - mu), those of the penalised score, also orthogonal to X.
    """
    found = fit(y, x, offset, firth)
    if found.reason:
        return Null(*(np.full(len(y), np.nan) for _ in range(3)), np.full(x.shape, np.nan), found.reason)
    mu, w = found.mu, found.mu * (1 - found.mu)
    factor = np.linalg.cholesky((x * w[:, None]).T @ x)
    h = linalg.solve_triangular(factor, x.T, lower=True).T
    return Null(mu, y - mu + found.leverage * (0.5 - mu), w, h)


def stacked(nulls: list[Null]) -> tuple[torch.Tensor, torch.Tensor]:
    """[n, T + T c] residuals and W h of every trait, and weights [n, T]: the right sides of the score tests.

    Null models with fewer columns than others are filled with zeros.
    """
    e, w = np.stack([m.e for m in nulls], axis=1), np.stack([m.w for m in nulls], axis=1)
    most = max(m.h.shape[1] for m in nulls)
    projectors = [np.pad(m.w[:, None] * m.h, ((0, 0), (0, most - m.h.shape[1]))) for m in nulls]
    return torch.from_numpy(np.column_stack([e, *projectors])), torch.from_numpy(w)


def score_block(g: torch.Tensor, right: torch.Tensor, w: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score U = g'(y - mu), its variance V = g'Wg - |h'Wg|^2 and g'Wg, each [V, T], of `g` [V, n] in two products.

    V = g'Wg - g'WX (X'WX)^-1 X'Wg: the covariates' part taken away (Rao 1948, Proc Camb Phil Soc 44:50).
    """
    traits = w.shape[1]
    product, raw = (g @ right).double().cpu().numpy(), ((g * g) @ w).double().cpu().numpy()
    covered = (product[:, traits:].reshape(len(g), traits, -1) ** 2).sum(axis=2)
    return product[:, :traits], np.maximum(raw - covered, 0), raw


class ScoreTest:
    """Score tests of every variant of a block against all traits of one group of people."""

    def __init__(self, nulls: list[Null], dtype: torch.dtype, device: str = "cpu"):
        self._exact = stacked(nulls)
        self._right, self._w = (part.to(device, dtype) for part in self._exact)
        self._dtype, self._device = dtype, device

    def block(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """U and V [V, T] of minor-allele dosages `g` [V, n], missing at the mean; V is NaN where nothing is left."""
        u, v, raw = score_block(torch.from_numpy(g).to(self._device, self._dtype), self._right, self._w)
        weak = np.flatnonzero(((v < CANCELLED * raw) & (raw > 0)).any(axis=1))
        if len(weak) and self._dtype != torch.float64:
            u[weak], v[weak], raw[weak] = score_block(torch.from_numpy(g[weak].astype(np.float64)), *self._exact)
        return u, np.where(v > COLLINEAR * raw, v, np.nan)
