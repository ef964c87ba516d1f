"""The change of the beat per allele: closed form, statsmodels, coverage of the band, planted recordings, files."""

import json

import numpy as np
import polars as pl
import pytest

from ecgwas import config
from ecgwas.config import LEADS, Ingest
from ecgwas.embed.embedder import as_recording
from ecgwas.errors import UserError
from ecgwas.ingest.process import process
from ecgwas.interpret.loci import allele_effects, regression
from ecgwas.report.figures.allele_effects import beat_change
from ecgwas.signals import people_beats
from ecgwas.simulate import ecg
from ecgwas.stats import circular


def who(g, c, names=None):
    """Analysed people of arrays."""
    count = g.shape[1]
    loci = pl.DataFrame({"locus": [f"1:{k}" for k in range(count)], "effect_allele": "C", "other_allele": "A"})
    return allele_effects.Analysed(names or [f"p{i}" for i in range(len(g))], c, g, loci)


def test_closed_form_and_missing_calls():
    rng = np.random.default_rng(1)
    g = rng.binomial(2, [0.3, 0.05, 0.5], (200, 3)).astype(float)
    c = rng.normal(size=(200, 2))
    delta = rng.normal(size=7)
    beats = 1.0 + g[:, :1] * delta + c @ rng.normal(size=(2, 7))
    columns, _ = allele_effects.of_lead(who(g, c), np.where(np.arange(200)[:, None] == 3, np.nan, beats), seed=1)
    np.testing.assert_allclose(columns[0]["beta_mv"], delta, atol=1e-10)
    assert columns[0]["se_mv"].max() < 1e-10
    assert columns[0]["n"][0] == 199


def test_effects_and_errors_are_those_of_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    n = 150
    g = rng.binomial(2, [0.02, 0.4], (n, 2)).astype(float)
    c = rng.normal(size=(n, 3)) + g[:, 1:]
    y = g @ [[0.5, 0], [0, -0.3]] + c @ rng.normal(size=(3, 2)) + rng.normal(size=(n, 2)) * (1 + g[:, 1:])
    found = allele_effects.trait_changes(who(g, c), ["a", "b"], y)
    for v in range(2):
        for k, name in enumerate("ab"):
            fit = sm.OLS(y[:, k], np.column_stack([g[:, v], np.ones(n), c])).fit(cov_type="HC3", use_t=True)
            row = found.filter(locus=f"1:{v}", trait=name).row(0, named=True)
            np.testing.assert_allclose(row["beta"], fit.params[0], rtol=1e-9)
            np.testing.assert_allclose(row["se"], fit.bse[0], rtol=1e-9)
            np.testing.assert_allclose(row["neg_log10_p"], -np.log10(fit.pvalues[0]), rtol=1e-6)
            np.testing.assert_allclose([row["low"], row["high"]], fit.conf_int()[0], rtol=1e-8)


def test_the_band_holds_the_whole_truth_in_95_of_100():
    rng = np.random.default_rng(3)
    inside, narrow, repeats = 0, 0, 200
    smooth = np.exp(-0.5 * ((np.arange(60)[:, None] - np.arange(60)) / 4.0) ** 2)
    for k in range(repeats):
        g, c = rng.binomial(2, 0.3, (200, 1)).astype(float), rng.normal(size=(200, 1))
        y = rng.normal(size=(200, 60)) @ smooth * (1 + 0.5 * g)  # no effect, unequal variance
        x = regression.design(g, c)
        found = regression.fit(x, regression.project_out(x.q, y), 0)
        t = np.abs(found.beta / found.se).max()
        inside += t <= regression.critical(regression.largest(found, 400, seed=k))
        narrow += t <= 1.96
    assert 0.91 <= inside / repeats <= 0.985
    assert narrow / repeats < 0.8  # pointwise intervals do not


