"""Gene table and positions -> the nearest gene, and the genes of a window."""

from pathlib import Path

import polars as pl

from ecgwas import user_tables

COLUMNS = {"GENE_CHROMOSOME": "contig", "GENE_START": "start", "GENE_END": "end", "GENE_NAME": "gene"}


def read_genes(path: Path | None) -> pl.DataFrame | None:
    """contig, start, end, gene of a gene table; None where no path is given."""
    if path is None:
        return None
    wanted = dict.fromkeys(COLUMNS, "report.genes")
    given = user_tables.read(path, ("GENE_CHROMOSOME", "GENE_NAME"), wanted).need(wanted)
    bounds = [given.complete(name).numbers(name).cast(pl.Int64) for name in ("GENE_START", "GENE_END")]
    table = given.frame.with_columns(bounds).select([pl.col(a).alias(b) for a, b in COLUMNS.items()])
    return table.with_columns(pl.col("contig").str.replace("^chr", ""))


def nearest(genes: pl.DataFrame | None, contig: str, position: int) -> tuple[str, int] | None:
    """Nearest gene and its distance in base pairs (0 within it); None without genes on the contig.

    Ties go to the smallest gene, the usual choice where genes overlap, then to the first by name.
    """
    if genes is None:
        return None
    found = (
        genes.filter(pl.col("contig") == contig.removeprefix("chr"))
        .with_columns(
            away=pl.max_horizontal(pl.col("start") - position, position - pl.col("end"), pl.lit(0)),
            length=pl.col("end") - pl.col("start"),
        )
        .sort("away", "length", "gene")
    )
    return None if found.is_empty() else (found["gene"][0], int(found["away"][0]))


def within(genes: pl.DataFrame | None, contig: str, start: float, end: float) -> list[tuple[str, int, int]]:
    """(gene, start, end) of the genes that touch [start, end], by start."""
    if genes is None:
        return []
    found = genes.filter(
        (pl.col("contig") == contig.removeprefix("chr")) & (pl.col("end") >= start) & (pl.col("start") <= end)
    )
    return found.select("gene", "start", "end").sort("start", "end", "gene").rows()


def rows_of(
    genes: list[tuple[str, int, int]], window: tuple[float, float], width_of: float, limit: int = 5
) -> list[list[tuple[str, int, int]]]:
    """Genes stacked so that names do not overlap within `window`; `width_of` is one letter in base pairs.

    Names are centred on the visible part of a gene. Genes that do not fit into `limit` rows are not drawn.
    """
    rows: list[list[tuple[str, int, int]]] = []
    ends: list[float] = []
    for name, start, end in genes:
        a, b, half = max(start, window[0]), min(end, window[1]), width_of * (len(name) + 1) / 2
        middle = min(max((a + b) / 2, window[0] + half), window[1] - half)
        left, right = min(a, middle - half), max(b, middle + half)
        free = next((i for i, last in enumerate(ends) if last < left), None)
        if free is None and len(rows) < limit:
            rows.append([])
            ends.append(-1.0)
            free = len(rows) - 1
        if free is not None:
            rows[free].append((name, start, end))
            ends[free] = right
    return rows
