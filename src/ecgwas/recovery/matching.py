"""A planted variant, loci and credible sets -> whether it was found, by which lead, and in which sets."""

from typing import Any

import numpy as np
import polars as pl

from ecgwas.recovery.neighbourhood import Neighbourhood
from ecgwas.recovery.truth import is_near, is_variant

SETS_BP = 500_000  # sets of more distant loci are of other variants: the background is on the same contigs
LIMIT = -np.log10(5e-8)
TAG_R2 = 0.5  # a lead in weaker LD with the planted variant does not count as found


def leads(loci: pl.DataFrame, around: Neighbourhood) -> list[tuple[int, int]]:
    """(variant, test) of the strongest variant of each significant test within each of `loci`, strongest first."""
    found = []
    position = around.variants["position"].to_numpy()
    for locus in loci.iter_rows(named=True):
        inside = np.flatnonzero((position >= locus["start"]) & (position <= locus["end"]))
        for test, name in enumerate(around.tests):
            if len(inside) and (name == "joint" or name in locus["significant_traits"]):
                top = int(inside[around.p[inside, test].argmax()])
                found += [(top, test)] if around.p[top, test] > LIMIT else []
    return sorted(found, key=lambda lead: -around.p[lead])


def recovered(planted: dict, loci: pl.DataFrame, around: Neighbourhood) -> dict[str, Any]:
    """Whether the lead of the joint test or of a significant trait has r² >= 0.5 with the planted variant, and which.

    p < 5e-8 in any case; the stricter threshold of a single trait is applied in the loci table.
    """
    candidates = leads(loci, around)
    tagging = [lead for lead in candidates if around.r2[lead[0]] >= TAG_R2]
    row: dict[str, Any] = {"found": bool(tagging), "lead_distance_bp": None, "lead_r2": None, "best_test": None}
    if candidates:
        variant, test = (tagging or candidates)[0]
        row["lead_distance_bp"] = abs(around.variants["position"][variant] - planted["position"])
        row["lead_r2"] = float(around.r2[variant]) if np.isfinite(around.r2[variant]) else None
        row["best_test"], row["best_neg_log10_p"] = around.tests[test], float(around.p[variant, test])
    if not tagging:
        row |= strongest_tag(around)
    return row


def strongest_tag(around: Neighbourhood) -> dict[str, Any]:
    """-log10 p and test of the strongest variant with r² >= 0.5; nulls where the planted variant is not in the scan."""
    tags = around.p[np.nan_to_num(around.r2) >= TAG_R2]
    if not np.isfinite(tags).any():
        return {"best_neg_log10_p": None, "best_test": None}
    return {"best_neg_log10_p": float(tags.max()), "best_test": around.tests[int(tags.max(axis=0).argmax())]}


def sets_near(planted: dict, loci: pl.DataFrame, credible_sets: pl.DataFrame, pips: pl.DataFrame) -> pl.DataFrame:
    """Credible sets of the `loci` within 500 kb, with whether the planted variant is in the set (`holds`) and
    whether the set is of the strongest test of its locus (`leading`).
    """
    key = ["region", "trait", "cs"]
    members = pips.filter(is_variant(planted) & (pl.col("cs") > 0)).select(*key, holds=pl.lit(True))
    mine = loci.filter(is_near(planted, "lead_position", SETS_BP)).select("locus", "lead_test")
    near = credible_sets.join(mine, on="locus", maintain_order="left")
    return near.join(members, on=key, how="left", maintain_order="left").with_columns(
        pl.col("holds").fill_null(False), leading=pl.col("trait") == pl.col("lead_test")
    )
