"""The scan as a whole: groups, parts, files, loci, calibration, bad input."""

import json

import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.config import Gwas, Step1
from ecgwas.errors import UserError
from ecgwas.genotype_files import blocks
from ecgwas.genotype_files.variants import VARIANT
from ecgwas.gwas import calibration, loci, permutations, scan, sumstats, trait_groups
from ecgwas.gwas.engines import joint
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.gwas.step1 import predictions
from ecgwas.stats import tails


def write_bed(path, calls):
    """PLINK 1 .bed from ALT (A1) counts [V, n], -1 missing."""
    codes = np.array([3, 2, 0, 1], np.uint8)[calls]
    codes = np.pad(codes, ((0, 0), (0, -calls.shape[1] % 4)))
    packed = codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6
    path.write_bytes(b"\x6c\x1b\x01" + packed.tobytes())


@pytest.fixture
def study(tmp_path):
    """Files of a small study: 400 people, 300 variants on 3 contigs, 3 traits, the first planted at variant 40."""
    rng = np.random.default_rng(7)
    n, v = 400, 300
    calls = rng.binomial(2, np.repeat(rng.uniform(0.05, 0.95, v // 5), 5)[:, None], (v, n))
    for j in range(v):
        if j % 5:  # four neighbours of each fifth variant are copies of it but for a tenth
            calls[j] = np.where(rng.random(n) < 0.9, calls[j - 1], calls[j])
    ids = [f"s{i}" for i in range(n)]
    c, y = rng.normal(size=(n, 2)), rng.normal(size=(n, 3))
    y[:, 0] += 0.9 * (calls[40] - calls[40].mean()) / calls[40].std()
    calls[rng.random(calls.shape) < 0.01] = -1
    write_bed(tmp_path / "g.bed", calls)
    source = {"path": str(tmp_path / "g.bed"), "format": "plink", "n_variants": v, "n_samples": n}
    (tmp_path / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    contig = np.repeat(["1", "2", "10"], v // 3)
    pl.DataFrame({"contig": contig, "position": np.tile(np.arange(v // 3) * 40_000 + 1, 3), "ref": "A", "alt": "C",
                  "rsid": [f"rs{i}" for i in range(v)], "source": 0, "source_index": np.arange(v)}
                 ).sample(fraction=1, shuffle=True, seed=1).write_parquet(tmp_path / "variants.parquet")  # fmt: skip
    pl.DataFrame({"sample_id": ids, "index": np.arange(n)}).write_parquet(tmp_path / "samples.parquet")
    people = pl.DataFrame({"person_id": ids, "sample_id": ids})[::-1]
    people.hstack(pl.DataFrame(y[::-1], schema=["a", "b", "c"])).write_parquet(tmp_path / "traits.parquet")
    people.hstack(pl.DataFrame(c[::-1], schema=["age", "sex"])).write_parquet(tmp_path / "covariates.parquet")
    return tmp_path


def files(folder, *names):
    return [folder / f"{name}{'.json' if name == 'manifest' else '.parquet'}" for name in names]


INPUTS = ("manifest", "variants", "samples", "traits", "covariates")


def run_scan(folder, settings, part=0, name="part"):
    scan.main(*files(folder, *INPUTS), part, settings, folder / f"{name}-{part}.parquet", folder / "per-trait.parquet")
    return folder / f"{name}-{part}.parquet"


def test_parts_put_together_are_the_whole(study):
    whole = pl.read_parquet(run_scan(study, Gwas(dtype="float64", block=64)))
    parts = [run_scan(study, Gwas(dtype="float64", parts=7, block=50), part, "slice") for part in range(7)]
    table = pl.concat([pl.read_parquet(part) for part in parts])
    assert table.select(VARIANT).equals(whole.select(VARIANT))
    assert table["contig"].unique(maintain_order=True).to_list() == ["1", "2", "10"]
    for name in table.select(pl.selectors.numeric()).columns:
        np.testing.assert_allclose(table[name], whole[name], rtol=1e-6)
    again = run_scan(study, Gwas(dtype="float64", block=64), name="again")
    assert again.read_bytes() == (study / "part-0.parquet").read_bytes()


def test_a_turned_variant_is_tested_for_its_alt_allele(study):
    """Rows that quality control marks `flipped` count the other allele of the file: t and frequency change sides."""
    before = pl.read_parquet(run_scan(study, Gwas(dtype="float64")))
    table = pl.read_parquet(study / "variants.parquet")
    table.with_columns(flipped=pl.col("rsid") == "rs40").write_parquet(study / "variants.parquet")
    after = pl.read_parquet(run_scan(study, Gwas(dtype="float64"), name="turned"))
    turned = (before["rsid"] == "rs40").to_numpy()
    sign, t = np.where(turned, -1, 1), "t:a"
    np.testing.assert_allclose(after[t].to_numpy(), sign * before[t].to_numpy(), rtol=1e-6)
    expected = np.where(turned, 1 - before["af"].to_numpy(), before["af"].to_numpy())
    np.testing.assert_allclose(after["af"].to_numpy(), expected, atol=1e-12)


def test_the_tables_are_those_documented(study):
    variants = study / "variants.parquet"
    pl.read_parquet(variants).cast({"position": pl.Int32}).write_parquet(variants)
    part = pl.read_parquet_schema(run_scan(study, Gwas()))
    assert {name: part[name] for name in tables.SUMSTATS.columns} == dict(tables.SUMSTATS.schema)
    assert {part[f"t:{trait}"] for trait in "abc"} == {pl.Float32()}
    per_trait = pl.read_parquet_schema(study / "per-trait.parquet")
    assert {name: per_trait[name] for name in tables.SCAN_TRAITS.columns} == dict(tables.SCAN_TRAITS.schema)


def test_more_parts_than_variants_leaves_empty_parts(study):
    empty = pl.read_parquet(run_scan(study, Gwas(parts=301), 300))
    assert empty.height == 0
    assert "t:a" in empty.columns
    assert empty["reason"].dtype == pl.String


def test_loci_and_calibration_of_a_planted_effect(study):
    part = run_scan(study, Gwas(block=100))
    settings = Gwas(permutations=60, null_chromosomes=["2", "10"])
    out = [study / f"{name}.parquet" for name in ("loci", "any", "tests")]
    loci.main([part], study / "per-trait.parquet", *files(study, *INPUTS), settings, *out)
    found, wider = pl.read_parquet(out[0]), pl.read_parquet(out[1])
    assert found.height == 1
    assert found["lead_rsid"][0] == "rs40"
    assert found["significant_traits"][0].to_list() == ["a"]
    assert found["n_variants"][0] >= 2
    assert wider["study_wide"].to_list() == [True]
    assert wider.drop("study_wide").equals(found)
    calibration.main([part], study / "per-trait.parquet", *files(study, *INPUTS), settings, study / "cal.parquet")
    table = pl.read_parquet(study / "cal.parquet")
    assert table.filter(mac="any")["trait"].to_list() == ["a", "b", "c", "joint", "mean"] * 2
    assert table.select((pl.col("low") < pl.col("high")).all()).item()
    null = table.filter(variants="null", mac="any")
    assert null.select(pl.col("lambda_gc").is_between("low", "high").all()).item()
    first = (study / "cal.parquet").read_bytes()
    calibration.main([part], study / "per-trait.parquet", *files(study, *INPUTS), settings, study / "cal.parquet")
    assert (study / "cal.parquet").read_bytes() == first


def test_no_significant_variant_gives_an_empty_table_of_loci(study):
    part = run_scan(study, Gwas())
    settings = Gwas(p_threshold=1e-300)
    out = [study / f"{name}.parquet" for name in ("loci", "any", "tests")]
    loci.main([part], study / "per-trait.parquet", *files(study, *INPUTS), settings, *out)
    for path, schema in zip(out[:2], (tables.LOCI, tables.LOCI_ANY_TRAIT), strict=True):
        assert pl.read_parquet(path).equals(schema.empty())
    assert pl.read_parquet(out[2])["n_traits"].item() == 3


def test_traits_without_a_test_have_loci_and_calibration_tables(study):
    table = pl.read_parquet(study / "traits.parquet")
    names = [name for name in table.columns if name not in ("person_id", "sample_id")]
    table.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names).write_parquet(study / "traits.parquet")
    part = run_scan(study, Gwas())
    settings = Gwas(permutations=3, null_chromosomes=["2"])
    out = [study / f"{name}.parquet" for name in ("loci", "any", "tests")]
    loci.main([part], study / "per-trait.parquet", *files(study, *INPUTS), settings, *out)
    assert pl.read_parquet(out[0]).height == 0
    calibration.main([part], study / "per-trait.parquet", *files(study, *INPUTS), settings, study / "cal.parquet")
    made = pl.read_parquet(study / "cal.parquet")
    assert made.filter(variants="all", mac="any")["trait"].to_list() == [*names, "joint", "mean"]
    assert made["lambda_gc"].null_count() == made.height


def test_null_chromosomes_may_be_spelled_as_the_genotype_files_spell_them(study):
    part = run_scan(study, Gwas())
    settings = Gwas(permutations=3, null_chromosomes=["chr2", "10", "21"])
    calibration.main([part], study / "per-trait.parquet", *files(study, *INPUTS), settings, study / "cal.parquet")
    table = pl.read_parquet(study / "cal.parquet").filter(variants="null")
    assert table.filter(mac="any")["n_variants"].unique().to_list() == [200]
    joint_rows = table.filter(pl.col("mac") != "any", trait="joint")
    assert joint_rows["n_variants"].sum() == 200
    assert joint_rows["permuted_tests"].sum() == table.filter(mac="any", trait="joint")["permuted_tests"].item()


def test_traits_without_values_or_of_one_value_leave_the_others_as_they_are(study):
    """No value, one person's value, one value for everyone: no test, a reason, and the same numbers for a, b and c."""
    given = [*files(study, *INPUTS), Step1(block=50, min_mac=1, min_maf=0.01)]
    table = pl.read_parquet(study / "variants.parquet").with_columns(af=0.3, mac=200.0, pruned=True)
    table.write_parquet(study / "variants.parquet")
    before = pl.read_parquet(run_scan(study, Gwas(dtype="float64")))
    traits = pl.read_parquet(study / "traits.parquet")
    one = pl.when(pl.int_range(pl.len()) == 7).then(1.5)
    empty = pl.lit(None, pl.Float64)
    traits.with_columns(none=empty, one=one, same=pl.lit(0.1)).write_parquet(study / "traits.parquet")
    with np.errstate(all="raise", under="ignore"):
        after = pl.read_parquet(run_scan(study, Gwas(dtype="float64"), name="more"))
    for name in ("t:a", "t:b", "t:c", "joint_neg_log10_p", "joint_df", "gg"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-5, err_msg=name)
    assert after.select(pl.col("t:none", "t:one", "t:same").is_nan().all()).row(0) == (True,) * 3
    told = pl.read_parquet(study / "per-trait.parquet")
    expected = [("none", 0, "no_values"), ("one", 1, "too_few"), ("same", 400, "constant")]
    assert told.select("trait", "n", "reason").rows() == [(x, 400, None) for x in "abc"] + expected
    predictions.main(*given, study / "loco.parquet", excluded_out=study / "aside.parquet")
    reasons = dict(pl.read_parquet(study / "aside.parquet").filter(kind="trait").select("id", "reason").rows())
    assert reasons == {"none": "no_values", "one": "constant", "same": "constant"}
    scan.main(*files(study, *INPUTS), 0, Gwas(), study / "l.parquet", study / "lt.parquet", study / "loco.parquet")
    assert pl.read_parquet(study / "lt.parquet").filter(contig="2")["reason"].drop_nulls().len() == 3
    settings = Gwas(permutations=3)
    loci.main(
        [study / "more-0.parquet"], study / "per-trait.parquet", *files(study, *INPUTS), settings, study / "x.parquet"
    )
    assert pl.read_parquet(study / "x.parquet")["lead_rsid"].to_list() == ["rs40"]
    calibration.main(
        [study / "more-0.parquet"], study / "per-trait.parquet", *files(study, *INPUTS), settings, study / "y.parquet"
    )


def test_variants_too_rare_in_the_people_analysed_have_no_test_and_a_reason(study):
    """Common in all 400 people genotyped; in the 60 with a trait, of which 40 have the first, some are rare."""
    traits = pl.read_parquet(study / "traits.parquet").head(60)
    some = traits.with_columns(a=pl.when(pl.int_range(60) < 40).then("a"))
    some.write_parquet(study / "traits.parquet")
    pl.read_parquet(study / "covariates.parquet").head(60).write_parquet(study / "covariates.parquet")
    every = pl.read_parquet(run_scan(study, Gwas(dtype="float64", min_mac=0), name="every"))
    found = pl.read_parquet(run_scan(study, Gwas(dtype="float64", min_mac=15)))
    told = pl.read_parquet(study / "per-trait.parquet")
    group = dict(told.select("trait", "group").rows())
    assert group["b"] == group["c"] == "all"
    for trait, (n, af, gg) in {"b": ("n", "af", "gg"), "a": (f"{x}:{group['a']}" for x in ("n", "af", "gg"))}.items():
        mac = 2 * every[n] * pl.select(pl.min_horizontal(every[af], 1 - every[af])).to_series()
        few = (mac < 15 - 1e-6) & (mac > 0)
        assert 10 < few.sum() < 250
        assert (found[f"t:{trait}"].is_null() == (few | every[f"t:{trait}"].is_null())).all()
        assert found.filter(few)[gg].is_null().all()
        assert found.filter(~few)[f"t:{trait}"].equals(every.filter(~few)[f"t:{trait}"])
        if trait == "b":
            assert (found.filter(few)["reason"] == "mac").all()
            assert "mac" not in found.filter(~few)["reason"]
            assert "mac" not in every["reason"]
    untested = found[f"gg:{group['a']}"].is_null()
    assert found.filter(untested)["joint_neg_log10_p"].is_null().all()  # its people are those of the fewest


def test_people_without_samples_are_counted(study):
    table = pl.read_parquet(study / "traits.parquet").with_columns(sample_id="x" + pl.col("sample_id"))
    table.write_parquet(study / "traits.parquet")
    with pytest.raises(UserError, match=r"400 people with traits, 400 samples .* 0 in both"):
        run_scan(study, Gwas())


def test_covariates_of_other_people_are_refused(study):
    pl.read_parquet(study / "covariates.parquet").head(300).write_parquet(study / "covariates.parquet")
    with pytest.raises(UserError, match="not the 400 people"):
        run_scan(study, Gwas())


def test_sumstats_of_other_variants_are_refused(study):
    part = run_scan(study, Gwas(parts=2))
    with pytest.raises(UserError, match="200 variants are not the 300 kept"):
        loci.main([part], study / "per-trait.parquet", *files(study, *INPUTS), Gwas(), study / "loci.parquet")


def test_missing_values_make_groups_and_each_trait_is_as_if_alone(arrays):
    g, y, c = arrays()
    y[:60, 1] = np.nan
    y[30:90, 2] = np.nan
    y[30:90, 3] = np.nan
    made = trait_groups.build(y, c)
    assert [(m.name, m.traits.tolist()) for m in made[:-1]] == [("all", [0]), ("g1", [1]), ("g2", [2, 3])]
    found = TorchLinear(made, "float64").tests(blocks.of_dosages(g))
    table = sumstats.small_columns(found, made)
    t = {j: row for m, tests in zip(made[:-1], found, strict=False) for j, row in zip(m.traits, tests.t, strict=True)}
    for j in range(4):
        seen = np.isfinite(y[:, j])
        alone = trait_groups.build(y[seen][:, [j]], c[seen])
        exact = scan.t_values(TorchLinear(alone, "float64").block(g[:, seen])[0].r[:, 0], alone[0].df)
        np.testing.assert_allclose(t[j], exact, rtol=2e-6)
    complete = np.isfinite(y).all(axis=1)
    whole = trait_groups.build(y[complete], c[complete])
    alone = TorchLinear(whole, "float64").block(g[:, complete])[0]
    expected = joint.neg_log10_p(joint.r_squared(alone.r, whole[0].w), alone.carriers, whole[0])
    np.testing.assert_allclose(table["joint_neg_log10_p"], expected, rtol=1e-6)
    few = np.array([why == "few_carriers" for why in table["joint_reason"]])
    assert few.any()
    assert (few == np.isnan(expected)).all()


def test_simultaneous_interval_holds_all_rows_at_once():
    rng = np.random.default_rng(9)
    values = 1 + rng.normal(size=(4_000, 6)) * np.arange(1, 7)
    low, high = calibration.simultaneous(values[:2_000])
    inside = ((values[2_000:] > low) & (values[2_000:] < high)).all(axis=1).mean()
    assert 0.98 < inside < 0.998


def test_stratified_traits_inflate_and_permutation_interval_shows_it():
    """Two groups of people that differ in traits and frequencies: inflated without, calibrated with the covariate."""
    rng = np.random.default_rng(10)
    n, v = 400, 1_500
    group = np.arange(n) % 2
    af = rng.uniform(0.2, 0.8, v)[:, None] + 0.1 * rng.normal(size=(v, 1)) * (group - 0.5)
    g = rng.binomial(2, np.clip(af, 0.02, 0.98)).astype(np.float32)
    y = rng.normal(size=(n, 4)) + 0.8 * group[:, None]
    keys = rng.random((80, n))
    for c, inflated in ((np.zeros((n, 0)), True), (group[:, None].astype(float), False)):
        made = trait_groups.build(y, c)
        observed = calibration.lambda_trait(TorchLinear(made).block(g)[0].r.T ** 2, made[0].df)
        whole = permutations.everyone(made, c, 4)
        tests = permutations.draw(lambda: iter([(slice(0, v), g)]), v, whole, keys)
        drawn = calibration.lambdas(tests, whole, np.arange(v), 4)
        low, high = calibration.simultaneous(drawn)
        assert np.all(np.abs(drawn.mean(axis=0) - 1) < 0.05)
        assert (observed.mean() > high[-1]) == inflated
        assert inflated or low[-1] < observed.mean()


def test_permuted_joint_p_is_that_of_the_engine_on_the_permuted_traits(arrays):
    """Counts, too: of the joint test and of single traits, below each level."""
    g, y, c = arrays()
    whole = permutations.everyone(trait_groups.build(y, c), c, 4)
    keys = np.random.default_rng(3).random((3, len(y)))
    drawn = permutations.draw(lambda: iter([(slice(0, len(g)), g)]), len(g), whole, keys)
    moved, _ = permutations.permuted(whole, keys)
    for p in range(3):
        made = trait_groups.build(moved[p], c)[0]
        found = TorchLinear([made], "float64").block(g)[0]
        exact = joint.neg_log10_p(joint.r_squared(found.r, made.w), found.carriers, made)
        assert (np.isnan(drawn.joint[p]) == np.isnan(exact)).all()
        np.testing.assert_allclose(drawn.joint[p], exact, rtol=0.05, atol=0.02)
    counted = calibration.counts(drawn, whole, np.arange(len(g)), 4)
    p = tails.from_r2(drawn.single, 1, whole.df)
    assert counted[:4, 0].tolist() == [3 * len(g)] * 4
    assert counted[:4, 1].tolist() == (p > 2).sum(axis=(0, 2)).tolist()
    assert counted[4].tolist() == [
        np.isfinite(drawn.joint).sum(),
        *((drawn.joint > level).sum() for level in (2, 3, 4)),
    ]
    assert (counted[5] == counted[:4].sum(axis=0)).all()


def test_lambda_on_one_degree_of_freedom_has_the_same_median_p():
    assert calibration.one_degree(1.02, 256) == pytest.approx(1.485, abs=0.01)
    assert calibration.one_degree(1.3, 1) == pytest.approx(1.3)
    p = np.random.default_rng(1).uniform(size=200_001)
    assert calibration.one_degree(calibration.lambda_joint(-np.log10(p), 64), 64) == pytest.approx(1, abs=0.02)


def test_observed_and_permuted_lambda_are_of_the_same_tested_variants(monkeypatch):
    monkeypatch.setattr(calibration, "MAX_VARIANTS", 4)
    table = pl.DataFrame({"reason": [None, "mac", None, None, None, "mac", None, None]}, schema={"reason": pl.String})
    assert calibration.spread(table).tolist() == [0, 3, 4, 7]


def test_calibration_with_missing_values_uses_everyone(arrays):
    _, y, c = arrays()
    y[:60, 1] = np.nan
    whole = permutations.everyone(trait_groups.build(y, c), c, 4)
    assert len(whole.rows) == len(y)
    assert whole.w.shape == (4, 4)
    complete = trait_groups.build(y, c)[0]
    np.testing.assert_allclose(np.abs(whole.unit[:, 0]), np.abs(complete.unit[:, 0]), rtol=1e-8)
