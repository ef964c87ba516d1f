"""Planted against found: laws of the recovery table, on arrays and on the files of a small cohort."""

import json

import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.config import Finemap
from ecgwas.errors import UserError
from ecgwas.finemap import finemap
from ecgwas.gwas import trait_groups
from ecgwas.recovery import matching, recovery
from ecgwas.recovery import truth as truths
from ecgwas.recovery.neighbourhood import Neighbourhood
from ecgwas.stats import linear, tails

LEADING = ["locus", "parameter", "variance_explained", "found", "lead_distance_bp", "in_credible_set"]
LEADING += ["best_neg_log10_p"]
PLANTED = {"contig": "1", "position": 1000, "ref": "A", "alt": "G", "parameter": "pr_ms", "variance_explained": 0.05}


def around(p: list[list[float]], r2: list[float]) -> Neighbourhood:
    """Variants at 1000, 2000, … tested by the joint test and axis01."""
    n = len(r2)
    variants = pl.DataFrame({"position": 1000 * np.arange(1, n + 1)})
    return Neighbourhood(variants, ["joint", "axis01"], np.array(p, float), np.array(r2))


def locus(contig: str, position: int, traits: tuple[str, ...] = (), reach: int = 5000) -> pl.DataFrame:
    """A loci table of one row with the columns that matter."""
    row = {name: None for name in tables.LOCI.columns} | {
        "locus": f"{contig}:{position}",
        "contig": contig,
        "start": position - reach,
        "end": position + reach,
        "lead_position": position,
        "significant_traits": list(traits),
    }
    return tables.LOCI.typed(pl.DataFrame([row]))


def test_found_by_a_lead_in_ld():
    row = matching.recovered(PLANTED, locus("1", 2000), around([[7, 2], [9, 3], [5, 1]], [1.0, 0.8, 0.1]))
    expected = {"found": True, "lead_distance_bp": 1000, "lead_r2": 0.8, "best_test": "joint", "best_neg_log10_p": 9.0}
    assert row == expected


def test_a_trait_can_find_what_the_joint_lead_misses():
    """The joint lead tags something else; the lead of a significant trait tags the planted variant."""
    strengths = [[8, 9], [12, 2], [5, 1]]
    region = around(strengths, [1.0, 0.2, 0.1])
    assert matching.recovered(PLANTED, locus("1", 2000, ("axis01",)), region)["best_test"] == "axis01"
    missed = matching.recovered(PLANTED, locus("1", 2000), region)
    assert not missed["found"]
    assert missed["lead_r2"] == 0.2
    assert missed["best_neg_log10_p"] == 9


def test_not_found_without_a_locus():
    """No lead, yet the strongest variant in LD is told."""
    none = tables.LOCI.empty()
    row = matching.recovered(PLANTED, none, around([[6, 2], [3, 3]], [1.0, 0.7]))
    expected = {
        "found": False,
        "lead_distance_bp": None,
        "lead_r2": None,
        "best_test": "joint",
        "best_neg_log10_p": 6.0,
    }
    assert row == expected


def test_a_planted_variant_lost_to_quality_control_is_not_found():
    row = matching.recovered(PLANTED, locus("1", 2000), around([[9, 2], [9, 3]], [np.nan, np.nan]))
    assert not row["found"]
    assert row["best_neg_log10_p"] is None


def test_false_loci():
    """On a null chromosome; where neither a planted variant nor the background is; and explained ones."""
    truth = {"loci": [PLANTED], "null_chromosomes": ["21", "X"], "polygenic": {"pr_ms": {"variant": ["2:5:A:G"]}}}
    loci = pl.concat([locus("1", 900_000), locus("1", 3_000_000), locus("2", 10), locus("21", 10), locus("X", 7)])
    assert recovery.false_loci(truth, loci) == {"false_loci_null_chromosomes": 2, "false_loci": 3}


