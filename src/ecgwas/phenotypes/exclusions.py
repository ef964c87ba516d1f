"""Flags of recordings (pacing, atrial fibrillation, bundle branch block) -> values missing, trait by trait."""

from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.errors import UserError
from ecgwas.phenotypes.analysed_people import Recordings


def flags_of(trait: str, rules: dict[str, list[str]]) -> list[str]:
    """Flags that exclude a recording from `trait`: those of every pattern that its name matches."""
    return list(
        dict.fromkeys(flag for pattern, flags in rules.items() if fnmatchcase(trait, pattern) for flag in flags)
    )


def applied(recorded: Recordings, rules: dict[str, list[str]]) -> tuple[Recordings, pl.DataFrame]:
    """`recorded` with the values of flagged recordings missing, and tables.TRAITS_EXCLUDED: rows by trait and flag.

    Recordings with an unknown flag keep their values. A recording without any value left is excluded, and a person
    without any recording left has a row. A table without flags is returned unchanged. Raises `UserError` where no
    recording keeps a value.
    """
    values, rows = recorded.values.copy(), [tables.TRAITS_EXCLUDED.empty()]
    for j, trait in enumerate(recorded.names):
        seen = np.isfinite(recorded.values[:, j])
        for flag in flags_of(trait, rules):
            flagged = recorded.flags.get(flag)
            if flagged is None or not (flagged & seen).any():
                continue
            values[flagged, j] = np.nan
            rows.append(_row(trait, flag, recorded.person[flagged & seen], int(seen.sum())))
    left = np.isfinite(values).any(axis=1)
    if len(rows) > 1 and not left.any():
        counts = "; ".join(f"{row['id'][0]}, {row['reason'][0]}: {row['detail'][0]}" for row in rows[1:])
        raise UserError(f"no recording has a value left ({counts}); correct `phenotypes.exclude`, or scan other traits")
    rows.append(_without_values(np.setdiff1d(recorded.person.astype(str), recorded.person[left].astype(str))))
    kept = {flag: flagged[left] for flag, flagged in recorded.flags.items()}
    ids = None if recorded.ids is None else recorded.ids[left]
    return replace(recorded, person=recorded.person[left], values=values[left], ids=ids, flags=kept), pl.concat(rows)


def _without_values(people: np.ndarray) -> pl.DataFrame:
    detail = "every value of this person's recordings is excluded by phenotypes.exclude"
    ids = pl.DataFrame({"id": people}, schema={"id": pl.String})
    rows = ids.with_columns(kind=pl.lit("person"), reason=pl.lit("flagged"), detail=pl.lit(detail))
    return tables.TRAITS_EXCLUDED.typed(rows.with_columns(n=pl.lit(None, pl.Int32)))


def _row(trait: str, flag: str, people: np.ndarray, total: int) -> pl.DataFrame:
    detail = f"{len(people)} of {total} recordings with a value, of {len(np.unique(people))} people: phenotypes.exclude"
    row = {"kind": ["recordings"], "id": [trait], "reason": [flag], "detail": [detail], "n": [len(people)]}
    return tables.TRAITS_EXCLUDED.typed(pl.DataFrame(row))
