"""Step 1 as a step, and what it is for: relatives without inflation."""

import json

import numpy as np
import polars as pl
import pytest
from tests.unit.gwas.test_scan import INPUTS, files, write_bed

from ecgwas.associations import scan_statistics
from ecgwas.associations.analysed import People, read_people
from ecgwas.config import Gwas, Step1
from ecgwas.errors import UserError
from ecgwas.genotype_files.variants import read_variants
from ecgwas.gwas import scan, trait_groups
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.gwas.step1 import predictions

STEP1 = Step1(block=25, min_mac=5, dtype="float64")
SETTINGS = Gwas(dtype="float64", block=64)


def families(n_families, m, rng):
    """ALT counts [m, 2 n_families] of pairs of full siblings, unlinked variants."""
    maf = rng.uniform(0.05, 0.5, m)
    parents = rng.random((m, n_families, 2, 2)) < maf[:, None, None, None]  # [variant, family, parent, haplotype]
    out = np.empty((m, n_families, 2), np.int8)
    for child in range(2):
        taken = rng.integers(0, 2, (m, n_families, 2))
        out[:, :, child] = np.take_along_axis(parents, taken[..., None], 3)[..., 0].sum(2)
    return out.reshape(m, -1)


@pytest.fixture
def siblings(tmp_path):
    """500 pairs of siblings, 3 chromosomes of 200 variants, 6 traits of heritability 0.8 caused by 1 and 2 only."""
    rng = np.random.default_rng(3)
    calls = families(500, 600, rng)
    z = (calls - calls.mean(1, keepdims=True)) / calls.std(1, keepdims=True)
    value = z[:400].T @ rng.standard_normal((400, 6))
    y = np.sqrt(0.8) * value / value.std(0) + np.sqrt(0.2) * rng.standard_normal(value.shape)
    ids = [f"s{i}" for i in range(len(y))]
    write_bed(tmp_path / "g.bed", calls)
    source = {"path": str(tmp_path / "g.bed"), "format": "plink", "n_variants": 600, "n_samples": len(y)}
    (tmp_path / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    af = calls.mean(1) / 2
    pl.DataFrame({"contig": np.repeat(["1", "2", "3"], 200), "position": np.tile(np.arange(200) * 9000 + 1, 3),
                  "ref": "A", "alt": "C", "rsid": [f"rs{i}" for i in range(600)], "source": 0, "pruned": True,
                  "af": af, "mac": 2 * len(y) * np.minimum(af, 1 - af), "source_index": np.arange(600)}
                 ).write_parquet(tmp_path / "variants.parquet")  # fmt: skip
    pl.DataFrame({"sample_id": ids, "index": np.arange(len(y))}).write_parquet(tmp_path / "samples.parquet")
    people = pl.DataFrame({"person_id": ids, "sample_id": ids})
    names = [f"y{k}" for k in range(6)]
    people.hstack(pl.DataFrame(y, schema=names)).write_parquet(tmp_path / "traits.parquet")
    covariate = pl.DataFrame({"age": rng.standard_normal(len(y))})
    people.hstack(covariate).write_parquet(tmp_path / "covariates.parquet")
    return tmp_path


def run(folder, settings=STEP1):
    predictions.main(*files(folder, *INPUTS), settings, folder / "loco.parquet")
    return folder / "loco.parquet"


def run_scan(folder, loco, part=0, settings=SETTINGS):
    paths = folder / f"part-{part}.parquet", folder / "per-trait.parquet"
    scan.main(*files(folder, *INPUTS), part, settings, *paths, loco)
    return paths


def test_each_chromosome_is_tested_less_the_others(siblings):
    loco = run(siblings)
    part, table = run_scan(siblings, loco)
    found = scan_statistics.read_scan([part], table)
    people = read_people(*(siblings / f"{name}.parquet" for name in ("traits", "covariates", "samples")), loco)
    predicted = pl.read_parquet(loco)
    assert predicted["contig"].unique(maintain_order=True).to_list() == ["1", "2", "3", "all"]
    for k, contig in enumerate(["1", "2", "3"]):
        rest = people.y - predicted.filter(contig=contig).drop("contig").to_numpy()
        made = trait_groups.build(rest, people.c)
        with inputs_reader(siblings, people) as reader:
            r = TorchLinear(made, "float64").block(reader.read(slice(200 * k, 200 * k + 200)))[0].r
        rows = np.arange(200 * k, 200 * k + 200)
        assert np.allclose(found.t[rows], scan.t_values(r, made[0].df), atol=1e-5)
        assert np.allclose(found.yy(rows), made[0].yy, rtol=1e-10)


def inputs_reader(folder, people):
    from ecgwas.genotype_files.reader import GenotypeReader

    table = read_variants(folder / "variants.parquet")
    return GenotypeReader(folder / "manifest.json", table, people.samples)


def test_parts_hold_the_same_as_one(siblings):
    loco = run(siblings)
    whole = pl.read_parquet(run_scan(siblings, loco)[0])
    three = Gwas(**(SETTINGS.model_dump() | {"parts": 7}))
    parts = pl.concat([pl.read_parquet(run_scan(siblings, loco, k, three)[0]) for k in range(7)])
    numbers = [name for name in whole.columns if name.startswith("t:")]
    assert np.allclose(parts.select(numbers).to_numpy(), whole.select(numbers).to_numpy(), atol=1e-5)
    assert parts.drop(numbers, "joint_neg_log10_p").equals(whole.drop(numbers, "joint_neg_log10_p"))


def statistics(folder, loco):
    """t [V, T] of the scan."""
    part, table = run_scan(folder, loco)
    return scan_statistics.read_scan([part], table).t


def test_siblings_inflate_a_plain_scan_and_not_this_one(siblings):
    """Chromosome 3 has no cause, but siblings who share it share the causes elsewhere: t² has mean 1 only without them.

    Of pairs with trait correlation r and genotype correlation 1/2 the variance of t is 1 + r/2; r is 0.4 here.
    """
    plain, less = statistics(siblings, None)[400:], statistics(siblings, run(siblings))[400:]
    assert np.mean(plain**2) == pytest.approx(1.2, abs=0.06)
    assert np.mean(less**2) == pytest.approx(1.0, abs=0.08)


def test_it_finds_more(siblings):
    """On chromosomes 1 and 2 the causes stand out of less noise: t² less its inflation is larger."""
    plain, less = statistics(siblings, None), statistics(siblings, run(siblings))
    gain = [np.mean(t[:400] ** 2) / np.mean(t[400:] ** 2) for t in (plain, less)]
    assert gain[1] > 1.1 * gain[0]


def test_rare_variants_and_one_chromosome(siblings):
    with pytest.raises(UserError, match=r"lower step1\.min_maf"):
        run(siblings, Step1(min_maf=0.5))


def test_predictions_of_others_are_refused(siblings):
    loco = run(siblings)
    pl.read_parquet(loco).drop("y5").write_parquet(loco)
    with pytest.raises(UserError, match="run step 1 again"):
        run_scan(siblings, loco)


def test_blocks_cross_no_chromosome():
    contigs = ["1"] * 5 + ["2"] * 2 + ["5"] * 4
    expected = [("1", 0, 2), ("1", 2, 4), ("1", 4, 5), ("2", 5, 7), ("5", 7, 9), ("5", 9, 11)]
    assert predictions.blocks_of(contigs, 2) == expected


def test_bad_traits_and_variants_are_set_aside_and_harm_no_other(siblings):
    before = pl.read_parquet(run(siblings))
    traits = pl.read_parquet(siblings / "traits.parquet")
    age = pl.read_parquet(siblings / "covariates.parquet")["age"]
    bad = pl.DataFrame({"flat": np.full(traits.height, 0.1), "age_again": 3 * age + 1})
    bad = bad.with_columns(pl.lit(None, pl.Float64).alias("empty"))
    traits.hstack(bad).write_parquet(siblings / "traits.parquet")
    table = siblings / "excluded.parquet"
    predictions.main(*files(siblings, *INPUTS), STEP1, siblings / "loco.parquet", excluded_out=table)
    after = pl.read_parquet(siblings / "loco.parquet")
    assert np.allclose(after.select(before.columns[1:]).to_numpy(), before.drop("contig").to_numpy(), atol=1e-6)
    assert (after.select("flat", "age_again", "empty").to_numpy() == 0).all()
    reasons = dict(pl.read_parquet(table).filter(kind="trait").select("id", "reason").iter_rows())
    assert reasons == {"flat": "constant", "age_again": "collinear", "empty": "no_values"}


def test_nothing_but_bad_traits_is_an_error(siblings):
    traits = pl.read_parquet(siblings / "traits.parquet")
    traits.select("person_id", "sample_id", flat=pl.lit(1.0)).write_parquet(siblings / "traits.parquet")
    with pytest.raises(UserError, match="no trait of 1 varies"):
        run(siblings)


def test_a_variant_without_variance_has_a_row():
    table = pl.DataFrame({"contig": ["1", "2"], "position": [10, 20], "ref": "A", "alt": "C"})
    found = predictions.excluded([None, "constant"], ["a", "b"], table, np.array([True, False]))
    assert found.rows() == [("trait", "b", "constant"), ("variant", "2:20:A:C", "low_variance")]


def test_missing_traits_are_at_their_mean():
    y = np.random.default_rng(0).standard_normal((50, 2))
    y[:10, 1] = np.nan
    people = People(y, np.zeros((50, 0)), ["a", "b"], np.arange(50))
    rest, _, reasons = predictions.residual(people)
    filled = np.where(np.isnan(y), np.nanmean(y, axis=0), y)
    assert np.allclose(rest, filled - filled.mean(0))
    assert reasons == [None, None]
