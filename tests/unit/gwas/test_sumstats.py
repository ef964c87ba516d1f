"""The scan on disk: blocks read ahead, row groups, spans of the genome, and readers that take what they need."""

import json

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.unit.gwas.test_scan import INPUTS, files, run_scan, study, write_bed  # noqa: F401 (a fixture)

from ecgwas.associations import scan_statistics
from ecgwas.config import Gwas
from ecgwas.errors import UserError
from ecgwas.genotype_files import blocks, contigs
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotype_files.variants import read_variants
from ecgwas.gwas import loci, scan, sumstats, trait_groups
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.stats import tails


def reader(folder, samples=None):
    table = read_variants(folder / "variants.parquet")
    return GenotypeReader(folder / "manifest.json", table, np.arange(400) if samples is None else samples)


@pytest.mark.parametrize("samples", [None, np.array([5, 3, 399, 0])])
def test_blocks_read_ahead_are_those_read_at_once(study, samples):  # noqa: F811
    with reader(study, samples) as source:
        whole, seen, memory = source.read(slice(None)), 0, set()
        assert source.hard_calls
        for block in blocks.ahead(source, 17, 0, 300):
            np.testing.assert_array_equal(block.dosages(), whole[block.rows])
            some = block.people(np.array([3, 1]))
            np.testing.assert_array_equal(some.dosages(), whole[block.rows][:, [3, 1]])
            memory.add(block.calls.data_ptr())
            seen += block.calls.shape[0]
    assert seen == 300
    assert len(memory) == blocks.AHEAD + 1  # buffers are used again: memory does not grow with the variants


def test_an_error_of_the_reading_thread_ends_the_scan_and_leaves_no_part(study):  # noqa: F811
    (study / "g.bed").unlink()
    with pytest.raises(UserError, match=r"g\.bed: the genotype file named in the manifest is gone"):
        run_scan(study, Gwas())
    assert not list(study.glob("*part-0*.parquet"))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 1e-3)])
def test_calls_as_they_are_in_the_file_equal_statsmodels(tmp_path, arrays, ols, dtype, tolerance):
    """The whole way from int8 calls to Parquet: frequencies from 0.001 to 0.999, missing calls, people out of order."""
    g, y, c = arrays()
    n = g.shape[1]
    order = np.random.default_rng(3).permutation(n)
    calls = np.where(np.isnan(g), -1, g).astype(int)
    write_bed(tmp_path / "g.bed", calls[:, np.argsort(order)])
    ids = [f"s{i}" for i in range(n)]
    source = {"path": str(tmp_path / "g.bed"), "format": "plink", "n_variants": len(g), "n_samples": n}
    known = {"sources": [source], "sample_ids": ids, "build": "GRCh38"}
    (tmp_path / "manifest.json").write_text(json.dumps(known))
    rows = {
        "position": np.arange(1, len(g) + 1),
        "source_index": np.arange(len(g)),
        "info": np.linspace(0.4, 1, len(g)),
    }
    fixed = {"contig": pl.lit("3"), "ref": pl.lit("A"), "alt": pl.lit("C"), "rsid": pl.lit("x"), "source": pl.lit(0)}
    pl.DataFrame(rows).with_columns(**fixed).write_parquet(tmp_path / "variants.parquet")
    pl.DataFrame({"sample_id": ids, "index": np.arange(n)}).write_parquet(tmp_path / "samples.parquet")
    who = pl.DataFrame({"person_id": ids, "sample_id": [ids[i] for i in order]})
    who.hstack(pl.DataFrame(y, schema=list("abcd"))).write_parquet(tmp_path / "traits.parquet")
    who.hstack(pl.DataFrame(c, schema=list("xyz"))).write_parquet(tmp_path / "covariates.parquet")
    part = run_scan(tmp_path, Gwas(dtype=dtype, block=5, min_mac=0))
    found = scan_statistics.read_scan([part], tmp_path / "per-trait.parquet")
    every = np.arange(len(g))
    beta, se = scan_statistics.effects(found.t, found.gg(), found.yy(every), found.traits["df"].to_numpy())
    exact, exact_se = ols(g, y, c)
    assert np.max(np.abs(beta - exact) / exact_se) < tolerance
    assert np.max(np.abs(se - exact_se) / exact_se) < tolerance
    np.testing.assert_array_equal(found.variants["n"], (~np.isnan(g)).sum(axis=1))
    np.testing.assert_allclose(found.variants["af"], np.nanmean(g.astype(float), axis=1) / 2, rtol=1e-12)
    np.testing.assert_array_equal(found.variants["info"], rows["info"])


