"""Regions: the span of a locus and a margin, overlapping ones together, a trait that is stronger elsewhere in none."""

import itertools
import json

import numpy as np
import polars as pl
import pytest
from tests.unit.finemap.conftest import coalescent_dosages, pack, simulated_scan, standardised

from ecgwas import tables
from ecgwas.config import Finemap, Gwas
from ecgwas.finemap import finemap, regions
from ecgwas.gwas import loci

STEP = 2_000  # base pairs between variants
PEOPLE, AXES = 1_000, 6


def write_cohort(folder, effects, seed=1, variants=900):
    """Files of a cohort whose traits are noise and `effects`: (variant, weights [axis]); where it is, and its traits.

    900 common variants of 1.8 Mb of a coalescent, evenly spaced.
    """
    rng = np.random.default_rng(seed)
    calls = coalescent_dosages(seed, PEOPLE, variants, STEP * variants)
    x, c = standardised(calls), rng.normal(size=(PEOPLE, 2))
    y = rng.normal(size=(PEOPLE, AXES))
    for variant, weights in effects:
        y += x[variant][:, None] * np.asarray(weights, float)
    (folder / "g.bed").write_bytes(pack(calls))
    ids, traits = [f"s{i:04d}" for i in range(PEOPLE)], [f"axis{k + 1:02d}" for k in range(AXES)]
    source = {"path": str(folder / "g.bed"), "format": "plink", "n_variants": variants, "n_samples": PEOPLE}
    (folder / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    position = (1_000_000 + STEP * np.arange(variants)).astype(np.int32)
    known = pl.DataFrame({"contig": "1", "position": position, "ref": "A", "alt": "G", "rsid": "."})
    places = {"source": 0, "source_index": np.arange(variants)}
    who = pl.DataFrame({"person_id": ids, "sample_id": ids})
    statistics, _, df = simulated_scan(calls, y, c)
    scanned = {"trait": traits, "group": "all", "n": PEOPLE, "df": df, "contig": None, "yy": 1.0}
    written = {
        "variants": known.with_columns(**{k: pl.lit(v) if k == "source" else pl.Series(v) for k, v in places.items()}),
        "samples": pl.DataFrame({"sample_id": ids, "index": np.arange(PEOPLE, dtype=np.int32)}),
        "traits": who.hstack(pl.DataFrame(y, schema=traits)),
        "covariates": who.hstack(pl.DataFrame(c, schema=["age", "sex"])),
        "part": known.hstack(statistics.with_columns(n=PEOPLE, gg=300.0, reason=pl.lit(None, pl.String))),
        "trait_table": pl.DataFrame(scanned).cast({"contig": pl.String}),
    }
    for name, table in written.items():
        table.write_parquet(folder / f"{name}.parquet")
    return position


def given(folder):
    """Arguments that the steps share."""
    names = ("variants", "samples", "traits", "covariates", "trait_table")
    files = {name: folder / f"{name}.parquet" for name in names}
    return files | {"manifest": folder / "manifest.json", "sumstats": [folder / "part.parquet"]}


def mapped(folder, found=None, **settings):
    """Loci by the step before, or as given, and the tables of fine-mapping."""
    if found is None:
        loci.main(**given(folder), settings=Gwas(), loci=folder / "loci.parquet")
    else:
        found.write_parquet(folder / "loci.parquet")
    out = {name: folder / f"{name}.parquet" for name in ("credible_sets", "pips", "diagnostics")}
    finemap.main(**given(folder), loci=folder / "loci.parquet", settings=Finemap(**settings), **out)
    return {name: pl.read_parquet(path) for name, path in out.items()} | {
        "loci": pl.read_parquet(folder / "loci.parquet")
    }


def weights(axis, size):
    return np.where(np.arange(AXES) == axis, size, 0.0)


def holding(found, position):
    """Traits with a credible set that holds the variant."""
    return set(found["pips"].filter((pl.col("position") == position) & (pl.col("cs") > 0))["trait"])


@pytest.mark.parametrize("trial", range(8))
def test_a_second_cause_within_the_locus_is_mapped(tmp_path, trial):
    """300 to 490 kb from the first, of another trait or of the same one, p of 1e-15 to 1e-40: in a set of its trait."""
    rng = np.random.default_rng(trial)
    first, away, axis = 400, int(rng.integers(300, 490)) * 1000 // STEP, trial % 2
    second = first + away * (1 if trial % 4 < 2 else -1)
    effects = [(first, weights(0, 0.5)), (second, weights(axis, rng.uniform(0.3, 0.45)))]
    position = write_cohort(tmp_path, effects, seed=trial + 1)
    found = mapped(tmp_path)
    for variant, trait in ((first, 0), (second, axis)):
        name = f"axis{trait + 1:02d}"
        assert found["pips"].filter((pl.col("position") == position[variant]) & (pl.col("trait") == name)).height == 1
        assert name in holding(found, position[variant]), found["credible_sets"]
    assert found["diagnostics"]["reason"].null_count() == found["diagnostics"].height
    planted = {int(position[first]), int(position[second])}
    for row in found["credible_sets"].iter_rows(named=True):  # every set of either trait holds one of its causes
        inside = found["pips"].filter(trait=row["trait"], cs=row["cs"], region=row["region"])
        assert planted & set(inside["position"])


def test_a_trait_that_is_stronger_outside_the_region_is_not_mapped(tmp_path):
    """A hand-made locus of one variant, its trait's cause 30 kb further than the margin: a row that says so."""
    position = write_cohort(tmp_path, [(400, weights(0, 0.5)), (425, weights(1, 0.5))])
    loci.main(**given(tmp_path), settings=Gwas(), loci=tmp_path / "loci.parquet")
    table = pl.read_parquet(tmp_path / "loci.parquet").head(1)
    first = int(position[400])
    table = table.with_columns(
        start=pl.lit(first, pl.Int32), end=pl.lit(first, pl.Int32), lead_position=pl.lit(first, pl.Int32),
        significant_traits=pl.Series([["axis01", "axis02"]]), lead_test=pl.lit("axis01"),
    )  # fmt: skip
    found = mapped(tmp_path, table, window_bp=30_000)
    told = dict(found["diagnostics"].select("trait", "reason").rows())
    assert told == {"axis01": None, "axis02": "stronger_outside"}
    assert found["pips"]["trait"].unique().to_list() == ["axis01"]
    assert found["credible_sets"]["trait"].unique().to_list() == ["axis01"]
    assert set(mapped(tmp_path, table, window_bp=60_000)["pips"]["trait"]) == {"axis01", "axis02"}


def test_a_region_of_too_many_variants_is_not_mapped(tmp_path):
    write_cohort(tmp_path, [(400, weights(0, 0.5))])
    found = mapped(tmp_path, max_variants=100)
    assert found["loci"].height == 1
    wanted = [*found["loci"]["significant_traits"][0], *(["joint"] if found["loci"]["lead_test"][0] == "joint" else [])]
    assert found["diagnostics"].select("trait", "reason").rows() == [(name, "too_many_variants") for name in wanted]
    assert found["pips"].is_empty()
    assert found["credible_sets"].is_empty()


def test_overlapping_regions_are_one_and_each_variant_is_mapped_once(tmp_path):
    """Two loci 700 kb apart with one trait each and one that both have."""
    effects = [(200, weights(0, 0.45) + weights(2, 0.4)), (550, weights(1, 0.45) + weights(2, -0.4))]
    position = write_cohort(tmp_path, effects)
    found = mapped(tmp_path)
    assert found["loci"].height == 2
    assert found["diagnostics"]["region"].n_unique() == 1
    assert found["pips"].select(pl.struct("trait", "position").is_duplicated().any()).item() is False
    assert {"axis01", "axis03"} <= holding(found, position[200])
    assert {"axis02", "axis03"} <= holding(found, position[550])
    names = found["loci"]["locus"].to_list()
    both = found["credible_sets"].filter(trait="axis03").sort("cs")
    assert sorted(both["locus"]) == sorted(names)
    assert both["cs"].to_list() == [1, 2]
    assert sorted(found["diagnostics"].filter(trait="axis03")["locus"]) == sorted(names)
    near = found["pips"].filter(pl.col("position") < position[370])["locus"].unique().to_list()
    assert near == names[:1]
    lead = found["pips"].filter(pl.format("{}:{}", "contig", "position") == pl.col("locus"))
    np.testing.assert_allclose(lead["lead_r2"], 1)


def test_each_locus_of_a_region_has_its_own_joint_effect(tmp_path):
    """Effects spread over the axes at two variants 600 kb apart, one much stronger: a set each, with its cause."""
    spread = np.where(np.arange(AXES) % 2, 1, -1)
    effects = [(250, 0.145 * spread), (550, 0.4 * spread[::-1])]
    position = write_cohort(tmp_path, effects, seed=4)
    found = mapped(tmp_path)
    assert found["diagnostics"].filter(trait="joint")["locus"].n_unique() == 2
    sets = found["credible_sets"].filter(trait="joint")
    assert sets["cs"].to_list() == [1, 2]
    assert sets["locus"].n_unique() == 2
    for variant in (250, 550):
        assert "joint" in holding(found, position[variant])
    assert found["pips"].select(pl.struct("trait", "position").is_duplicated().any()).item() is False


def span_row(contig, start, end, traits=("a",)):
    return {"contig": contig, "start": start, "end": end, "lead_position": (start + end) // 2,
            "significant_traits": list(traits), "lead_test": "a", "locus": f"{contig}:{start}"}  # fmt: skip


def test_spans_are_disjoint_and_hold_every_locus():
    rng = np.random.default_rng(1)
    rows = []
    for contig in ("1", "2", "X"):
        for start in rng.integers(1, 40_000_000, 40):
            rows.append(span_row(contig, int(start), int(start + rng.integers(0, 2_000_000))))
    for margin in (1, 250_000, 3_000_000):
        found = regions.spans(rows, margin)
        assert sum(len(span.loci) for span in found) == len(rows)
        for span in found:
            assert all(span.start <= max(r["start"] - margin, 1) and r["end"] + margin <= span.end for r in span.loci)
        for one, other in itertools.pairwise(found):
            assert one.contig != other.contig or one.end < other.start


def test_no_more_than_the_threads_results_are_held():
    """Memory is bounded by the regions in hand: none is begun before one of as many as the threads was taken."""
    begun, taken = [], 0

    def make(item):
        begun.append(item)
        return item

    for threads in (1, 3):
        begun.clear()
        for taken, item in enumerate(finemap.in_order(make, range(20), threads)):
            assert item == taken
            assert len(begun) <= taken + threads
    assert list(finemap.in_order(make, [], 2)) == []


def test_a_failed_region_leaves_no_table(tmp_path, monkeypatch):
    """The tables are whole or absent, though they are written as regions come."""
    write_cohort(tmp_path, [])
    row = {name: None for name in tables.LOCI.columns} | span_row("1", 1_200_000, 1_200_000, ["axis01"])
    rows = [row, row | {"locus": "far", "start": 2_000_000, "end": 2_000_000}]
    calls = []

    def failing(region, *rest):
        calls.append(region.span.name)
        if len(calls) == 2:
            raise RuntimeError("stop")
        return []

    monkeypatch.setattr(finemap.mapping, "map_region", failing)
    with pytest.raises(RuntimeError, match="stop"):
        mapped(tmp_path, tables.LOCI.typed(pl.DataFrame(rows)))
    assert len(calls) == 2
    assert not list(tmp_path.glob("*credible_sets*.parquet"))


def test_tables_without_a_locus_have_their_schema(tmp_path):
    write_cohort(tmp_path, [])
    found = mapped(tmp_path)
    assert found["pips"].schema == tables.FINEMAP_VARIANTS.empty().schema
