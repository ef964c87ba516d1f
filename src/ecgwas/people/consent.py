"""List of withdrawn ids, id bridge -> who is excluded: persons and samples, and which entries match nobody."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ecgwas import user_tables


def read_bridge(path: Path) -> pl.DataFrame:
    """person_id and sample_id, each once; raises `UserError` where one appears in two pairs."""
    columns = ("person_id", "sample_id")
    given = user_tables.read(path, columns=columns).need(columns)
    rows = given.frame.with_row_index("row").drop_nulls(columns).unique(columns, keep="first", maintain_order=True)
    pairs = user_tables.UserTable(given.path, rows.drop("row"), given.lines[rows["row"].to_numpy()])
    return pairs.once("sample_id", "sample").once("person_id", "person").frame


@dataclass(frozen=True)
class Withdrawn:
    """Who withdrew consent: every entry of the list with its line, and whom it means through the id bridge."""

    entries: tuple[tuple[int, str], ...] = ()
    partners: dict[str, frozenset[str]] = field(default_factory=dict)
    # by a listed id: it and the other of its pair; two pairs where a person and another's sample are called so

    @property
    def ids(self) -> frozenset[str]:
        """Ids of persons and samples that have no row anywhere."""
        return frozenset(name for _, name in self.entries).union(*self.partners.values())

    def flags(self, *columns: pl.Series) -> pl.Series:
        """Bool [row]: whether any of the ids of a row was withdrawn."""
        named = pl.Series("ids", sorted(self.ids), pl.String)
        found = [column.is_in(named.implode()).fill_null(False).to_numpy() for column in columns]
        return pl.Series("withdrawn", np.logical_or.reduce(found), pl.Boolean)

    def without(self, table: pl.DataFrame, *columns: str) -> pl.DataFrame:
        """The rows of others."""
        return table.filter(~self.flags(*(table[name] for name in columns))) if self.entries else table

    def matched(self, known: Iterable[str]) -> list[int]:
        """Lines of the list whose entry is among the ids that are known, itself or through the bridge."""
        known = set(known)
        return [line for line, name in self.entries if known & {name, *self.partners.get(name, ())}]

    def found(self, known: Iterable[str]) -> dict[str, Any]:
        """What a door reports: how many of its ids were withdrawn, and the lines that they match. No id is in it."""
        known = list(known)
        return {"excluded": sum(name in self.ids for name in known), "matched_lines": self.matched(known)}


NOBODY = Withdrawn()


def read_withdrawn(path: Path | None, bridge: Path | None = None) -> Withdrawn:
    """Who withdrew, of a list of person ids, sample ids or both; nobody where there is no list.

    An id of the list means the person and the sample of that name, and through the bridge the other of its pair: where
    a person and another's sample are called alike, both pairs.
    """
    if path is None:
        return NOBODY
    entries = tuple(user_tables.read_ids(path))
    listed = {name for _, name in entries}
    partners: dict[str, frozenset[str]] = {}
    for pair in read_bridge(bridge).iter_rows() if bridge else ():
        for name in listed.intersection(pair):
            partners[name] = partners.get(name, frozenset()) | frozenset(pair)
    return Withdrawn(entries, partners)
