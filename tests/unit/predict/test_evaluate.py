"""The command on .npy files: scikit-learn's macro AUROC to all digits, the published bootstrap, clear refusals."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ecgwas.errors import UserError
from ecgwas.predict.evaluate import evaluate


def drawn(seed=0, n=400, k=5):
    rng = np.random.default_rng(seed)
    y = (rng.random((n, k)) < [0.4, 0.25, 0.2, 0.1, 0.05][:k]).astype(int)
    return y, rng.normal(size=(n, k)) + y


def saved(folder, y, s):
    np.save(folder / "labels.npy", y)
    np.save(folder / "scores.npy", s)
    return folder / "labels.npy", folder / "scores.npy"


def printed(capsys, *arguments, **options):
    evaluate.main(*arguments, **options)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("kind", [np.int64, bool, np.float32, np.uint8])
def test_the_last_line_has_scikit_learns_macro_auroc_to_all_digits(tmp_path, capsys, kind):
    y, s = drawn()
    made = printed(capsys, *saved(tmp_path, y.astype(kind), s.astype(np.float32)), resamples=0)
    assert made["macro_auroc"] == roc_auc_score(y, s.astype(np.float32), average="macro")
    assert made["auroc"] == roc_auc_score(y, s.astype(np.float32), average=None).tolist()


def test_the_command_runs(tmp_path):
    labels, scores = saved(tmp_path, *drawn())
    command = [sys.executable, "-m", "ecgwas.predict.evaluate.evaluate", "--labels", labels, "--scores", scores]
    done = subprocess.run([*command, "--resamples", "50"], capture_output=True, text=True, check=True)
    made = json.loads(done.stdout.splitlines()[-1])
    assert repr(made["macro_auroc"]) in done.stdout
    assert made["macro_auroc_95"][0] < made["macro_auroc"] < made["macro_auroc_95"][1]
    np.save(labels, np.full((400, 5), 2))
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "labels are 0 or 1" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_intervals_are_those_of_the_published_bootstrap(tmp_path, capsys):
    """Recordings drawn again, resamples where a class has no positive thrown away: utils.py of the benchmark."""
    y, s = drawn(1, 150)
    rng = np.random.default_rng(5)
    values = []
    while len(values) < 400:
        rows = rng.integers(0, len(y), len(y))
        if y[rows].sum(0).min() > 0:
            values.append(roc_auc_score(y[rows], s[rows], average="macro"))
    made = printed(capsys, *saved(tmp_path, y, s), resamples=2000)
    width = np.ptp(np.quantile(values, [0.05, 0.95]))
    assert made["macro_auroc_90"] == pytest.approx(np.quantile(values, [0.05, 0.95]), abs=0.15 * width)


def test_classes_of_one_value_are_left_out_and_said(tmp_path, capsys):
    y, s = drawn()
    y[:, 3] = 0
    made = printed(capsys, *saved(tmp_path, y, s), resamples=20)
    kept = [0, 1, 2, 4]
    assert made["not_estimable"] == [3]
    assert made["auroc"][3] is None
    assert made["macro_auroc"] == roc_auc_score(y[:, kept], s[:, kept], average="macro")
    assert made["resamples"] == 20
    y[:] = 0
    assert printed(capsys, *saved(tmp_path, y, s))["macro_auroc"] is None


def test_recordings_without_a_class_are_kept_unless_they_are_to_go(tmp_path, capsys):
    y, s = drawn()
    files = saved(tmp_path, y, s)
    some = y.any(1)
    kept, left = (printed(capsys, *files, unlabelled=how, resamples=0) for how in ("keep", "remove"))
    assert kept["unlabelled"] == (~some).sum() > 0
    assert left["n"] == some.sum()
    assert left["macro_auroc"] == roc_auc_score(y[some], s[some], average="macro") != kept["macro_auroc"]


def test_one_class_may_be_a_row_of_numbers(tmp_path, capsys):
    y, s = drawn(k=1)
    made = printed(capsys, *saved(tmp_path, y[:, 0], s[:, 0]), resamples=0)
    assert made["macro_auroc"] == roc_auc_score(y[:, 0], s[:, 0])


def test_people_are_drawn_whole(tmp_path, capsys):
    y, s = drawn()
    four = saved(tmp_path, np.tile(y, (4, 1)), np.tile(s, (4, 1)))
    np.save(tmp_path / "people.npy", np.tile(np.array([f"p{k}" for k in range(400)]), 4))
    alone, together = (
        printed(capsys, *four, groups=groups, resamples=300) for groups in (None, tmp_path / "people.npy")
    )
    assert together["people"] == 400
    assert np.ptp(together["macro_auroc_95"]) > 1.6 * np.ptp(alone["macro_auroc_95"])
    assert together["macro_auroc"] == alone["macro_auroc"]


def changed(array, value):
    array = array.astype(float)
    array[3, 1] = value
    return array


@pytest.mark.parametrize(
    ("labels", "scores", "words"),
    [
        (lambda y: y, lambda s: changed(s, np.nan), ["scores.npy", "nan", "recording 3", "class 1", "exclude it"]),
        (lambda y: y, lambda s: changed(s, np.inf), ["scores.npy", "inf"]),
        (lambda y: changed(y, np.nan), lambda s: s, ["labels.npy", "nan", "unknown label"]),
        (lambda y: changed(y, 0.5), lambda s: s, ["labels.npy", "0.5", "recording 3", "0 or 1"]),
        (lambda y: y[:-1], lambda s: s, ["(399, 5)", "(400, 5)", "a score for each label"]),
        (lambda y: y[..., None], lambda s: s[..., None], ["(400, 5, 1)", "[recording, class]"]),
        (lambda y: y[:0], lambda s: s[:0], ["(0, 5)"]),
        (lambda y: y.astype(str), lambda s: s, ["labels.npy", "not numbers"]),
    ],
)
def test_what_cannot_be_judged_is_refused_with_file_value_and_remedy(tmp_path, labels, scores, words):
    y, s = drawn()
    files = saved(tmp_path, labels(y), scores(s))
    with pytest.raises(UserError) as refused:
        evaluate.main(*files)
    assert all(word in str(refused.value) for word in words)


def test_files_that_are_not_arrays_are_refused(tmp_path):
    labels, scores = saved(tmp_path, *drawn())
    with pytest.raises(UserError, match=r"none\.npy: no such file"):
        evaluate.main(labels, tmp_path / "none.npy")
    scores.write_text("0.5,0.1")
    with pytest.raises(UserError, match=r"scores\.npy: cannot be read"):
        evaluate.main(labels, scores)
    np.save(scores, np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match=r"scores\.npy: cannot be read"):
        evaluate.main(labels, scores)
    scores.write_bytes(b"")
    with pytest.raises(UserError, match=r"scores\.npy: cannot be read"):
        evaluate.main(labels, scores)
    np.save(tmp_path / "people.npy", np.arange(7))
    labels, scores = saved(tmp_path, *drawn())
    with pytest.raises(UserError, match=r"people\.npy: shape \(7,\)"):
        evaluate.main(labels, scores, groups=tmp_path / "people.npy")


def test_whole_numbers_finer_than_floats_keep_their_order(tmp_path, capsys):
    y, _ = drawn()
    s = 2**60 + np.random.default_rng(1).integers(0, 50, y.shape)
    made = printed(capsys, *saved(tmp_path, y, s), resamples=0)
    assert made["macro_auroc"] == roc_auc_score(y, s - 2**60, average="macro")


def test_resamples_are_a_number_of_them(tmp_path):
    with pytest.raises(UserError, match="--resamples -3: give 0"):
        evaluate.main(*saved(tmp_path, *drawn()), resamples=-3)


def test_an_interval_that_cannot_be_drawn_says_why(tmp_path, capsys):
    y, s = np.zeros(400, int), np.linspace(0, 1, 400)
    y[7] = 1
    y = np.column_stack([y, *(np.roll(y, k) for k in range(1, 16))])  # sixteen classes of one positive each
    evaluate.main(*saved(tmp_path, y, np.column_stack([s] * 16)), resamples=100)
    text = capsys.readouterr().out
    assert "no interval: " in text
    assert "too few cases" in text
    assert "95 % interval" not in text


def test_what_was_drawn_again_is_said(tmp_path, capsys):
    labels, scores = saved(tmp_path, *drawn())
    np.save(tmp_path / "people.npy", np.arange(400) // 2)
    for groups, words in ((None, "20 resamples of recordings"), (tmp_path / "people.npy", "20 resamples of people")):
        evaluate.main(labels, scores, groups=groups, resamples=20)
        assert words in capsys.readouterr().out


def test_the_command_ends_quietly_where_its_reader_does(tmp_path):
    labels, scores = saved(tmp_path, *drawn())
    command = f"{sys.executable} -m ecgwas.predict.evaluate.evaluate --labels {labels} --scores {scores} --resamples 0"
    done = subprocess.run(["bash", "-c", f"{command} | head -0"], capture_output=True, text=True, check=False)
    assert done.stderr == ""
