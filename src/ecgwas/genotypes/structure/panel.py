"""pruned calls, labelled reference panel -> each sample's ancestry by its nearest people on the panel's components."""

import numpy as np
import polars as pl
from scipy.spatial import cKDTree

from ecgwas import user_tables
from ecgwas.config import GenotypeSource, Panel
from ecgwas.errors import UserError
from ecgwas.genotype_files import sources
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotypes.structure import pcs

MIN_SHARED = 200


def read_labels(panel: Panel) -> dict[str, str]:
    """Group by sample id."""
    columns = {panel.sample_column: "panel.sample_column", panel.group_column: "panel.group_column"}
    table = user_tables.read(panel.labels, columns, columns).need(columns).once(panel.sample_column, "sample").frame
    return dict(table.select(*columns).drop_nulls().iter_rows())


def shared(variants: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Rows of `others` that are SNPs of `variants`: columns row (of variants), source, source_index, flipped.

    A/T and C/G SNPs are left out: between two sources nothing says that their strands agree.
    """
    keys = ["contig", "position", "ref", "alt"]
    mine = variants.select(keys).with_row_index("row")
    mine = mine.filter(~(pl.col("ref") + pl.col("alt")).is_in(["AT", "TA", "CG", "GC"]))
    turned = others.rename({"ref": "alt", "alt": "ref"})
    found = pl.concat(
        [
            mine.join(o.select([*keys, "source", "source_index"]), on=keys).with_columns(flipped=pl.lit(flipped))
            for o, flipped in ((others, False), (turned, True))
        ]
    )
    return found.unique("row", keep="none").sort("row")


def vote(known: np.ndarray, labels: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Commonest label [sample] of the `k` nearest of `known` [person, component] to each of `scores`, and its share.

    Each vote is divided by the size of its group, so that large groups of the panel do not swallow small ones.
    """
    names, number = np.unique(labels, return_inverse=True)
    near = cKDTree(known).query(scores, k=min(k, len(known)))[1].reshape(len(scores), -1)
    weight = 1 / np.bincount(number)
    votes = np.stack([(number[near] == g).sum(1) * weight[g] for g in range(len(names))], axis=1)
    return names[votes.argmax(1)], votes.max(1) / votes.sum(1)


def assign(calls: np.ndarray, variants: pl.DataFrame, panel: Panel, build: str) -> tuple[list[str | None], np.ndarray]:
    """Ancestry [sample] (None below the panel's `min_share`) and share of votes, of calls int8 [variant, sample]."""
    files = sources.open_files(GenotypeSource(format="plink", paths=panel.paths, build=build))
    groups = read_labels(panel)
    people = np.array([i for i, name in enumerate(files.sample_ids) if name in groups], np.int64)
    common = shared(variants, files.variants)
    where = ", ".join(map(str, panel.paths))
    if len(people) < panel.neighbours or common.height < MIN_SHARED:
        raise UserError(
            f"{where}: {len(people)} people with a group in {panel.labels} and {common.height} SNPs shared with the"
            f" cohort's pruned ones, of which {panel.neighbours} and {MIN_SHARED} are needed; give a panel in {build}"
            " with these SNPs and labels of its samples"
        )
    with GenotypeReader(files.manifest(), common, people) as reader:
        dosages = reader.read(slice(None))
    known = np.where(np.isnan(dosages), -1, dosages).astype(np.int8)
    components = pcs.fit(known, panel.components)
    scores = pcs.project(components, calls[common["row"].to_numpy()])
    labels = np.array([groups[files.sample_ids[i]] for i in people])
    names, share = vote(pcs.project(components, known), labels, scores, panel.neighbours)
    named = [name if s >= panel.min_share else None for name, s in zip(names.tolist(), share.tolist(), strict=True)]
    counts = ", ".join(f"{named.count(name)} {name}" for name in sorted(set(groups.values())))
    print(
        f"ancestry by {common.height} SNPs shared with the panel: {counts}, {named.count(None)} undecided", flush=True
    )
    return named, share
