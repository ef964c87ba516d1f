"""Parts of the representation benchmark: labels, draws, probes, scores, intervals, the oracle, the cohorts it makes."""

import numpy as np
import polars as pl
import pytest
import torch
from benchmarks import representation_data as recordings
from benchmarks import representation_oracle as oracle
from benchmarks import representation_probes as probes
from benchmarks import representation_report as report
from benchmarks import representation_supervised as supervised

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.encoder import statistics
from ecgwas.ingest.process import MISSING
from ecgwas.signals import data
from ecgwas.simulate.ecg import PARAMETERS


def test_every_diagnostic_statement_has_one_superclass() -> None:
    codes = [code for text in recordings.SUPERCLASSES.values() for code in text.split()]
    assert len(codes) == len(set(codes)) == len(recordings.SUPERCLASS) == 44  # PTB-XL's diagnostic statements


@pytest.mark.realdata
def test_labels_of_the_subset(realdata) -> None:
    labels = recordings.ptbxl_labels(realdata)
    assert labels.filter(pl.col("fold").is_in(recordings.TEST_FOLDS)).height == 345
    assert (labels["age"] == recordings.OLDEST).sum() == 16
    row = labels.filter(recording_id="730").row(0, named=True)  # SR;CLBBB;1AVB
    assert [row[name] for name in ("CD", "NORM", "MI", "SR", "AFIB", "female")] == [1, 0, 0, 1, 0, 1]


@pytest.mark.realdata
def test_pretraining_sees_no_test_recording(realdata, tmp_path) -> None:
    small = pl.read_parquet(recordings.small_sets(realdata, tmp_path) / recordings.RECORDINGS)["recording_id"]
    assert not any("-HR" in name for name in small)
    assert sum("E07" in name or "JS2" in name for name in small) == 25


def test_auroc_counts_pairs_and_weights_repeat_recordings() -> None:
    rng = np.random.default_rng(2)
    y, scores = (rng.random(60) < 0.4).astype(float), rng.integers(0, 12, 60) / 4  # with ties
    weight = rng.integers(0, 4, 60)
    rows = np.repeat(np.arange(60), weight)
    gaps = scores[rows][y[rows] == 1][:, None] - scores[rows][y[rows] == 0]
    expected = ((gaps > 0) + 0.5 * (gaps == 0)).mean()
    assert probes.auroc(scores, y, weight[None])[0] == pytest.approx(expected, abs=1e-12)
    target = rng.standard_normal(60)
    left = ((target[rows] - scores[rows]) ** 2).sum() / ((target[rows] - target[rows].mean()) ** 2).sum()
    assert probes.r2(scores, target, weight[None].astype(float))[0] == pytest.approx(1 - left, abs=1e-12)


def test_resamples_hold_every_class() -> None:
    y = np.zeros((40, 2))
    y[:3, 0], y[5:39, 1] = 1, 1
    weight = probes.resamples(y, 300, np.random.default_rng(3))
    assert (weight.sum(1) == 40).all()
    assert ((weight @ y > 0) & (weight @ y < 40)).all()
    assert not np.isnan(probes.score(np.random.default_rng(0).random((40, 2)), y, "auroc", weight)).any()


def test_interval_of_a_difference_is_paired() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random((200, 1)) < 0.5).astype(float)
    scores = y + 2 * rng.standard_normal((200, 1))
    weight = probes.resamples(y, 200, rng)
    one, same = (probes.bootstrapped([s], y, "auroc", weight)[0] for s in (scores, 3 * scores + 1))
    assert probes.interval(one - same) == (0.0, 0.0)
    low, high = probes.interval(one)
    standard_error = one[1:].std()
    assert low == pytest.approx(one[0] - 1.96 * standard_error, abs=0.02)
    assert high == pytest.approx(one[0] + 1.96 * standard_error, abs=0.02)


