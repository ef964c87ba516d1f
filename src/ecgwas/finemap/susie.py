"""z scores and LD -> posterior of causal variants: sum of single effects (SuSiE), all traits of one LD matrix at once.

Model (Wang et al. 2020, JRSSB 82:1273; from summary statistics: Zou et al. 2022, PLoS Genet 18:e1010299): the
standardised trait is y = X Σ_l b_l + e, each b_l has one non-zero entry drawn from N(0, V_l), e ~ N(0, σ²). With
genotypes standardised, X'X = (n-1) R and X'y = sqrt(n-1) z, where z is the z score adjusted for the variance it
explains. Iterative Bayesian stepwise selection cycles over the effects; V_l maximises the evidence of its effect.

Shapes: K traits, L effects, p variants.
"""

from dataclasses import dataclass

import numpy as np

GRID = 16
NEWTON_STEPS = 50
PRIOR_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Fit:
    """Variational posterior of K traits."""

    alpha: np.ndarray  # [K, L, p] posterior of the place of each effect
    mu: np.ndarray  # [K, L, p] posterior mean of the effect, were it there
    mu2: np.ndarray  # [K, L, p] its second moment
    prior_variance: np.ndarray  # [K, L]
    residual_variance: np.ndarray  # [K]
    log_bf: np.ndarray  # [K, L] natural log Bayes factor of each effect
    elbo: list[np.ndarray]  # of each trait, by iteration
    iterations: np.ndarray  # [K]
    converged: np.ndarray  # [K]

    @property
    def pip(self) -> np.ndarray:
        """Posterior inclusion probability [K, p]; effects of zero prior variance do not count."""
        counted = (self.prior_variance > PRIOR_TOLERANCE)[:, :, None]
        return 1 - np.prod(1 - self.alpha * counted, axis=1)