def test_leads_share_the_multipliers_whoever_lacks_one():
    rng = np.random.default_rng(4)
    g, c, y = rng.binomial(2, 0.3, (90, 1)).astype(float), rng.normal(size=(90, 1)), rng.normal(size=(90, 5))
    _, both = allele_effects.of_lead(who(g, c), y, seed=9)
    _, again = allele_effects.of_lead(who(g, c), 3 * y, seed=9)
    np.testing.assert_allclose(both, again, rtol=1e-5)


def test_angles_do_not_break_at_180():
    np.testing.assert_allclose(np.ptp(circular.around(np.array([179.0, -179.0, 178.0, np.nan]))[:3]), 3.0)


@pytest.fixture
def study(tmp_path, ecg_cohort):
    """A cohort of 120 with one planted variant on T amplitude, all files of earlier stages."""
    from tests.unit.gwas.test_scan import write_bed

    rng = np.random.default_rng(5)
    n = 120
    cohort = ecg_cohort(n=n, twice=False)
    folder = cohort.recordings.parent
    calls = rng.binomial(2, [[0.4], [0.3]], (2, n))
    first = [0]
    for path in cohort.beats:  # a bump of 0.1 mV per allele, 300 ms after the R peak, in all leads
        beat = np.load(path)
        rows = np.arange(first[0], first[0] + len(beat))
        bump = 100 * np.exp(-0.5 * ((people_beats.times_ms(Ingest(), beat.shape[2]) - 300) / 30) ** 2)
        here = beat != -32768
        beat = np.where(here, beat + (calls[0, rows][:, None, None] * bump).round(), beat).astype(np.int16)
        np.save(path, beat)
        first[0] += len(beat)
    write_bed(tmp_path / "g.bed", calls)
    ids = [f"s{i}" for i in range(n)]
    people = [f"p{i:04d}" for i in range(n)]
    source = {"path": str(tmp_path / "g.bed"), "format": "plink", "n_variants": 2, "n_samples": n}
    (tmp_path / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    pl.DataFrame({"contig": ["1", "2"], "position": [100, 200], "ref": "A", "alt": "C", "rsid": ["a", "b"],
                  "source": 0, "source_index": [0, 1]}).write_parquet(tmp_path / "variants.parquet")  # fmt: skip
    unrelated = np.arange(n) > 4
    table = pl.DataFrame({"sample_id": ids, "person_id": people, "index": range(n), "unrelated": unrelated})
    table.write_parquet(tmp_path / "samples.parquet")
    names = table.select("person_id", "sample_id")[::-1]
    names.with_columns(axis01=pl.Series(rng.normal(size=n))).write_parquet(tmp_path / "traits.parquet")
    names.with_columns(age=pl.Series(rng.normal(size=n))).write_parquet(tmp_path / "covariates.parquet")
    t = cohort.parameters["t_mv"].to_numpy() + 0.1 * calls[0]
    pl.DataFrame({"recording_id": [f"r{i:04d}" for i in range(n)], "person_id": people, "t_frontal_mv": t,
                  "pr_ms": 1000 * cohort.parameters["pr"]}).write_parquet(folder / "intervals.parquet")  # fmt: skip
    pl.DataFrame({"locus": ["2:200", "1:100"], "contig": ["2", "1"], "lead_position": [200, 100], "lead_ref": "A",
                  "lead_alt": "C", "neg_log10_p": [8.0, 20.0]}).write_parquet(tmp_path / "loci.parquet")  # fmt: skip
    return tmp_path, cohort


def run(study, loci="loci.parquet", **settings):
    folder, cohort = study
    named = [folder / f"{name}.parquet" for name in ("variants", "samples", "traits", "covariates")]
    allele_effects.main(folder / loci, cohort.recordings, cohort.beats, cohort.recordings.parent / "intervals.parquet",
                 folder / "manifest.json", *named, config.Interpret(**settings), Ingest(), folder / "beats.parquet",
                 folder / "changes.parquet", seed=1)  # fmt: skip
    return pl.read_parquet(folder / "beats.parquet"), pl.read_parquet(folder / "changes.parquet")


def test_the_planted_bump_is_found_where_it_was_planted(study):
    beats, changes = run(study)
    assert changes.row(0, named=True)["trait"] == "t_frontal_mv"
    assert changes["locus"][0] == "1:100"
    mine = beats.filter(locus="1:100")
    assert mine.height == 12 * 220
    assert mine["n"].max() == 115
    assert mine.filter(lead="V2")["n"][0] < 115
    truth = 0.1 * np.exp(-0.5 * ((mine["time_ms"].to_numpy() - 300) / 30) ** 2)
    inside = (mine["low"].to_numpy() <= truth) & (truth <= mine["high"].to_numpy())
    assert inside.mean() > 0.97  # of one draw; the coverage is tested above
    shown = mine.filter((pl.col("low") > 0) | (pl.col("high") < 0))
    assert shown.height
    assert shown["time_ms"].is_between(150, 450).mean() > 0.9
    assert beats.equals(run(study)[0])  # the same seed
    drawn = beat_change(beats, "1:100")
    assert drawn.startswith("<svg")
    assert all(f">{lead}<" in drawn for lead in LEADS)
    assert drawn.count('"band"') == 12
    assert beat_change(beats, "9:9") == ""


def test_a_longer_pr_moves_the_p_wave_of_simulated_recordings_forward():
    rng = np.random.default_rng(6)
    n, rate = 45, 500
    g = np.repeat([0.0, 1.0, 2.0], n // 3)[:, None]
    typical = {name: np.full(n, p.mean) for name, p in ecg.PARAMETERS.items()}
    varied = typical | {"r_amplitude_mv": rng.normal(1.0, 0.1, n), "pr_ms": 150 + 12 * g[:, 0]}
    signals = ecg.simulate_recordings(varied, np.full(n, "sinus"), rng, rate_hz=rate)
    made = [process(as_recording(x / 1000, rate, LEADS, "mV"), Ingest()) for x in signals]
    beats = np.stack([one.beat[LEADS.index("II")] for one in made]) / 1000
    columns, maxima = allele_effects.of_lead(who(g, np.zeros((n, 0))), beats, seed=1)
    time, row = people_beats.times_ms(Ingest(), beats.shape[1]), columns[0]
    atrial = (time > -250) & (time < -60)
    slope = np.gradient(row["mean_mv"], time)
    shift = (row["beta_mv"][atrial] @ slope[atrial]) / (slope[atrial] @ slope[atrial])  # ms earlier an allele
    assert 8 < shift < 14
    shown = np.abs(row["beta_mv"]) > regression.critical(maxima[0]) * row["se_mv"]
    assert shown[atrial].sum() > 15
    assert shown[(time > -30) & (time < 30)].sum() < 5
    pr = np.array([one.intervals["pr_ms"] for one in made], float)[:, None]
    told = allele_effects.trait_changes(who(g, np.zeros((n, 0))), ["pr_ms"], pr).row(0, named=True)
    assert told["low"] - 1 < 12 < told["high"] + 1


def test_strongest_first_none_and_lost(study):
    assert run_count(study, 1) == ["1:100"]
    assert run_count(study, 0) == []
    folder, _ = study
    lost = pl.read_parquet(folder / "loci.parquet").with_columns(lead_alt=pl.lit("G"))
    lost.write_parquet(folder / "lost.parquet")
    with pytest.raises(UserError, match="2:200"):
        run(study, "lost.parquet")


def run_count(study, count):
    """Loci told with settings.loci = count."""
    folder, _cohort = study
    named = [folder / f"{name}.parquet" for name in ("variants", "samples", "traits", "covariates")]
    found = allele_effects.analysed(folder / "loci.parquet", folder / "manifest.json", *named, count)
    return found.loci["locus"].to_list()