def test_ridge_probe_is_least_squares_with_added_rows() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((50, 4)), rng.standard_normal(50)
    design = np.vstack([np.column_stack([np.ones(50), x]), np.column_stack([np.zeros(4), np.eye(4) * 7.0**0.5])])
    expected = np.linalg.lstsq(design, np.r_[y, np.zeros(4)], rcond=None)[0]
    assert np.allclose(probes.ridge(x, y, 7.0), expected)


def test_probe_chooses_its_penalty_away_from_the_test() -> None:
    """What the test rows hold changes nothing but their own scores; missing embeddings are scored too."""
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal((300, 20)), np.zeros((300, 1))
    y[:, 0] = x[:, 0] + 0.5 * rng.standard_normal(300) > 0
    split = probes.Split(np.arange(150), np.arange(150, 200), np.arange(200, 300))
    first = probes.probe(x, y, split, "auroc")
    changed, labels = x.copy(), y.copy()
    changed[200:], labels[200:] = np.nan, 1 - labels[200:]
    second = probes.probe(changed, labels, split, "auroc")
    assert np.allclose(first[:200], second[:200])
    assert np.isfinite(second).all()
    assert probes.score(first[200:], y[200:], "auroc")[0] > 0.9


def test_few_labels_are_not_lost_in_noisy_components() -> None:
    """One strong column that tells, many weak ones that do not: their own scale finds it, unit variance does not."""
    rng = np.random.default_rng(12)
    x = rng.standard_normal((400, 60)) * np.r_[20.0, np.ones(59)]
    y = (x[:, :1] > 0).astype(float)
    split = probes.Split(np.arange(15), np.arange(100, 200), np.arange(200, 400))
    assert probes.score(probes.probe(x, y, split, "auroc")[200:], y[200:], "auroc")[0] > 0.95


def test_crossed_r2_tells_signal_from_noise() -> None:
    rng = np.random.default_rng(9)
    x, noise = rng.standard_normal((400, 30)), rng.standard_normal(400)
    signal = x @ rng.standard_normal(30)
    y = signal / signal.std() * 2 + noise  # four fifths of the variance
    assert probes.crossed_r2(x, y) == pytest.approx(0.8, abs=0.05)
    assert -0.05 < probes.crossed_r2(x, noise) < 0.05
    axes = probes.leading_axes(x, 5)
    assert np.allclose(axes.T @ axes / 400, np.eye(5))


def test_oracle_finds_the_times_and_heights_it_was_made_of() -> None:
    at_s = np.arange(-80, 140) / 250
    times = np.array([150.0, 95.0, 390.0, 4.0])
    heights = np.random.default_rng(10).standard_normal((5, 8))
    beat = (oracle.waves(times, at_s, 0.9)[:5].T @ heights).T
    start = np.array([PARAMETERS[name].mean for name in oracle.TIMES])
    found, size = oracle.fitted(beat, at_s, 0.9, start)
    assert np.allclose(found, times, atol=0.05)
    assert np.allclose(size, heights, atol=1e-3)


def test_oracle_measures_simulated_recordings(tmp_path) -> None:
    cohort = recordings.simulated(60, tmp_path)
    table, _, beat = recordings.read_cohort(cohort)
    table = table.join(pl.read_parquet(cohort / "truth.parquet"), on="recording_id", how="left", maintain_order="left")
    found = oracle.measured(beat, table["rr_ms"].to_numpy(), table.select(oracle.TIMES).to_numpy(), recordings.INGEST)
    for k, name in enumerate(("heart_rate_bpm", *oracle.FITTED)):
        assert np.corrcoef(found[:, k], table[name])[0, 1] > 0.98


