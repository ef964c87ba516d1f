"""What embeddings know: cross-validated ridge R² of known parameters, from all dimensions and from the leading axes.

python benchmarks/probe.py --parameters simulated/demo/parameters.parquet
    --embeddings '{"nano": "cohorts/demo/embeddings/nano.parquet", "pca": "cohorts/demo/embeddings/pca.parquet"}'
"""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.cli import run


def whitened(x: np.ndarray, axes: int) -> np.ndarray:
    """The leading principal axes of x [person, width], each with variance 1."""
    u, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    return u[:, :axes] * np.sqrt(len(x))


def ridge_r2(x: np.ndarray, y: np.ndarray, folds: int = 5, penalties: tuple[float, ...] = (1e-4, 1e-2, 1.0)) -> float:
    """Cross-validated R² of y [person] from x [person, width]; best over penalties, shares of the mean eigenvalue."""
    fold = np.random.default_rng([0]).permutation(len(x)) % folds
    best = -np.inf
    for penalty in penalties:
        residual = np.empty(len(x))
        for k in range(folds):
            train, test = fold != k, fold == k
            centre, mean = x[train].mean(0), y[train].mean()
            gram = (x[train] - centre).T @ (x[train] - centre)
            gram += penalty * np.trace(gram) / len(gram) * np.eye(len(gram))
            slope = np.linalg.solve(gram, (x[train] - centre).T @ (y[train] - mean))
            residual[test] = y[test] - mean - (x[test] - centre) @ slope
        best = max(best, 1 - residual.var() / y.var())
    return best


def per_person(embeddings: pl.DataFrame, parameters: pl.DataFrame) -> tuple[np.ndarray, pl.DataFrame]:
    """Mean embedding of each person [person, width] and the person's parameters, in the same order."""
    means = embeddings.group_by("person_id", maintain_order=True).agg(pl.col("^e\\d+$").mean())
    joined = means.join(parameters, on="person_id", how="inner").sort("person_id")
    x = joined.select("^e\\d+$").to_numpy().astype(float)
    return x, joined.select([c for c in parameters.columns if c != "person_id"])


def main(embeddings: dict[str, Path], parameters: Path, axes: int = 16) -> None:
    """Print R² of each parameter for each model.

    Args:
        embeddings: {model: path of its embeddings}.
        parameters: Table of person_id and true values.
        axes: Number of whitened axes.
    """
    truth, lines = pl.read_parquet(parameters), {}
    for name, path in embeddings.items():
        x, y = per_person(pl.read_parquet(path), truth)
        for label, features in (
            (f"{name}, all {x.shape[1]}", whitened(x, x.shape[1])),
            (f"{name}, {axes} axes", whitened(x, axes)),
        ):
            lines[label] = [ridge_r2(features, y[parameter].to_numpy().astype(float)) for parameter in y.columns]
    print(f"| {'model':24s} | " + " | ".join(y.columns) + " |\n|" + "---|" * (len(y.columns) + 1))
    for label, values in lines.items():
        print(
            f"| {label:24s} | "
            + " | ".join(f"{v:.3f}".rjust(len(c)) for v, c in zip(values, y.columns, strict=True))
            + " |"
        )


if __name__ == "__main__":
    run(main)