def adjusted_z(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """t statistics [K, p], residual degrees of freedom `df` [K] -> sqrt(n-1) times the partial correlation, n = df + 2.

    The z score adjusted for the variance it explains (Zou et al. 2022), exact here: t / sqrt(t² + df) is the
    correlation of trait and genotype after projection of the covariates, which leaves df + 1 dimensions.
    """
    df = np.asarray(df, float)[:, None]
    return np.sqrt(df + 1) * t / np.sqrt(t**2 + df)


def log_sum_exp(x: np.ndarray) -> np.ndarray:
    """log Σ exp over the last axis."""
    top = x.max(axis=-1)
    return top + np.log(np.exp(x - top[..., None]).sum(axis=-1))


def log_bayes_factors(chi2: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Wakefield's log Bayes factor [..., p] of χ² [..., p] where prior variance / squared error is `ratio` [...]."""
    ratio = np.asarray(ratio)[..., None]
    return 0.5 * (chi2 * ratio / (1 + ratio) - np.log1p(ratio))


def evidence_slope(chi2: np.ndarray, ratio: np.ndarray, log_prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """g = E[χ²] - (1 + ratio), whose sign is that of the slope of the evidence in `ratio` [...], and dg/d ratio."""
    log_weight = log_prior + 0.5 * chi2 * (ratio / (1 + ratio))[..., None]
    weight = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True))
    weight /= weight.sum(axis=-1, keepdims=True)
    mean = (weight * chi2).sum(axis=-1)
    spread = (weight * (chi2 - mean[..., None]) ** 2).sum(axis=-1)
    return mean - (1 + ratio), 0.5 * spread / (1 + ratio) ** 2 - 1


def best_ratio(chi2: np.ndarray, log_prior: np.ndarray) -> np.ndarray:
    """Prior variance / squared error [K] with the largest evidence of a single effect; 0 where none beats no effect.

    `chi2`, `log_prior` [K, p]. The evidence log Σ_j π_j BF_j is stationary where E[χ²] = 1 + ratio, so the
    maximum lies below max χ² - 1: a grid in log ratio finds the hill, safeguarded Newton steps its top.
    """
    top = np.maximum(chi2.max(axis=-1) - 1, 1e-12)
    grid = np.geomspace(np.minimum(1e-3, top / 2), top, GRID, axis=-1)  # [K, GRID]
    height = log_sum_exp(log_prior[:, None] + log_bayes_factors(chi2[:, None], grid))
    best = height.argmax(axis=-1)
    rows = np.arange(len(grid))
    ratio = grid[rows, best]
    low, high = grid[rows, np.maximum(best - 1, 0)], grid[rows, np.minimum(best + 1, GRID - 1)]
    for _ in range(NEWTON_STEPS):
        slope, change = evidence_slope(chi2, ratio, log_prior)
        low, high = np.where(slope > 0, ratio, low), np.where(slope > 0, high, ratio)
        step = ratio - slope / np.where(change < 0, change, -np.inf)
        step = np.where((change < 0) & (step > low) & (step < high), step, 0.5 * (low + high))
        moved, ratio = np.abs(step - ratio), step
        if (moved <= 1e-12 * ratio).all():
            break
    gain = log_sum_exp(log_prior + log_bayes_factors(chi2, ratio)) - log_sum_exp(log_prior)
    return np.where((chi2.max(axis=-1) > 1) & (gain > 0), ratio, 0.0)


class State:
    """The running fit of the traits still iterating; `c` [K, p] = X'y/(n-1), people `n` [K]."""

    def __init__(self, c: np.ndarray, n: np.ndarray, effects: int, prior_variance: float):
        traits, p = c.shape
        self.c, self.n = c, n
        self.alpha = np.full((traits, effects, p), 1 / p)
        self.mu, self.mu2, self.fitted = (np.zeros((traits, effects, p)) for _ in range(3))  # fitted: R (alpha mu)
        self.V = np.full((traits, effects), prior_variance)
        self.sigma2 = np.ones(traits)
        self.log_bf, self.kl = np.zeros((traits, effects)), np.zeros((traits, effects))

    def update_effect(self, effect: int, R: np.ndarray, estimate_prior_variance: bool) -> None:
        """Regress what the other effects leave on a single effect (Wang et al. 2020, algorithm 1)."""
        p = R.shape[0]
        error = self.sigma2 / (self.n - 1)  # squared standard error of a single-variant regression, [K]
        slope = self.c - self.fitted.sum(axis=1) + self.fitted[:, effect]
        chi2 = slope**2 / error[:, None]
        if estimate_prior_variance:
            self.V[:, effect] = error * best_ratio(chi2, np.full_like(chi2, -np.log(p)))
        ratio = self.V[:, effect] / error
        log_bf = log_bayes_factors(chi2, ratio)
        self.log_bf[:, effect] = log_sum_exp(log_bf) - np.log(p)
        self.alpha[:, effect] = np.exp(log_bf - np.log(p) - self.log_bf[:, effect, None])
        shrink = (ratio / (1 + ratio))[:, None]
        self.mu[:, effect] = shrink * slope
        self.mu2[:, effect] = shrink * error[:, None] + self.mu[:, effect] ** 2
        b, b2 = self.alpha[:, effect] * self.mu[:, effect], self.alpha[:, effect] * self.mu2[:, effect]
        self.fitted[:, effect] = b @ R
        self.kl[:, effect] = (2 * b * slope - b2).sum(axis=-1) / (2 * error) - self.log_bf[:, effect]

    def residual_squares(self) -> np.ndarray:
        """Posterior expectation of |y - X Σ b_l|² [K]."""
        b = self.alpha * self.mu
        total = b.sum(axis=1)
        square = 1 - 2 * (total * self.c).sum(axis=-1) + (total * self.fitted.sum(axis=1)).sum(axis=-1)
        square += (self.alpha * self.mu2 - b * self.fitted).sum(axis=(1, 2))
        return (self.n - 1) * square

    def elbo(self) -> np.ndarray:
        """Evidence lower bound [K]."""
        fit = -0.5 * self.n * np.log(2 * np.pi * self.sigma2) - 0.5 * self.residual_squares() / self.sigma2
        return fit - self.kl.sum(axis=1)

    def take(self, rows: np.ndarray) -> "State":
        """The traits `rows` alone."""
        part = object.__new__(State)
        part.__dict__ = {name: value[rows] for name, value in self.__dict__.items()}
        return part

    def put(self, rows: np.ndarray, part: "State") -> None:
        """Copy `part` back to the traits `rows`."""
        for name, value in part.__dict__.items():
            self.__dict__[name][rows] = value


@dataclass(frozen=True)
class Options:
    """How to fit; names and defaults are those of susieR, where it has them."""

    effects: int = 10  # at most
    prior_variance: float = 0.2  # of an effect, in units of the trait's variance; the start where it is estimated
    estimate_prior_variance: bool = True
    estimate_residual_variance: bool = True
    max_iterations: int = 100
    tolerance: float = 1e-3  # converged when an iteration adds less to the evidence lower bound


DEFAULTS = Options()


def susie(z: np.ndarray, R: np.ndarray, n: np.ndarray, options: Options = DEFAULTS) -> Fit:
    """Fit adjusted z scores [K, p] with LD `R` [p, p] and people `n` [K]; each trait ends as if it were alone."""
    z, n = np.atleast_2d(z).astype(float), np.atleast_1d(n).astype(float)
    state = State(z / np.sqrt(n - 1)[:, None], n, min(options.effects, z.shape[1]), options.prior_variance)
    elbo: list[list[float]] = [[] for _ in z]
    converged = np.zeros(len(z), bool)
    for _ in range(options.max_iterations):
        active = np.flatnonzero(~converged)
        if not len(active):
            break
        part = state.take(active)
        for effect in range(part.alpha.shape[1]):
            part.update_effect(effect, R, options.estimate_prior_variance)
        for k, value in zip(active, part.elbo(), strict=True):
            converged[k] = bool(elbo[k]) and value - elbo[k][-1] < options.tolerance
            elbo[k].append(float(value))
        if options.estimate_residual_variance:
            estimate = np.maximum(part.residual_squares() / part.n, 1e-6)
            part.sigma2 = np.where(converged[active], part.sigma2, estimate)
        state.put(active, part)
    iterations = np.array([len(values) for values in elbo])
    paths = [np.array(values) for values in elbo]
    return Fit(state.alpha, state.mu, state.mu2, state.V, state.sigma2, state.log_bf, paths, iterations, converged)