def test_selected_leads_are_all_that_is_left(tmp_path) -> None:
    cohort = recordings.simulated(12, tmp_path)
    names = pl.read_parquet(cohort / recordings.RECORDINGS)["recording_id"][2:5].to_list()
    few = recordings.selected(cohort, tmp_path / "few", names, leads=("I", "V2"))
    (table, strip, beat), (_, all_strips, all_beats) = recordings.read_cohort(few), recordings.read_cohort(cohort)
    assert table["recording_id"].to_list() == names
    assert table["n_leads"].to_list() == [2] * 3
    for some, whole in ((strip, all_strips), (beat, all_beats)):
        assert (some[:, [0, 7]] == whole[2:5, [0, 7]]).all()
        assert (np.delete(some, [0, 7], axis=1) == MISSING).all()


def test_goals_are_those_of_the_baselines() -> None:
    line = {
        "model_minus_pca_sex_auroc_10": [0.02, 0.001, 0.04],
        "model_minus_random_sex_auroc_10": [0.02, -0.001, 0.04],
        "model_minus_supervised_sex_auroc_100": [-0.009, -0.05, 0.01],
        "model_minus_pca_age_r2_100": [-0.02, -0.05, 0.01],
        "model_minus_supervised_encoder_sex_auroc_10": [0.1, 0.1, 0.1],
        "model_minus_pca_sex_auroc_1": [0.1, 0.1, 0.1],
        "model_sex_auroc_10": 0.8,
    }
    assert report.goals(line) == {
        "sex_auroc_10": {"pca": True, "random": False},
        "sex_auroc_100": {"supervised": True},
        "age_r2_100": {"pca": False},
    }


def untrained(cohort, path) -> None:
    """What is read of a checkpoint: a small recipe, and statistics of the cohort."""
    found = statistics.statistics(data.open_signals(**recordings.files_of([cohort])), 1)
    settings = config.Transformer(width=16, depth=1, heads=2, embedding=8, head_rank=8)
    tensors = {name: torch.from_numpy(x) for name, x in found.items()}
    values = {"settings": settings.model_dump(), "ingest": recordings.INGEST.model_dump(), "statistics": tensors}
    files.save(values, path)


@pytest.mark.parametrize("kind", ["encoder", "xresnet1d"])
def test_networks_of_both_kinds_are_trained(kind: str, tmp_path) -> None:
    """Scores are where they are asked for, the same when run again, and chosen among by other rows' labels."""
    cohort = recordings.simulated(40, tmp_path)
    untrained(cohort, tmp_path / "checkpoint.pt")
    y = np.random.default_rng(11).random((40, 3))
    train, scored = np.arange(20), np.arange(20, 40)
    job = supervised.job(kind, cohort, tmp_path / "checkpoint.pt", y, train, scored, 0, 6, tmp_path)
    first = np.load(supervised.run(job))
    again = np.load(supervised.run(job._replace(path=tmp_path / "again.npy")))
    assert first.shape == (supervised.SNAPSHOTS, 40, 3)
    assert np.isnan(first[:, :20]).all()
    assert np.isfinite(first[:, 20:]).all()
    assert not np.allclose(first[0, 20:], first[-1, 20:])
    assert np.allclose(first[:, 20:], again[:, 20:])
    best = probes.best([first], (y > 0.5).astype(float), np.arange(20, 30), "auroc")
    assert any((best[20:] == snapshot[20:]).all() for snapshot in first)


def test_missing_leads_do_not_reach_the_encoder(tmp_path) -> None:
    """Counts of a hidden lead, and of sums of others, change nothing: absent tokens, no zeros."""
    cohort = recordings.simulated(6, tmp_path)
    untrained(cohort, tmp_path / "checkpoint.pt")
    batch = supervised.whole_cohort(cohort)
    batch.strip[:2, 8], batch.beat[:2, 8] = MISSING, MISSING
    network = supervised.EncoderNetwork(files.load(tmp_path / "checkpoint.pt"), 4).eval()
    first = network(batch)
    batch.strip[:, 2], batch.beat[:, 2] = 0, 0
    assert torch.isfinite(first).all()
    assert torch.allclose(first, network(batch))