def test_sets_of_a_locus_far_off_are_of_another_variant():
    loci = pl.concat([locus("1", 300_000), locus("1", 700_000)])
    row = {name: None for name in tables.CREDIBLE_SETS.columns} | {"trait": "joint", "cs": 1, "size": 3}
    rows = [row | {"locus": name, "region": f"near {name}"} for name in loci["locus"]]
    sets = tables.CREDIBLE_SETS.typed(pl.DataFrame(rows))
    pips = pl.DataFrame({"region": sets["region"], "trait": "joint", "cs": pl.Series([1, 0], dtype=pl.Int32)})
    pips = pips.with_columns(contig=pl.lit("1"), position=1000, ref=pl.lit("A"), alt=pl.lit("G"))
    assert matching.sets_near(PLANTED, loci, sets, pips).select("locus", "holds").rows() == [("1:300000", True)]


def test_alleles_may_be_swapped():
    rows = pl.DataFrame({"contig": ["1", "1"], "position": [1000, 1000], "ref": ["G", "C"], "alt": ["A", "G"]})
    assert rows.select(truths.is_variant(PLANTED)).to_series().to_list() == [True, False]


@pytest.fixture(scope="module")
def analysed(tmp_path_factory) -> dict:
    """Arguments of the step: 600 people, 120 variants on two contigs, one planted at the 31st, one never found."""
    folder = tmp_path_factory.mktemp("recovery")
    rng = np.random.default_rng(8)
    copies = np.repeat(rng.integers(0, 3, (24, 600)), 5, axis=0)  # blocks of five variants in LD
    calls = np.where(rng.random(copies.shape) < 0.1, rng.integers(0, 3, copies.shape), copies).astype(np.int8)
    y = rng.normal(size=(600, 2))
    y[:, 0] += 0.5 * (calls[30] - 1)
    codes = np.array([3, 2, 0], np.uint8)[calls].reshape(120, -1, 4)
    packed = codes[..., 0] | codes[..., 1] << 2 | codes[..., 2] << 4 | codes[..., 3] << 6
    (folder / "g.bed").write_bytes(b"\x6c\x1b\x01" + packed.tobytes())
    ids = [f"s{i:03d}" for i in range(600)]
    source = {"path": str(folder / "g.bed"), "format": "plink", "n_variants": 120, "n_samples": 600}
    (folder / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    names = {"contig": np.repeat(["1", "2"], 60), "position": np.tile(np.arange(60, dtype=np.int32) * 1000 + 5000, 2)}
    variants = pl.DataFrame(names).with_columns(
        ref=pl.lit("A"), alt=pl.lit("G"), rsid=pl.lit("."), source=pl.lit(0), source_index=pl.int_range(pl.len())
    )
    who = pl.DataFrame({"person_id": ids, "sample_id": ids})
    group = trait_groups.build(y, np.zeros((600, 0)))[0]
    r = linear.unit_residuals(calls.astype(np.float32), group.q) @ group.unit
    t = r * np.sqrt(group.df / (1 - r**2))
    joint = tails.from_r2(((r @ group.w) ** 2).sum(axis=1), 2, group.df - 1)
    statistics = pl.DataFrame({"joint_neg_log10_p": joint, "t:axis01": t[:, 0], "t:axis02": t[:, 1]})
    lead = 5000 + 1000 * int(np.argmax(np.abs(t[:60, 0])))
    found = locus("1", lead, ("axis01",)).with_columns(
        lead_ref=pl.lit("A"), lead_alt=pl.lit("G"), lead_test=pl.lit("axis01")
    )
    planted = [PLANTED | {"position": 35_000, "power": 0.9, "maf": 0.4}, PLANTED | {"contig": "2", "position": 9000}]
    (folder / "truth.json").write_text(json.dumps({"loci": planted, "null_chromosomes": ["2"]}))
    scanned = {"trait": ["axis01", "axis02"], "group": "all", "n": 600, "df": group.df, "yy": 1.0}
    null = {"trait": "mean", "variants": "null", "mac": "any", "n_variants": 60}
    null |= {"lambda_gc": 1.01, "low": 0.9, "high": 1.1}
    written = {
        "variants": variants,
        "samples": pl.DataFrame({"sample_id": ids, "index": np.arange(600, dtype=np.int32)}),
        "traits": who.hstack(pl.DataFrame(y, schema=["axis01", "axis02"])),
        "covariates": who,
        "sumstats": variants.drop("source", "source_index").hstack(statistics),
        "trait_table": pl.DataFrame(scanned),
        "loci": found,
        "calibration": pl.DataFrame([null]),
    }
    for name, table in written.items():
        table.write_parquet(folder / f"{name}.parquet")
    paths = {name: folder / f"{name}.parquet" for name in written} | {"manifest": folder / "manifest.json"}
    paths["sumstats"] = [paths["sumstats"]]
    sets = {"credible_sets": folder / "sets.parquet", "pips": folder / "pips.parquet"}
    mapped = {name: paths[name] for name in paths if name != "calibration"}
    finemap.main(**mapped, **sets, settings=Finemap(), diagnostics=folder / "diagnostics.parquet")
    outputs = {"recovery": folder / "recovery.tsv", "summary": folder / "recovery.json"}
    return paths | sets | outputs | {"truth": folder / "truth.json", "model": "tiny"}


def test_table_and_summary(analysed):
    recovery.main(**analysed)
    table = pl.read_csv(analysed["recovery"], separator="\t")
    assert table.columns[:7] == LEADING
    assert table["locus"].to_list() == ["1:35000", "2:9000"]
    assert table["found"].to_list() == [True, False]
    assert table["in_credible_set"].to_list() == [True, False]
    assert table["n_credible_sets"].to_list() == [1, 0]
    assert table["analytic_power"].to_list() == [0.9, None]
    assert table["lead_r2"][0] > 0.5
    assert table["lead_distance_bp"][0] <= 4000
    sets = pl.read_parquet(analysed["credible_sets"])
    assert table["credible_set_size"].to_list() == [sets["size"].item(), None]
    assert json.loads(analysed["summary"].read_text()) == {
        "model": "tiny",
        "n_planted": 2,
        "n_found": 1,
        "false_loci_null_chromosomes": 0,
        "false_loci": 0,
        "n_credible_sets": 1,
        "n_credible_sets_holding": 1,
        "credible_set_coverage": 1.0,
        "median_credible_set_size": float(sets["size"].item()),
        "n_leading_credible_sets": 1,
        "n_leading_credible_sets_holding": 1,
        "leading_credible_set_coverage": 1.0,
        "median_leading_credible_set_size": float(sets["size"].item()),
        "mean_lambda_gc_null": 1.01,
        "mean_lambda_gc_null_low": 0.9,
        "mean_lambda_gc_null_high": 1.1,
    }


def test_nothing_found_and_nothing_planted(analysed, tmp_path):
    empty = {"loci": tables.LOCI, "credible_sets": tables.CREDIBLE_SETS, "pips": tables.FINEMAP_VARIANTS}
    paths = {name: tmp_path / f"{name}.parquet" for name in empty}
    for name, schema in empty.items():
        schema.empty().write_parquet(paths[name])
    outputs = {"recovery": tmp_path / "recovery.tsv", "summary": tmp_path / "recovery.json"}
    recovery.main(**(analysed | paths | outputs))
    assert pl.read_csv(outputs["recovery"], separator="\t")["found"].to_list() == [False, False]
    assert json.loads(outputs["summary"].read_text())["credible_set_coverage"] is None
    (tmp_path / "truth.json").write_text(json.dumps({"loci": []}))
    recovery.main(**(analysed | paths | outputs | {"truth": tmp_path / "truth.json"}))
    assert outputs["recovery"].read_text().split() == list(tables.RECOVERY.columns)


def test_a_truth_without_a_place_is_refused(tmp_path):
    (tmp_path / "truth.json").write_text(json.dumps({"loci": [{"contig": "1"}]}))
    with pytest.raises(UserError, match="lacks"):
        truths.read_truth(tmp_path / "truth.json")
