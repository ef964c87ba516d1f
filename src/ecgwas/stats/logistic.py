"""0/1 outcome, covariates -> logistic regression: null models, Wald and likelihood-ratio tests.

log(mu/(1 - mu)) = offset + X b, fitted by Fisher scoring (McCullagh & Nelder 1989, Generalized Linear Models, 2.5) with
step halving. With `firth`, Jeffreys' prior is added to the likelihood: l + 1/2 log|X'WX| (Firth 1993, Biometrika 80:27;
Heinze & Schemper 2002, Stat Med 21:2409), W = mu(1 - mu), and estimates are finite whatever the data.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, special

MAX_ITERATIONS = 60
MAX_HALVINGS = 25
DECREMENT = 1e-16  # squared length of the last step in standard errors
EXTREME = 12.0  # fitted log odds further out than this, with twice that as standard error: the outcome is separated


@dataclass(frozen=True)
class Fit:
    """A fitted model of n people and c coefficients; `reason`: why it is not usable."""

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
    known = np.isfinite(y).all()  # a trait of few or no values comes with everyone (groups.build)
    found = fit(y, x, offset, firth) if known else None
    if found is None or found.reason:
        reason = "too_few" if found is None else found.reason
        return Null(*(np.full(len(y), np.nan) for _ in range(3)), np.full(x.shape, np.nan), reason)
    mu, w = found.mu, found.mu * (1 - found.mu)
    factor = np.linalg.cholesky((x * w[:, None]).T @ x)
    h = linalg.solve_triangular(factor, x.T, lower=True).T
    return Null(mu, y - mu + found.leverage * (0.5 - mu), w, h)
