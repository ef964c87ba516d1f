"""0/1 outcomes through the scan and every reader of its files: numbers, missing values, predictions, bad input."""

import json

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import special, stats
from tests.unit.gwas.test_scan import INPUTS, files, write_bed

from ecgwas.associations import scan_statistics
from ecgwas.config import Exports, Finemap, Gwas
from ecgwas.errors import UserError
from ecgwas.finemap import finemap
from ecgwas.gwas import calibration, loci, scan
from ecgwas.gwas.engines import torch_logistic
from ecgwas.gwas.export import formats
from ecgwas.stats import firth, tails

N, V = 900, 240


@pytest.fixture
def study(tmp_path):
    """Files of 900 people, 240 variants on 2 contigs, 3 outcomes: `hf` by variant 40, rare `mi`, `dead` half known."""
    rng = np.random.default_rng(3)
    calls = rng.binomial(2, rng.uniform(0.02, 0.98, V)[:, None], (V, N))
    ids, c = [f"s{i}" for i in range(N)], rng.normal(size=(N, 2))
    calls[40] = rng.binomial(2, 0.7, N)
    eta = -1 + 0.4 * c[:, 0] + 1.0 * (calls[40] - 1.4)
    y = rng.random((3, N)) < special.expit(np.stack([eta, -3.3 + 0 * eta, 0.3 * c[:, 1]]))
    calls[rng.random(calls.shape) < 0.01] = -1
    calls[7] = 0
    write_bed(tmp_path / "g.bed", calls)
    source = {"path": str(tmp_path / "g.bed"), "format": "plink", "n_variants": V, "n_samples": N}
    (tmp_path / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    position = np.tile(np.arange(V // 2) * 40_000 + 1, 2)
    pl.DataFrame({"contig": np.repeat(["1", "2"], V // 2), "position": position, "ref": "A", "alt": "C",
                  "rsid": [f"rs{i}" for i in range(V)], "source": 0, "source_index": np.arange(V), "af": 0.3}
                 ).with_columns(info=pl.lit(None, pl.Float64)).write_parquet(tmp_path / "variants.parquet")  # fmt: skip
    pl.DataFrame({"sample_id": ids, "index": np.arange(N)}).write_parquet(tmp_path / "samples.parquet")
    people = pl.DataFrame({"person_id": ids, "sample_id": ids})
    values = [pl.Series(name, row) for name, row in zip(("hf", "mi", "dead"), y, strict=True)]
    values[2] = pl.select(pl.when(pl.Series(np.arange(N) % 2 == 0)).then(values[2])).to_series().alias("dead")
    people.hstack(values)[::-1].write_parquet(tmp_path / "traits.parquet")
    people.hstack(pl.DataFrame(c, schema=["age", "sex"]))[::-1].write_parquet(tmp_path / "covariates.parquet")
    return tmp_path


def run(folder, name="part", loco=None, **settings):
    part, per_trait = folder / f"{name}.parquet", folder / "per-trait.parquet"
    settings = Gwas(**{"dtype": "float64", "block": 64, **settings})
    scan.main(*files(folder, *INPUTS), 0, settings, part, per_trait, loco)
    return scan_statistics.read_scan([part], per_trait)


def arrays(folder):
    """Outcomes [n, 3], design [n, 3] and mean-imputed ALT counts [V, n] in the order of the genotype files."""
    y = pl.read_parquet(folder / "traits.parquet")[::-1].select("hf", "mi", "dead").cast(pl.Float64).to_numpy()
    c = pl.read_parquet(folder / "covariates.parquet")[::-1].select("age", "sex").to_numpy()
    packed = np.frombuffer((folder / "g.bed").read_bytes(), np.uint8)[3:].reshape(V, -1)
    codes = (packed[:, :, None] >> np.arange(0, 8, 2) & 3).reshape(V, -1)[:, :N]
    return y, sm.add_constant(c), np.array([2.0, np.nan, 1.0, 0.0])[codes]


def filled(row):
    return np.where(np.isnan(row), np.nanmean(row), row)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 1e-3)])
def test_score_tests_are_those_of_statsmodels_in_the_people_of_each_outcome(study, dtype, tolerance):
    found, (y, x, g) = run(study, correction="none", dtype=dtype), arrays(study)
    for t in range(3):
        seen = np.isfinite(y[:, t])
        model = sm.GLM(y[seen, t], x[seen], family=sm.families.Binomial())
        null = model.fit(tol=1e-14)
        for j in [*range(0, V, 17), 40]:
            extra = filled(g[j, seen])[:, None]
            chi2 = np.squeeze(model.score_test(null.params, exog_extra=extra)[0])
            np.testing.assert_allclose(found.t[j, t] ** 2, chi2, rtol=2 * tolerance, atol=tolerance)
            assert np.sign(found.t[j, t]) == np.sign(extra[:, 0] @ (y[seen, t] - null.fittedvalues))
    assert (found.variants["test:hf"].to_numpy()[np.arange(V) != 7] == torch_logistic.SCORE).all()
    assert found.variants["reason"][7] == "monomorphic"
    assert np.isnan(found.t[7]).all()


@pytest.mark.parametrize("correction", ["firth", "exact-firth", "saddlepoint"])
def test_small_p_is_corrected_and_beta_and_error_agree_with_it(study, correction):
    plain, found = run(study, "plain", correction="none"), run(study, correction=correction)
    y, x, g = arrays(study)
    names = {"firth": "firth", "exact-firth": "firth", "saddlepoint": "saddlepoint"}
    code = scan_statistics.TESTS.index(names[correction])
    again = np.abs(plain.t[:, :2]) > stats.norm.isf(0.025)
    tested = found.variants.select("test:hf", "test:mi").to_numpy()
    np.testing.assert_array_equal(tested == code, again)
    np.testing.assert_array_equal(found.t[:, :2][~again], plain.t[:, :2][~again])
    beta, se = scan_statistics.effects(found.t, found.gg(), found.yy(np.arange(V)), found.df)
    np.testing.assert_allclose(beta / se, found.t, rtol=1e-6)
    for j, t in np.argwhere(again)[:12]:
        exact = firth.exact(y[:, t], x, filled(g[j]))
        assert abs(abs(found.t[j, t]) - np.sqrt(exact[2])) < (1e-5 if correction == "exact-firth" else 0.4)
        assert abs(beta[j, t] - exact[0]) < {"exact-firth": 1e-5}.get(correction, 1.2) * exact[1]
    assert beta[40, 0] == pytest.approx(1, abs=0.3)


def test_predictions_are_covariates_of_the_null_model(study):
    rng = np.random.default_rng(5)
    y, x, g = arrays(study)
    known = {"1": rng.normal(size=(N, 3)), "2": rng.normal(size=(N, 3)), "all": np.zeros((N, 3))}
    rows = [pl.DataFrame({"contig": [k] * N} | {t: v[::-1, j] for j, t in enumerate(("hf", "mi", "dead"))})
            for k, v in known.items()]  # fmt: skip
    pl.concat(rows).write_parquet(study / "loco.parquet")
    found = run(study, loco=study / "loco.parquet", correction="none")
    for contig, j in (("1", 40), ("2", 200)):
        design = np.column_stack([x, known[contig][:, 0]])
        model = sm.GLM(y[:, 0], design, family=sm.families.Binomial())
        chi2 = model.score_test(model.fit(tol=1e-14).params, exog_extra=filled(g[j])[:, None])[0]
        np.testing.assert_allclose(found.t[j, 0] ** 2, np.squeeze(chi2), rtol=1e-5)
    constant = {k: 0 * v for k, v in known.items()}
    rows = [pl.DataFrame({"contig": [k] * N} | {t: v[:, 0] for t in ("hf", "mi", "dead")}) for k, v in constant.items()]
    pl.concat(rows).write_parquet(study / "loco.parquet")
    still, without = run(study, loco=study / "loco.parquet"), run(study, "without")
    np.testing.assert_allclose(still.t, without.t, rtol=1e-5)


def test_a_separated_outcome_has_no_test_and_the_others_have(study, capsys):
    table = pl.read_parquet(study / "traits.parquet")
    age = pl.read_parquet(study / "covariates.parquet")["age"]
    table.with_columns(mi=age > 0).write_parquet(study / "traits.parquet")
    found = run(study)
    assert np.isnan(found.t[:, 1]).all()
    assert np.isfinite(found.t[:, 0]).sum() == V - 1
    assert "trait mi has no test: its null model is separated" in capsys.readouterr().out


def test_loci_calibration_and_exports_read_the_parts(study):
    found = run(study)
    settings, per_trait = Gwas(permutations=20), study / "per-trait.parquet"
    inputs_ = files(study, *INPUTS)
    loci.main([study / "part.parquet"], per_trait, *inputs_, settings, study / "loci.parquet")
    table = pl.read_parquet(study / "loci.parquet")
    assert table["lead_position"].to_list() == [40 * 40_000 + 1]
    assert table["lead_test"][0] == table["best_trait"][0] == "hf"
    assert table["joint_neg_log10_p"].to_list() == [None]
    p = -np.log10(2 * stats.norm.sf(abs(found.t[40, 0])))
    assert table["neg_log10_p"][0] == pytest.approx(p, rel=1e-6)
    calibration.main([study / "part.parquet"], per_trait, *inputs_, settings, study / "calibration.parquet")
    lambdas = pl.read_parquet(study / "calibration.parquet").filter(pl.col("trait").is_in(["hf", "mi", "dead"]))
    assert lambdas["lambda_gc"].is_between(0.6, 1.5).all()
    paths = [study / f"{name}.parquet" for name in ("part", "per-trait", "variants", "covariates")]
    wanted = Exports(formats=["gwas-ssf", "regenie"])
    formats.main([paths[0]], *paths[1:], study / "manifest.json", wanted, "here", study / "out")
    lines = pl.read_csv(study / "out/gwas-ssf/hf.tsv.gz", separator="\t")
    beta, se = scan_statistics.effects(found.t, found.gg(), found.yy(np.arange(V)), found.df)
    tested = np.isfinite(found.t[:, 0])
    np.testing.assert_allclose(lines["beta"], beta[tested, 0], rtol=1e-6)
    np.testing.assert_allclose(lines["standard_error"], se[tested, 0], rtol=1e-6)
    words = lines["test"].to_list()
    assert words[40 - 1] == "firth"
    assert set(words) == {"firth", "score"}
    about = (study / "out/gwas-ssf/mi.tsv.gz-meta.yaml").read_text()
    assert "case_control_study: true" in about
    assert f"case_count: {int(arrays(study)[0][:, 1].sum())}" in about


def test_fine_mapping_finds_the_planted_variant(study):
    run(study)
    inputs_, per_trait = files(study, *INPUTS), study / "per-trait.parquet"
    loci.main([study / "part.parquet"], per_trait, *inputs_, Gwas(), study / "loci.parquet")
    outputs = [study / f"{name}.parquet" for name in ("sets", "pips", "diagnostics")]
    finemap.main(study / "loci.parquet", [study / "part.parquet"], per_trait, *inputs_, Finemap(), *outputs)
    sets = pl.read_parquet(outputs[0])
    assert sets.select("trait", "lead", "size").rows() == [("hf", f"1:{40 * 40_000 + 1}:A:C", 1)]
    table = pl.read_parquet(per_trait).with_columns(pl.col("n") - 1)
    table.write_parquet(study / "other.parquet")
    with pytest.raises(UserError, match="scanned in other people"):
        finemap.main(study / "loci.parquet", [study / "part.parquet"], study / "other.parquet", *inputs_, Finemap(),
                     *outputs)  # fmt: skip


def test_infinite_degrees_of_freedom_are_the_normal_distribution():
    z = np.array([0.0, 0.3, 1.96, 8.0, 60.0])
    np.testing.assert_allclose(tails.from_t(z, np.inf), -stats.norm.logsf(z) / np.log(10) - np.log10(2), atol=1e-12)
    np.testing.assert_allclose(tails.from_t(z, [5, np.inf, 5, 5, 5])[[0, 2]], tails.from_t(z[[0, 2]], 5))


def test_an_outcome_without_values_or_of_one_person_has_no_test(study):
    before = run(study, correction="none")
    table = pl.read_parquet(study / "traits.parquet")
    one = pl.when(pl.int_range(pl.len()) == 3).then(pl.lit(True))
    table.with_columns(none=pl.lit(None, pl.Boolean), one=one).write_parquet(study / "traits.parquet")
    found = run(study, "more", correction="none")
    assert np.isnan(found.t[:, 3:]).all()
    np.testing.assert_allclose(found.t[:, :3], before.t, rtol=1e-6)
    assert found.traits["cases"].to_list()[3:] == [0, 1]


def test_tables_that_mix_outcomes_and_numbers_are_refused(study):
    table = pl.read_parquet(study / "traits.parquet")
    table.with_columns(mi=pl.col("mi").cast(pl.Float64)).write_parquet(study / "traits.parquet")
    with pytest.raises(UserError, match="a model of their own"):
        run(study)


def test_variants_too_rare_in_the_people_of_an_outcome_have_no_test(study):
    for n in (0, 100):
        run(study, f"floor{n}", min_mac=n)
    every, found = (pl.read_parquet(study / f"floor{n}.parquet") for n in (0, 100))
    told = dict(pl.read_parquet(study / "per-trait.parquet").select("trait", "group").rows())
    for trait in ("hf", "dead"):
        own = "" if told[trait] == "all" else f":{told[trait]}"
        af = pl.col(f"af{own}")
        mac = every.select(2 * pl.col(f"n{own}") * pl.min_horizontal(af, 1 - af)).to_series()
        few = mac < 100 - 1e-6
        assert 5 < few.sum() < 200
        for column in (f"t:{trait}", f"v:{trait}"):
            assert found.filter(few)[column].is_nan().fill_null(True).all()
            assert found.filter(~few)[column].equals(every.filter(~few)[column])
        assert (found.filter(few)[f"test:{trait}"] == torch_logistic.NONE).all()
    assert dict(found["reason"].value_counts().rows())["mac"] > 5
