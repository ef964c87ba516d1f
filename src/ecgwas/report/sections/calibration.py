"""Calibration of the scan -> rows and text of the page."""

import math

import polars as pl

from ecgwas.report import format


def of_any_count(calibration: pl.DataFrame) -> pl.DataFrame:
    """Rows over all minor allele counts."""
    return calibration.filter(pl.col("mac") == "any")


def calibration_rows(calibration: pl.DataFrame) -> list[dict]:
    """One row per trait: λGC over all variants and, if declared, over the null chromosomes; joint and mean first."""
    calibration = of_any_count(calibration)
    first = {"joint": 0, "mean": 1}
    names = sorted(calibration["trait"].unique().to_list(), key=lambda name: (first.get(name, 2), name))
    kinds = [kind for kind in ("all", "null") if kind in calibration["variants"].to_list()]
    rows = []
    for name in names:
        cells = []
        for kind in kinds:
            found = calibration.filter((pl.col("trait") == name) & (pl.col("variants") == kind))
            cells.append(_lambda_cell(found.row(0, named=True)) if found.height else None)
        rows.append({"trait": name, "cells": cells})
    return rows


def _lambda_cell(row: dict) -> dict:
    """λGC on one degree of freedom, where single-trait and joint tests are comparable."""
    value, low, high = (row[name] for name in ("lambda_one_df", "low_one_df", "high_one_df"))
    known = None not in (low, high, value) and math.isfinite(low)
    return {
        "value": format.decimal(value, 3),
        "interval": f"{format.decimal(low, 3)} to {format.decimal(high, 3)}" if known else "–",
        "outside": known and not low <= value <= high,
        "n": format.count(row["n_variants"]),
    }


def lambda_words(calibration: pl.DataFrame, trait: str, variants: str = "all") -> str:
    """λGC of one trait with its permutation interval; empty where it was not estimated."""
    found = of_any_count(calibration).filter((pl.col("trait") == trait) & (pl.col("variants") == variants))
    if found.is_empty():
        return ""
    row = found.row(0, named=True)
    cell = _lambda_cell(row)
    tail = "" if cell["interval"] == "–" else f" (permutations: {cell['interval']})"
    head = f"{format.decimal(row['lambda_gc'], 3)}, on one degree of freedom " if trait == "joint" else ""
    return f"λGC = {head}{cell['value']}{tail}"


def count_rows(calibration: pl.DataFrame) -> list[dict]:
    """One row per class of minor allele count and test, of all variants: λGC and type-I error by permutation."""
    rows = []
    for mac in calibration.filter(variants="all")["mac"].unique(maintain_order=True):
        tests = calibration.filter(pl.col("trait").is_in(["joint", "mean"]), variants="all", mac=mac)
        for row in tests.sort("trait").iter_rows(named=True):
            n = row["permuted_tests"]
            rates = [
                f"{row[f'below_{name}'] / n / level:.2f}" if n else "–"
                for name, level in (("1e2", 1e-2), ("1e3", 1e-3), ("1e4", 1e-4))
            ]
            named = {"mac": mac, "test": "joint test" if row["trait"] == "joint" else "single traits"}
            rows.append(named | {"cell": _lambda_cell(row), "tests": format.count(n), "rates": rates})
    return rows


def one_lambda(calibration: pl.DataFrame | None, trait: str, variants: str) -> str:
    """λGC of one test on one degree of freedom; a dash where it was not estimated."""
    if calibration is None:
        return "–"
    found = of_any_count(calibration).filter((pl.col("trait") == trait) & (pl.col("variants") == variants))
    return format.decimal(found["lambda_one_df"][0], 3) if found.height else "–"


def calibration_kinds(calibration: pl.DataFrame) -> list[str]:
    """Sets of variants with calibration results: all, null."""
    return [kind for kind in ("all", "null") if kind in calibration["variants"].to_list()]
