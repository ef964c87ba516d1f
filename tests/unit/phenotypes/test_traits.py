"""Who is analysed, and what their traits and covariates are."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from ecgwas import people, tables
from ecgwas.config import SCANNED_INTERVALS, Phenotypes
from ecgwas.errors import UserError
from ecgwas.phenotypes import analysed_people, normalise, traits
from ecgwas.stats.repeated_measures import icc, person_means


@pytest.fixture
def cohort(tmp_path):
    """Files of 200 people: embeddings with second recordings, intervals, people, samples, PCs."""
    rng = np.random.default_rng(1)
    n, d = 200, 6
    ids = [f"p{i:03d}" for i in range(n)]
    age = rng.normal(60, 8, n)
    latent = rng.normal(size=(n, d)) * np.arange(1, d + 1) + 0.2 * age[:, None]
    twice = np.r_[np.arange(n), np.arange(40)]
    values = latent[twice] + 0.3 * rng.normal(size=(len(twice), d))
    rows = pl.DataFrame({"recording_id": [f"r{i}" for i in range(len(twice))], "person_id": [ids[i] for i in twice]})
    rows.hstack(pl.DataFrame(values.astype(np.float32), schema=[f"e{k:04d}" for k in range(d)])).write_parquet(
        tmp_path / "embeddings.parquet"
    )
    pr = [None if i % 10 == 0 else float(v) for i, v in enumerate(values[:, 0])]
    rows.with_columns(qt=values[:, 1], pr=pl.Series(pr), flat=pl.lit(5.0)).write_parquet(tmp_path / "intervals.parquet")
    people = {
        "person_id": ids,
        "sex": np.where(rng.random(n) < 0.5, "female", "male"),
        "age": age,
        "bmi": [None, *rng.normal(25, 3, n - 1)],
    }
    pl.DataFrame(people).write_csv(tmp_path / "people.csv")
    samples = {"sample_id": [f"s{i}" for i in range(n)], "person_id": ids, "index": np.arange(n, dtype=np.int32)[::-1]}
    flags = {"keep": [i != 1 for i in range(n)], "unrelated": [i not in (1, 2, 3) for i in range(n)]}
    flags["copy_of"] = pl.Series(["s4" if i == 3 else None for i in range(n)], dtype=pl.String)
    pl.DataFrame(samples | flags).write_parquet(tmp_path / "samples.parquet")
    pcs = pl.DataFrame(rng.normal(size=(n, 3)), schema=["pc1", "pc2", "pc3"])
    pl.DataFrame({"sample_id": samples["sample_id"]}).hstack(pcs).write_parquet(tmp_path / "pcs.parquet")
    return tmp_path


def run(folder, values="embeddings", whiten=True, out="out", **settings):
    """Tables of main by name."""
    inputs = [folder / f"{name}" for name in ("people.csv", "samples.parquet", "pcs.parquet")]
    names = ("traits", "covariates", "reliability", "excluded")
    outputs = [folder / out / f"{name}.parquet" for name in names]
    settings = Phenotypes(**({"axes": 4, "pcs": 3} | settings))
    traits.main(folder / f"{values}.parquet", whiten, *inputs, settings, *outputs, folder / out / "transform.npz")
    return {name: pl.read_parquet(path) for name, path in zip(names, outputs, strict=True)}


def matrix(table):
    return table.drop("person_id", "sample_id").to_numpy()


def test_axes_are_uncorrelated_and_free_of_covariates(cohort):
    made = run(cohort, rank_normalise=False)
    y, c = matrix(made["traits"]), matrix(made["covariates"])
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(4), atol=1e-8)
    np.testing.assert_allclose(c.T @ y / len(y), 0, atol=1e-8)
    assert made["covariates"].columns[2:] == ["age", "age^2", "sex", "age:sex", "bmi", "pc1", "pc2", "pc3"]
    np.testing.assert_allclose(c.std(axis=0), 1)


def test_rank_normalised_axes_are_blom_scores(cohort):
    y = matrix(run(cohort)["traits"])
    expected = stats.norm.ppf((np.arange(1, len(y) + 1) - 0.375) / (len(y) + 0.25))
    np.testing.assert_allclose(np.sort(y, axis=0), np.repeat(expected[:, None], 4, axis=1), rtol=1e-9)


def test_rows_follow_the_genotype_files_and_everyone_is_accounted_for(cohort):
    made = run(cohort)
    index = made["traits"].join(pl.read_parquet(cohort / "samples.parquet"), on="sample_id", maintain_order="left")[
        "index"
    ]
    assert index.is_sorted()
    assert made["traits"]["sample_id"].equals(made["covariates"]["sample_id"])
    lost = dict(made["excluded"].filter(kind="person").select("id", "reason").rows())
    assert lost == {"p000": "missing_covariate", "p001": "genotype_qc", "p002": "related", "p003": "duplicate"}
    assert made["traits"].height + len(lost) == 200


def test_everyone_genotyped_is_accounted_for_whatever_their_genotypes():
    """Without a trait: kept, failed, a relative, a copy; and a sample of which no person is known."""
    rows = {
        "person_id": ["in", "kept", "failed", "relative", "copy", "two", "two", None],
        "sample_id": [f"s{i}" for i in range(8)],
        "keep": [True, True, False, True, True, False, True, True],
        "unrelated": [True, True, False, False, False, False, True, True],
        "copy_of": [None, None, None, None, "s0", None, None, None],
    }
    found = analysed_people.reasons(np.array(["in"]), pl.DataFrame(rows, schema_overrides={"copy_of": pl.String}))
    assert found.filter(kind="sample").select("id", "reason").rows() == [("s7", "no_person")]
    people = found.filter(kind="person").sort("id")
    assert people["id"].to_list() == ["copy", "failed", "kept", "relative", "two"]
    assert set(people["reason"]) == {"no_ecg"}
    words = ["same genotypes", "passed quality control", "kept and unrelated", "relative", "kept and unrelated"]
    assert all(word in detail for word, detail in zip(words, people["detail"], strict=True))


def test_where_relatives_are_kept_a_copy_still_leaves(cohort):
    made = run(cohort, relatives="keep")
    lost = dict(made["excluded"].filter(kind="person").select("id", "reason").rows())
    assert lost == {"p000": "missing_covariate", "p001": "genotype_qc", "p003": "duplicate"}
    assert "p002" in made["traits"]["person_id"].to_list()


def test_the_same_bytes_again_and_whatever_the_order_of_the_recordings(cohort):
    run(cohort)
    shuffled = pl.read_parquet(cohort / "embeddings.parquet").sample(fraction=1, shuffle=True, seed=3)
    shuffled.write_parquet(cohort / "shuffled.parquet")
    run(cohort, values="shuffled", out="again")
    for path in (cohort / "out").iterdir():
        assert path.read_bytes() == (cohort / "again" / path.name).read_bytes(), path.name


def test_no_cell_of_who_withdrew_or_of_a_name_is_in_what_is_reported(tmp_path, capsys):
    path, who = tmp_path / "t.csv", ["P0001", "P0002", "P0003"]
    rows = ["P0001,P0001,1,-", "P0002,Miller,2,0.5", "P0003,,3.5,0.25"]
    path.write_text("\n".join(["person_id,contact,t1,t2", *rows]) + "\n")
    (tmp_path / "w.txt").write_text("P0001\n")
    made = analysed_people.recordings(path, whole=False, withdrawn=people.read_withdrawn(tmp_path / "w.txt"))
    assert made.person.tolist() == who[1:]
    assert made.names == ["t1", "t2"]  # only of who withdrew was t2 text
    np.testing.assert_array_equal(made.values, [[2, 0.5], [3.5, 0.25]])
    assert made.excluded.select("id", "reason").rows() == [("contact", "no_number")]
    said = made.excluded["detail"][0] + capsys.readouterr().out
    assert "line 3" in said
    assert not any(word in said for word in (*who, "Miller", "line 2"))
    (tmp_path / "w.txt").write_text("\n".join(who))
    with pytest.raises(UserError, match="everyone in the table withdrew consent"):
        analysed_people.recordings(path, whole=False, withdrawn=people.read_withdrawn(tmp_path / "w.txt"))


def test_an_embedding_is_numbers_without_the_cells_of_who_withdrew(tmp_path):
    (tmp_path / "e.csv").write_text("person_id,e0,e1\nP1,P1,x\nP2,1,2\nP3,3,4.5\n")
    (tmp_path / "w.txt").write_text("P1\n")
    made = analysed_people.recordings(
        tmp_path / "e.csv", whole=True, withdrawn=people.read_withdrawn(tmp_path / "w.txt")
    )
    np.testing.assert_array_equal(made.values, [[1, 2], [3, 4.5]])


def test_transform_reproduces_the_axes(cohort):
    made = run(cohort, rank_normalise=False)
    t = np.load(cohort / "out" / "transform.npz")
    recorded = analysed_people.recordings(cohort / "embeddings.parquet", whole=True)
    ids, means = person_means(recorded.person, recorded.values)
    mean = means[np.searchsorted(ids, made["traits"]["person_id"].to_numpy().astype(str))]
    c = normalise.with_intercept(matrix(made["covariates"]))
    np.testing.assert_allclose((mean - c @ t["coefficients"]) @ t["loadings"], matrix(made["traits"]), atol=1e-9)
    assert (t["loadings"][np.abs(t["loadings"]).argmax(axis=0), range(4)] > 0).all()


def test_columns_are_traits_nulls_stay_and_a_constant_one_is_excluded(cohort):
    made = run(cohort, values="intervals", whiten=False)
    assert made["traits"].columns == ["person_id", "sample_id", "qt", "pr"]
    assert made["excluded"].filter(kind="trait").select("id", "reason").rows() == [("flat", "constant")]
    missing = made["traits"].filter(pl.col("pr").is_null())
    assert missing.height > 5
    assert made["traits"]["qt"].null_count() == 0


def test_the_machine_s_own_measurements_are_no_traits(cohort):
    table = pl.read_parquet(cohort / "intervals.parquet")
    table.with_columns(machine_qt_ms=pl.col("qt") + 5).write_parquet(cohort / "intervals.parquet")
    assert run(cohort, values="intervals", whiten=False)["traits"].columns[2:] == ["qt", "pr"]


def test_all_traits_constant_or_rare_ends_the_run(cohort):
    pl.read_parquet(cohort / "intervals.parquet").select("recording_id", "person_id", "flat").write_parquet(
        cohort / "constant.parquet"
    )
    with pytest.raises(UserError, match=r"no trait is left .* flat: constant"):
        run(cohort, values="constant", whiten=False)
    with pytest.raises(UserError, match="constant"):
        run(cohort, values="constant", whiten=True)


def test_absent_covariate_is_named_with_what_there_is(cohort):
    with pytest.raises(UserError, match=r"'height' is not a column; the table has person_id, sample_id, sex, age, bmi"):
        run(cohort, covariates=["age", "height"])


def test_ids_that_do_not_overlap_are_counted(cohort):
    table = pl.read_parquet(cohort / "samples.parquet").with_columns(person_id="x" + pl.col("person_id"))
    table.write_parquet(cohort / "samples.parquet")
    with pytest.raises(UserError, match=r"200 people have a trait .* 200 have genotypes .* 0 have both,.*id_bridge"):
        run(cohort)


def test_too_few_people_are_counted_by_reason(cohort):
    with pytest.raises(
        UserError,
        match=r"196 people .* = 198 \(excluded: 1 duplicate, 1 genotype_qc, 1 missing_covariate, 1 related\)",
    ):
        run(cohort, min_people=198)


def test_no_covariates_at_all(cohort):
    made = run(cohort, covariates=[], pcs=0)
    assert made["covariates"].width == 2
    assert made["traits"].height == 197


def test_collinear_and_constant_covariates_leave_with_a_note(cohort):
    table = pl.read_csv(cohort / "people.csv").with_columns(months=pl.col("age") * 12 + 3, site=pl.lit(1))
    table.write_csv(cohort / "people.csv")
    made = run(cohort, covariates=["age", "months", "site", "sex"])
    assert made["covariates"].columns[2:] == ["age", "sex", "pc1", "pc2", "pc3"]
    assert made["excluded"].filter(kind="covariate")["id"].to_list() == ["months", "site"]


def test_axes_most_alike_in_two_recordings_come_first():
    """Large but noisy dimensions lose to small, repeatable ones; the span of all axes stays."""
    rng = np.random.default_rng(2)
    n = 400
    person, noise_sd = rng.normal(size=(n, 3)), np.array([10.0, 0.1, 0.1])
    noise = rng.normal(size=(n, 3)) * noise_sd
    made = normalise.whiten(person + noise, np.zeros((n, 0)), 2, noise)
    assert np.abs(made.loadings[0]).max() < 0.02
    assert np.abs(normalise.whiten(person + noise, np.zeros((n, 0)), 2).loadings[0, 0]) > 0.05


def test_icc_equals_its_anova_and_recovers_the_truth():
    rng = np.random.default_rng(3)
    a = 4_000
    person = np.repeat(np.arange(a), 2)
    y = rng.normal(size=a)[person] * np.sqrt(0.7) + rng.normal(size=2 * a) * np.sqrt(0.3)
    n, value = icc(y, person)
    f = stats.f_oneway(*y.reshape(a, 2)).statistic
    assert n == a
    assert np.isclose(value, (f - 1) / (f + 1))
    assert abs(value - 0.7) < 0.03
    assert icc(np.arange(5.0), np.arange(5))[0] == 0


def test_person_means_leave_missing_values_out():
    ids, mean = person_means(np.array(["b", "a", "b"]), np.array([[1.0, np.nan], [5, 6], [3, np.nan]]))
    assert ids.tolist() == ["a", "b"]
    np.testing.assert_array_equal(mean, [[5, 6], [2, np.nan]])


def test_only_the_measurements_asked_for_are_traits(tmp_path):
    table = pl.DataFrame({"person_id": ["a", "b"], "qt_ms": [400.0, 410.0], "jt_ms": [300.0, 310.0]})
    table = table.with_columns(machine_qt_ms=pl.lit(401.0), af=pl.lit(True))
    table.write_parquet(tmp_path / "intervals.parquet")
    names = {
        str(wanted): analysed_people.recordings(tmp_path / "intervals.parquet", whole=False, wanted=wanted).names
        for wanted in (["qt_ms"], "all")
    }
    assert names == {"['qt_ms']": ["qt_ms"], "all": ["qt_ms", "jt_ms"]}
    with pytest.raises(UserError, match=r"phenotypes\.intervals names pr_ms"):
        analysed_people.recordings(tmp_path / "intervals.parquet", whole=False, wanted=["pr_ms"])


def test_the_scanned_measurements_exist_and_are_no_flags():
    assert set(SCANNED_INTERVALS) <= set(tables.INTERVALS.columns)
    assert {"af", "paced", "lbbb", "rbbb", "n_beats", "ectopic_share"}.isdisjoint(SCANNED_INTERVALS)
    assert len(SCANNED_INTERVALS) == 36
