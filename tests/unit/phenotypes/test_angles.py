"""Axes in degrees: where the circle is cut changes no trait, no mean, no repeatability."""

import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.config import Phenotypes
from ecgwas.interpret.loci import allele_effects
from ecgwas.phenotypes import traits
from ecgwas.predict.inputs import CohortFiles
from ecgwas.predict.methods import classical
from ecgwas.stats import circular
from ecgwas.stats.repeated_measures import person_means

N = 150


def test_means_of_angles():
    assert circular.mean(np.array([179.0, -177.0])) == pytest.approx(-179)
    assert circular.mean(np.array([-170.0, 170.0, np.nan])) == pytest.approx(-180)
    assert np.isnan(circular.mean(np.array([0.0, 180.0])))  # opposite directions have no mean
    assert np.isnan(circular.mean(np.array([np.nan])))
    group = np.array([0, 0, 1, 1, 2, 4, 4])
    means = circular.group_means(np.array([179.0, -177.0, 10, 30, np.nan, 45, 225]), group, 5)
    np.testing.assert_allclose(means[:2], [-179, 20], atol=1e-9)
    assert np.isnan(means[2:]).all()


def test_a_person_s_mean_is_circular_for_axes_alone():
    person, values = np.array(["a", "a", "b"]), np.array([[179.0, 400.0], [-177.0, 410.0], [5.0, np.nan]])
    _, means = person_means(person, values, tables.circular(["qrs_axis_deg", "qt_ms"]))
    np.testing.assert_allclose(means, [[-179, 405], [5, np.nan]])


def test_which_columns_are_axes():
    axes = {name for name in tables.INTERVALS.columns if tables.circular([name])}
    ours = {f"{wave}_axis_deg" for wave in ("p", "qrs", "t")}
    assert axes == ours | {f"machine_{name}" for name in ours}  # not the angles between QRS and T, 0 to 180
    assert tables.circular(["axis01", "e0001", "axis_deg", "my_axis_degrees"]) == [2, 3]


@pytest.fixture
def cohort(tmp_path):
    """150 people, 60 of them recorded twice, with an axis around 150 degrees that depends on age."""
    rng = np.random.default_rng(5)
    ids = [f"p{i:03d}" for i in range(N)]
    age = rng.normal(60, 8, N)
    pl.DataFrame({"person_id": ids, "age": age}).write_csv(tmp_path / "people.csv")
    table = pl.DataFrame({"sample_id": ids, "person_id": ids, "index": np.arange(N, dtype=np.int32)})
    table.with_columns(keep=True, unrelated=True, copy_of=pl.lit(None, pl.String)).write_parquet(
        tmp_path / "samples.parquet"
    )
    pl.DataFrame({"sample_id": ids, "pc1": rng.normal(size=N)}).write_parquet(tmp_path / "pcs.parquet")
    twice = np.r_[np.arange(N), np.arange(60)]
    axis = (150 + 1.5 * (age - 60) + rng.normal(0, 20, N))[twice] + rng.normal(0, 6, len(twice))
    rows = pl.DataFrame({"recording_id": [f"r{i}" for i in range(len(twice))], "person_id": [ids[i] for i in twice]})
    rows.with_columns(axis=pl.Series(axis), qt_ms=pl.Series(rng.normal(400, 20, len(twice)))).write_parquet(
        tmp_path / "truth.parquet"
    )
    return tmp_path


def run(folder, rotation, ranks=True):
    """Tables and transform of the step, the axis rotated."""
    table = pl.read_parquet(folder / "truth.parquet")
    axis = circular.wrap(table["axis"].to_numpy() + rotation)
    table.drop("axis").with_columns(qrs_axis_deg=pl.Series(axis)).write_parquet(folder / "values.parquet")
    names = ("traits", "covariates", "reliability", "excluded")
    out = [folder / f"{name}-{rotation}.parquet" for name in names]
    inputs = [folder / name for name in ("people.csv", "samples.parquet", "pcs.parquet")]
    settings = Phenotypes(covariates=["age"], pcs=1, rank_normalise=ranks)
    traits.main(folder / "values.parquet", False, *inputs, settings, *out, folder / "transform.npz")
    cut = np.load(folder / "transform.npz")["cut_deg"]
    return {n: pl.read_parquet(p) for n, p in zip(names, out, strict=True)} | {"cut_deg": cut}


@pytest.mark.parametrize("ranks", [True, False])
@pytest.mark.parametrize("rotation", [30, 90, -150, 179.5])
def test_a_rotation_moves_the_cut_alone(cohort, rotation, ranks):
    first, turned = run(cohort, 0, ranks), run(cohort, rotation, ranks)
    for name in ("qrs_axis_deg", "qt_ms"):
        np.testing.assert_allclose(turned["traits"][name].to_numpy(), first["traits"][name].to_numpy(), atol=1e-8)
    icc = [made["reliability"]["icc"].to_numpy() for made in (first, turned)]
    np.testing.assert_allclose(icc[0], icc[1], atol=1e-9)
    where = list(first["traits"].columns[2:]).index("qrs_axis_deg")
    np.testing.assert_allclose(
        circular.wrap(turned["cut_deg"][where] - first["cut_deg"][where] - rotation), 0, atol=1e-8
    )
    assert np.isnan(np.delete(first["cut_deg"], where)).all()


def test_the_trait_is_that_of_the_unwrapped_axis(cohort):
    """Nobody is more than 180 degrees from the mean, so that the true angles have the same residuals."""
    made = run(cohort, 0, ranks=False)
    truth = pl.read_parquet(cohort / "truth.parquet").group_by("person_id").agg(pl.col("axis").mean()).sort("person_id")
    x = np.column_stack([np.ones(N), made["covariates"].drop("person_id", "sample_id").to_numpy()])
    y = truth["axis"].to_numpy()
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(made["traits"]["qrs_axis_deg"].to_numpy(), residual, atol=1e-6)
    assert made["reliability"].filter(trait="qrs_axis_deg")["icc"][0] > 0.8


def test_other_stages_average_axes_the_same_way(tmp_path):
    """The effect of an allele on an axis does not depend on where the circle is cut."""
    people = ["a", "b", "c"]
    axis = np.array([179.0, -177.0, 150.0, -160.0])
    for rotation in (0, 60):
        table = pl.DataFrame({"person_id": ["a", "a", "b", "c"], "qrs_axis_deg": circular.wrap(axis + rotation)})
        table.write_parquet(tmp_path / "intervals.parquet")
        names, values = allele_effects.measurements(tmp_path / "intervals.parquet", people)
        assert names == ["qrs_axis_deg"]
        np.testing.assert_allclose(values[:, 0] - values[0, 0], [0, -31, 19], atol=1e-9)


def test_features_of_a_classifier_are_cosine_and_sine(tmp_path):
    pl.DataFrame({"recording_id": ["r", "s"], "qrs_axis_deg": [179.0, -179.0], "qt_ms": [400.0, 410.0]}).write_parquet(
        tmp_path / "intervals.parquet"
    )
    ids = pl.DataFrame({"recording_id": ["r", "s"], "person_id": ["a", "b"]})
    x = classical.features(
        "intervals", CohortFiles(tmp_path / "recordings.parquet", intervals=tmp_path / "intervals.parquet"), ids
    )
    assert x.columns == ["qrs_axis_cos", "qrs_axis_sin", "qt_ms"]
    near = x.select("qrs_axis_cos", "qrs_axis_sin").to_numpy()
    assert np.linalg.norm(near[0] - near[1]) == pytest.approx(2 * np.sin(np.radians(1)))
