"""People -> train, validation, test: by a cohort's official folds, or by a fixed random number per person."""

import hashlib

import polars as pl

from ecgwas import config
from ecgwas.errors import UserError


def number(person_id: str, seed: int) -> float:
    """A number in [0, 1) that depends on person and seed alone, so that a change of the cohort moves nobody."""
    digest = hashlib.sha256(f"{seed}:{person_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def at_random(person: pl.Series, splits: config.Splits, seed: int) -> pl.Series:
    """Split of each recording by its person: [n] strings."""
    named = {}
    for name in person.unique().to_list():
        u = number(name, seed)
        test, validation = splits.test_share, splits.test_share + splits.validation_share
        named[name] = "test" if u < test else "validation" if u < validation else "train"
    return person.replace_strict(named, return_dtype=pl.String).alias("split")


def by_folds(table: pl.DataFrame, splits: config.Splits) -> pl.Series:
    """Split of each recording by the fold of its person's first recording; null where that fold is not used.

    table: person_id and fold, recordings of a person in the order of time.
    """
    places = {fold: name for name in ("train", "validation", "test") for fold in getattr(splits, name)}
    first = pl.col("fold").first().over("person_id")
    found = table.select(first.replace_strict(places, default=None, return_dtype=pl.String).alias("split"))["split"]
    moved = table.select((pl.col("fold") != first).sum()).item()
    if moved:
        print(f"{moved} recordings follow their person's first recording into its fold", flush=True)
    return found


def split(table: pl.DataFrame, splits: config.Splits, training: bool, seed: int) -> pl.Series:
    """Split of each recording of `table` (person_id, fold, in the order of time); other cohorts are all test."""
    if not training:
        return pl.Series("split", ["test"] * table.height, pl.String)
    if not splits.train:
        return at_random(table["person_id"], splits, seed)
    if table["fold"].null_count() == table.height:
        raise UserError("predict.splits names folds and the cohort has none; write labels.fold_column, or no folds")
    return by_folds(table, splits)
