"""Embeddings of the training recordings -> distance of each recording from them, and its training percentile."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import atomic

RECORDINGS = 5000  # of the reference, at most
FOLDS = 5
LEVELS = np.r_[np.linspace(0, 0.99, 100), np.linspace(0.9901, 1, 100)]  # finest in the tail
MIN_PEOPLE = 20


@dataclass(frozen=True)
class Reference:
    """The distribution of the embeddings of the training recordings."""

    mean: np.ndarray  # [width]
    whitening: np.ndarray  # [width, kept]: (z - mean) @ whitening has covariance 1
    quantiles: np.ndarray  # of `distance` over training recordings, at LEVELS

    def distance(self, z: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distance over the number of directions, [recording]: about 1 for a training recording."""
        return squared(z, self.mean, self.whitening)

    def percentile(self, distance: np.ndarray) -> np.ndarray:
        """Percentage of training recordings that lie nearer, 0 to 100."""
        return 100 * np.interp(distance, self.quantiles, LEVELS)


def squared(z: np.ndarray, mean: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Squared length of the whitened rows of z over its directions."""
    return (((z - mean) @ whitening) ** 2).mean(1)


def ledoit_wolf(x: np.ndarray) -> np.ndarray:
    """Covariance of the rows of x, shrunken towards a multiple of the identity with the optimal intensity.

    Ledoit & Wolf 2004 (J Multivar Anal 88:365), lemmas 3.2 to 3.4: m = tr(S)/p, d² = |S - mI|²/p, b² = mean over rows
    of |xx' - S|²/(n p), at most d²; (b²/d²) m I + (1 - b²/d²) S.
    """
    n, p = x.shape
    x = x - x.mean(0)
    s = x.T @ x / n
    m = np.trace(s) / p
    d2 = ((s - m * np.eye(p)) ** 2).sum() / p
    b2 = min(d2, (((x**2).sum(1) ** 2).sum() / n - (s**2).sum()) / n / p)
    share = b2 / d2 if d2 > 0 else 0.0
    return share * m * np.eye(p) + (1 - share) * s


def whiten(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [width] and whitening map [width, kept] of embeddings; directions without variance are excluded."""
    mean, scale = z.mean(0), z.std(0)
    moving = scale > 1e-7 * np.abs(mean)  # the rounding of float32
    values, vectors = np.linalg.eigh(ledoit_wolf(((z - mean) / np.where(moving, scale, 1))[:, moving]))
    kept = values > 1e-10 * values.max()
    whitening = np.zeros((z.shape[1], int(kept.sum())))
    whitening[moving] = vectors[:, kept] / np.sqrt(values[kept]) / scale[moving][:, None]
    return mean, whitening


def fit(z: np.ndarray, person: np.ndarray, seed: int) -> Reference:
    """The reference of embeddings z [recording, width].

    The quantiles are those of distances from a mean and covariance estimated without the person (five folds): distances
    of the recordings that a covariance was estimated from are too small.
    """
    ids, group = np.unique(person, return_inverse=True)
    if len(ids) < MIN_PEOPLE:
        raise UserError(f"{len(ids)} people for the reference of an embedding, fewer than {MIN_PEOPLE}")
    if not (np.ptp(z, axis=0) > 0).any():
        raise UserError(f"all {z.shape[1]} embedding dimensions are constant: train the model again, it collapsed")
    fold = (np.random.default_rng([seed, 1]).permutation(len(ids)) % FOLDS)[group]
    apart = np.empty(len(z))
    for k in range(FOLDS):
        apart[fold == k] = squared(z[fold == k], *whiten(z[fold != k]))
    return Reference(*whiten(z), np.quantile(apart, LEVELS))


def read(path: Path) -> tuple[pl.DataFrame, np.ndarray]:
    """Ids of the recordings, and their embeddings float64 [recording, width]."""
    table = tables.EMBEDDINGS.read(path)
    names = [name for name in table.columns if name not in ("recording_id", "person_id")]
    return table.select("recording_id", "person_id"), table.select(names).cast(pl.Float64).to_numpy()


def reference(cohorts: list[tuple[pl.DataFrame, np.ndarray]], seed: int) -> Reference:
    """The reference of up to RECORDINGS recordings drawn from the cohorts."""
    z = np.concatenate([values for _, values in cohorts])
    person = np.concatenate([[f"{k}/{p}" for p in ids["person_id"]] for k, (ids, _) in enumerate(cohorts)])
    rows = np.sort(np.random.default_rng([seed, 0]).permutation(len(z))[:RECORDINGS])
    return fit(z[rows], person[rows], seed)


def scores(ids: pl.DataFrame, z: np.ndarray, made: Reference) -> pl.DataFrame:
    """tables.OUT_OF_DISTRIBUTION of one cohort."""
    distance = made.distance(z)
    table = ids.with_columns(distance=pl.Series(distance), percentile=pl.Series(made.percentile(distance)))
    return tables.OUT_OF_DISTRIBUTION.typed(table)


def main(
    embeddings: list[Path],
    reference_out: Path,
    scores_out: list[Path],
    seed: int = 1,
    trained: list[bool] | None = None,
) -> None:
    """Distance of each recording from the recordings that a model was trained on.

    Args:
        embeddings: embeddings/{model}.parquet of each cohort, as a JSON list.
        reference_out: Written: mean, whitening and quantiles of distance, .npz.
        scores_out: Written, one for each of `embeddings`, in their order: distance and training percentile.
        seed: Seed of the recordings sampled for the reference.
        trained: Whether the model was trained on each cohort, as a JSON list; only these are in the reference. All by
            default.
    """
    if len(embeddings) != len(scores_out):
        raise UserError(f"{len(embeddings)} embeddings and {len(scores_out)} outputs; name one output for each")
    trained = [True] * len(embeddings) if trained is None else trained
    if len(trained) != len(embeddings) or not any(trained):
        raise UserError(f"trained {trained} for {len(embeddings)} embeddings; say of each, and true of one at least")
    cohorts = [read(path) for path in embeddings]
    made = reference([cohort for cohort, chosen in zip(cohorts, trained, strict=True) if chosen], seed)
    with atomic(reference_out) as temporary, temporary.open("wb") as file:
        np.savez(file, mean=made.mean, whitening=made.whitening, quantiles=made.quantiles, levels=LEVELS)
    for (ids, z), path in zip(cohorts, scores_out, strict=True):
        table = scores(ids, z, made)
        beyond = (table["percentile"] > 99).mean()
        print(f"{path}: {table.height} recordings, {beyond:.2%} beyond the 99th percentile", flush=True)
        tables.OUT_OF_DISTRIBUTION.write(table, path)


if __name__ == "__main__":
    run(main)