def test_row_groups_change_nothing_and_rows_and_traits_can_be_read_alone(study, monkeypatch):  # noqa: F811
    whole = pl.read_parquet(run_scan(study, Gwas(block=20)))
    monkeypatch.setattr(sumstats, "ROWS", 64)
    parts = [run_scan(study, Gwas(block=20, parts=3), part, "small") for part in range(3)]
    assert [pq.ParquetFile(path).num_row_groups for path in parts] == [4, 2, 0]
    assert pq.ParquetFile(parts[0]).metadata.row_group(0).num_rows == 60
    found = scan_statistics.read_scan(parts, study / "per-trait.parquet")
    assert found.variants.equals(whole.select(found.variants.columns))
    t = whole.select("t:a", "t:b", "t:c").to_numpy()
    np.testing.assert_allclose(found.t, t, rtol=1e-6)
    some = np.array([0, 59, 60, 61, 140, 299])
    np.testing.assert_array_equal(found.t_at(some), found.t[some])
    np.testing.assert_array_equal(found.t_of(["b"])[:, 0], found.t[:, 1])
    bounds = np.array([2.0, 2.5, 1.5])
    np.testing.assert_array_equal(found.beyond(bounds), (np.abs(found.t) >= bounds).any(axis=1))


def test_no_test_is_null_in_every_trait_of_the_group(arrays, tmp_path):
    g, y, c = arrays()
    g[4] = 1.0
    y[:50, 2] = np.nan
    made = trait_groups.build(y, c)
    table = pl.DataFrame({"contig": "1", "position": np.arange(1, len(g) + 1), "ref": "A", "alt": "C", "rsid": "x"})
    table = table.with_columns(pl.col("position").cast(pl.Int32), info=pl.lit(None, pl.Float64))
    writer = sumstats.Writer(tmp_path / "part.parquet", table, made, list("abcd"), 10)
    engine = TorchLinear(made)
    for first in range(0, len(g), 10):
        rows = slice(first, min(first + 10, len(g)))
        writer.add(rows, engine.tests(blocks.of_dosages(g[rows])))
    writer.close()
    found = pl.read_parquet(tmp_path / "part.parquet")
    assert found["reason"][4] == "collinear"
    assert found.select(pl.col("^t:.*$").is_null().arg_true().implode()).row(0) == ([4],) * 4
    assert found.select("n:g1", "af:g1", "gg:g1").null_count().row(0) == (0, 0, 1)
    for name, rows in (("a", slice(None)), ("c", slice(50, None))):
        j = "abcd".index(name)
        alone = trait_groups.build(y[rows][:, [j]], c[rows])
        r = TorchLinear(alone, "float64").block(g[:, rows])[0].r[:, 0]
        tested = np.arange(len(g)) != 4
        np.testing.assert_allclose(
            found[f"t:{name}"].to_numpy()[tested], scan.t_values(r, alone[0].df)[tested], atol=1e-4
        )


def test_a_span_of_the_genome_moves_with_no_variant_elsewhere(study):  # noqa: F811
    """Without contig 1 the part with contig 10 is the same file, byte by byte."""
    settings = Gwas(parts=20)
    part = next(k for k in range(20) if pl.read_parquet(run_scan(study, settings, k))["contig"].first() == "10")
    before = run_scan(study, settings, part).read_bytes()
    table = pl.read_parquet(study / "variants.parquet")
    table.filter(pl.col("contig") != "1").write_parquet(study / "variants.parquet")
    assert run_scan(study, settings, part, "again").read_bytes() == before


@pytest.mark.parametrize("build", ["GRCh37", "GRCh38"])
@pytest.mark.parametrize("parts", [1, 7, 400])
def test_spans_hold_every_place_once_in_order(build, parts):
    ends = [(name, place) for name in contigs.CONTIGS for place in (1, contigs.LENGTHS[build][name])]
    ends = pl.DataFrame(ends, ["contig", "position"], orient="row")
    other = pl.DataFrame({"contig": ["X", "MT"], "position": [10**9, 5]})
    place = pl.concat([ends, other]).select(contigs.place(build)).to_series().to_numpy()
    assert place[0] == 1
    assert (np.diff(place)[1:-2:2] == 1).all()  # a chromosome starts where the last one ends
    assert place[-3] == place[-2] == contigs.total(build)  # a position beyond its chromosome is at its end
    span = (place - 1) * parts // (contigs.total(build) + 1)
    assert span[0] == 0
    assert (np.diff(span) >= 0).all()
    assert span[-1] == parts - 1


def test_significant_variants_are_those_of_all_p_values(study, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sumstats, "ROWS", 40)
    part = run_scan(study, Gwas(block=20))
    found = scan_statistics.read_scan([part], study / "per-trait.parquet")
    every = tails.from_t(found.t, found.traits["df"].to_numpy().astype(float))
    every = np.column_stack([every, found.variants["joint_neg_log10_p"]])
    for limit in (0.5, 1.3, 3.0, 400.0):
        hits, p = loci.significant(found, limit)
        np.testing.assert_array_equal(hits, np.flatnonzero(every.max(axis=1) > limit))
        np.testing.assert_allclose(p, every[hits])
