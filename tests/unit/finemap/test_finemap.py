"""The fine-mapping step on files."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.config import Finemap
from ecgwas.errors import UserError
from ecgwas.finemap.finemap import main

OUTPUTS = {"credible_sets": tables.CREDIBLE_SETS, "pips": tables.FINEMAP_VARIANTS, "diagnostics": tables.LD_DIAGNOSTICS}


def run(inputs: dict, folder: Path, threads: int = 1, **settings) -> dict[str, pl.DataFrame]:
    """The three tables."""
    out = {name: folder / f"{name}.parquet" for name in OUTPUTS}
    main(**inputs, **out, settings=Finemap(**settings), threads=threads)
    return {name: pl.read_parquet(path) for name, path in out.items()}


def test_planted_variants_are_in_sets(study, tmp_path):
    """The locus of one axis is mapped on that axis, the other by the joint effect; both sets hold their variant."""
    found = run(study.inputs(), tmp_path)
    for name, schema in OUTPUTS.items():
        assert list(found[name].columns) == list(schema.columns)
    by_contig = {row["locus"].split(":")[0]: row for row in found["credible_sets"].iter_rows(named=True)}
    assert {contig: row["trait"] for contig, row in by_contig.items()} == {"1": "axis01", "2": "joint"}
    for contig, position in study.causal.items():
        mine = found["pips"].filter((pl.col("contig") == contig) & (pl.col("position") == position))
        assert mine["cs"].to_list() == [1]
        inside = found["pips"].filter((pl.col("contig") == contig) & (pl.col("cs") == 1))
        assert inside.height == by_contig[contig]["size"]
        if contig == "2":
            assert inside["pip"].sum() == pytest.approx(by_contig[contig]["coverage"])
    assert found["diagnostics"]["converged"].all()
    assert found["diagnostics"]["n"].to_list() == [1200, 1200]


def test_joint_too_where_it_is_the_stronger_test(study, tmp_path):
    """Axes significant at a locus are mapped in any case; the joint effect too where its test leads."""
    inputs = study.inputs()
    strong = pl.read_parquet(inputs["loci"]).with_columns(lead_test=pl.lit("joint"))
    strong.write_parquet(tmp_path / "loci.parquet")
    found = run(inputs | {"loci": tmp_path / "loci.parquet"}, tmp_path)["diagnostics"]
    assert [(row[0][0], row[1]) for row in found.rows()] == [("1", "axis01"), ("1", "joint"), ("2", "joint")]


def test_r2_with_the_lead_is_one_at_the_lead(study, tmp_path):
    found = run(study.inputs(), tmp_path)
    lead = pl.format("{}:{}", "contig", "position") == pl.col("locus")
    np.testing.assert_allclose(found["pips"].filter(lead)["lead_r2"], 1)


def test_window(study, tmp_path):
    positions = run(study.inputs(), tmp_path, window_bp=8000)["pips"].group_by("locus").agg(pl.col("position").unique())
    for locus, values in positions.iter_rows():
        assert max(abs(np.array(values) - int(locus.split(":")[1]))) <= 8000


def test_threads_and_reruns_change_no_byte(study, tmp_path):
    for name, threads in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        run(study.inputs(), tmp_path / name, threads=threads)
    for name in OUTPUTS:
        assert (tmp_path / "a" / f"{name}.parquet").read_bytes() == (tmp_path / "b" / f"{name}.parquet").read_bytes()


def test_parts_of_the_scan_are_joined(study, tmp_path):
    inputs = study.inputs()
    whole = pl.read_parquet(inputs["sumstats"][0])
    parts = [whole[:320], whole[320:]]
    paths = [tmp_path / f"part-{k}.parquet" for k in range(2)]
    for part, path in zip(parts, paths, strict=True):
        part.write_parquet(path)
    assert run(inputs | {"sumstats": paths}, tmp_path)["pips"].equals(run(inputs, tmp_path)["pips"])


def test_no_locus_gives_empty_tables(study, tmp_path):
    tables.LOCI.empty().write_parquet(tmp_path / "loci.parquet")
    found = run(study.inputs() | {"loci": tmp_path / "loci.parquet"}, tmp_path)
    for name, schema in OUTPUTS.items():
        assert found[name].equals(schema.empty())


def test_a_variant_without_a_test_is_told_without_a_pip(study, tmp_path):
    inputs = study.inputs()
    t = pl.col("^t:.*$")
    untested = pl.read_parquet(inputs["sumstats"][0]).with_columns(
        pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise(t).name.keep()
    )
    untested.write_parquet(tmp_path / "part.parquet")
    found = run(inputs | {"sumstats": [tmp_path / "part.parquet"]}, tmp_path)
    lost = found["pips"].filter(pl.col("pip").is_null())
    assert lost.select("position", "cs", "trait").rows() == [(1_000_000 + 400 * 5, 0, "axis01")]
    assert found["diagnostics"].filter(pl.col("trait") == "axis01")["n_variants"].item() == 249


def test_traits_with_missing_values_are_mapped_in_their_people(study, tmp_path):
    """A trait seen in fewer people: its own LD, degrees of freedom and count."""
    inputs = study.inputs()
    cut = pl.read_parquet(inputs["traits"]).with_columns(
        axis01=pl.when(pl.int_range(pl.len()) < 100).then(None).otherwise("axis01")
    )
    cut.write_parquet(tmp_path / "traits.parquet")
    scanned = pl.read_parquet(inputs["trait_table"]).with_columns(
        df=pl.when(pl.col("trait") == "axis01").then(pl.col("df") - 100).otherwise("df")
    )
    scanned.write_parquet(tmp_path / "scanned.parquet")
    changed = inputs | {"traits": tmp_path / "traits.parquet", "trait_table": tmp_path / "scanned.parquet"}
    found = run(changed, tmp_path)["diagnostics"]
    assert dict(found.select("trait", "n").rows()) == {"axis01": 1100, "joint": 1100}
    with pytest.raises(UserError, match="axis01 was scanned in other people"):
        run(inputs | {"traits": tmp_path / "traits.parquet"}, tmp_path)


def test_a_variant_that_left_the_genotypes_is_named(study, tmp_path):
    inputs = study.inputs()
    pl.read_parquet(inputs["variants"])[:-1].write_parquet(tmp_path / "variants.parquet")
    with pytest.raises(UserError, match=r"variant 2:\d+:A:G .* is not in variants.parquet"):
        run(inputs | {"variants": tmp_path / "variants.parquet"}, tmp_path)


def test_missing_genotype_file_is_named(study, tmp_path):
    inputs = study.inputs()
    manifest = json.loads(inputs["manifest"].read_text())
    manifest["sources"][0]["path"] = "gone.bed"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"gone\.bed"):
        run(inputs | {"manifest": tmp_path / "manifest.json"}, tmp_path)
