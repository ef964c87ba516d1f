"""Flags of recordings and the traits they exclude."""

import numpy as np
import polars as pl
import pydantic
import pytest

from ecgwas import tables, user_tables
from ecgwas.config import Phenotypes
from ecgwas.errors import UserError
from ecgwas.people.values import not_traits
from ecgwas.phenotypes import analysed_people, exclusions, traits

DEFAULT = Phenotypes().exclude


@pytest.mark.parametrize(
    ("trait", "flags"),
    [
        ("qt_ms", {"af", "paced", "lbbb", "rbbb"}),
        ("qtc_bazett_ms", {"af", "paced", "lbbb", "rbbb"}),
        ("qtc_hodges_ms", {"af", "paced", "lbbb", "rbbb"}),
        ("qt_peak_ms", {"af", "paced", "lbbb", "rbbb"}),
        ("jt_ms", {"af", "paced", "lbbb", "rbbb"}),
        ("qrs_ms", {"paced", "lbbb", "rbbb"}),
        ("qrs_axis_deg", {"paced", "lbbb", "rbbb"}),
        ("qrst_angle_spatial_deg", {"paced", "lbbb", "rbbb"}),
        ("t_axis_deg", {"paced", "lbbb", "rbbb"}),
        ("pr_ms", {"af", "paced"}),
        ("pr_segment_ms", {"af", "paced"}),
        ("p_duration_ms", {"af", "paced"}),
        ("p_ii_mv", {"af", "paced"}),
        ("p_axis_deg", {"af", "paced"}),
        ("p_frontal_mv", {"af", "paced"}),
        ("heart_rate_bpm", {"af", "paced"}),
        ("rr_sd_ms", {"af", "paced"}),
        ("sdnn_ms", {"af", "paced"}),
        ("sdsd_ms", {"af", "paced"}),
        ("rmssd_ms", {"af", "paced"}),
        ("pnn50", {"af", "paced"}),
        ("n_beats", set()),
        ("ectopic_share", set()),
        ("height_cm", set()),
        ("axis01", set()),
    ],
)
def test_default_rules(trait, flags):
    assert set(exclusions.flags_of(trait, DEFAULT)) == flags


def test_every_measurement_of_a_wave_has_a_rule():
    ours = [n for n, kind in tables.INTERVALS.schema.items() if kind == pl.Float64 and not n.startswith("machine_")]
    without = {name for name in ours if not exclusions.flags_of(name, DEFAULT)}
    assert without == {"ectopic_share"}
    assert all("paced" in exclusions.flags_of(name, DEFAULT) for name in ours if name not in without)


def test_an_unknown_flag_is_refused():
    with pytest.raises(pydantic.ValidationError):
        Phenotypes(exclude={"qt*": ["afib"]})


@pytest.fixture
def cohort(tmp_path):
    """80 people with QT, PR and rate: ten paced, ten in fibrillation; five have a second recording without a flag."""
    rng = np.random.default_rng(6)
    n = 80
    ids = [f"p{i:02d}" for i in range(n)]
    pl.DataFrame({"person_id": ids}).write_csv(tmp_path / "people.csv")
    table = pl.DataFrame({"sample_id": ids, "person_id": ids, "index": np.arange(n, dtype=np.int32)})
    table.with_columns(keep=True, unrelated=True, copy_of=pl.lit(None, pl.String)).write_parquet(
        tmp_path / "samples.parquet"
    )
    pl.DataFrame({"sample_id": ids}).write_parquet(tmp_path / "pcs.parquet")
    who = [*range(n), *range(5)]
    rows = pl.DataFrame({"recording_id": [f"r{i}" for i in range(n + 5)], "person_id": [ids[i] for i in who]})
    values = {name: rng.normal(400, 20, n + 5) for name in ("qt_ms", "pr_ms", "rr_mean_ms")}
    paced = [True] * 10 + [None] + [False] * (n - 6)
    af = [False] * 10 + [True] * 10 + [False] * (n - 15)
    rows.with_columns(
        **{k: pl.Series(v) for k, v in values.items()}, paced=pl.Series(paced), af=pl.Series(af)
    ).with_columns(ectopic_share=pl.Series(rng.random(n + 5))).write_parquet(tmp_path / "intervals.parquet")
    return tmp_path


def run(folder, **settings):
    names = ("traits", "covariates", "reliability", "excluded")
    out = [folder / f"{name}.parquet" for name in names]
    inputs = [folder / name for name in ("people.csv", "samples.parquet", "pcs.parquet")]
    given = Phenotypes(covariates=[], pcs=0, rank_normalise=False, intervals="all", **settings)
    traits.main(folder / "intervals.parquet", False, *inputs, given, *out, folder / "transform.npz", classical=True)
    return {name: pl.read_parquet(path) for name, path in zip(names, out, strict=True)}


def test_flagged_recordings_have_no_value_and_are_counted(cohort):
    made = run(cohort)
    y = made["traits"]
    missing = {name: set(y.filter(pl.col(name).is_null())["person_id"]) for name in ("qt_ms", "pr_ms", "ectopic_share")}
    flagged = {f"p{i:02d}" for i in range(5, 20)}  # the first five have a second recording that is not flagged
    assert missing == {"qt_ms": flagged, "pr_ms": flagged, "ectopic_share": set()}
    rows = made["excluded"].filter(kind="recordings").select("id", "reason", "n").sort("id", "reason").rows()
    assert rows == [(t, f, 10) for t in ("pr_ms", "qt_ms", "rr_mean_ms") for f in ("af", "paced")]
    assert made["excluded"].schema["n"] == pl.Int32
    table = pl.read_parquet(cohort / "intervals.parquet")
    of_second = table.filter(recording_id="r80")["qt_ms"][0]
    values = y["qt_ms"].to_numpy()
    mean = np.nanmean(np.r_[table["qt_ms"][80:].to_numpy(), table["qt_ms"][20:80].to_numpy()])
    assert values[0] == pytest.approx(of_second - mean)


def test_no_rule_excludes_nothing(cohort):
    made = run(cohort, exclude={})
    assert made["excluded"].is_empty()
    assert made["traits"].null_count().select("qt_ms", "pr_ms").row(0) == (0, 0)


def test_a_rule_of_the_user(cohort):
    made = run(cohort, exclude={"ectopic*": ["af"], "qt*": []})
    assert made["excluded"].select("kind", "id", "reason", "n").rows() == [("recordings", "ectopic_share", "af", 10)]
    assert made["traits"]["ectopic_share"].null_count() == 10


def test_a_recording_without_any_value_left_is_none():
    recorded = analysed_people.Recordings(
        np.array(["a", "b"]),
        np.array([[1.0], [2.0]]),
        ["qt_ms"],
        ids=np.array(["r1", "r2"]),
        flags={"af": np.array([True, False])},
    )
    kept, rows = exclusions.applied(recorded, DEFAULT)
    assert kept.person.tolist() == ["b"]
    assert kept.ids.tolist() == ["r2"]
    assert rows.select("kind", "id", "reason").rows() == [("recordings", "qt_ms", "af"), ("person", "a", "flagged")]
    assert rows["detail"][0] == "1 of 2 recordings with a value, of 1 people: phenotypes.exclude"


def test_a_person_all_of_whose_recordings_are_flagged_has_one_row(cohort):
    samples = pl.read_parquet(cohort / "samples.parquet")
    samples.with_columns(keep=pl.col("person_id") != "p06").write_parquet(cohort / "samples.parquet")
    table = pl.read_parquet(cohort / "intervals.parquet").drop("ectopic_share", "rr_mean_ms")
    table.write_parquet(cohort / "intervals.parquet")
    made = run(cohort)
    rows = made["excluded"].filter(kind="person")
    flagged = [f"p{i:02d}" for i in range(5, 20)]  # the first five have a second recording that is not flagged
    assert rows.select("id", "reason").sort("id").rows() == [(name, "flagged") for name in flagged]
    everyone = set(pl.read_csv(cohort / "people.csv")["person_id"])
    assert set(made["traits"]["person_id"]) | set(rows["id"]) == everyone


def test_rules_that_leave_no_value_are_named(cohort):
    table = pl.read_parquet(cohort / "intervals.parquet").with_columns(af=pl.lit(True))
    table.select("recording_id", "person_id", "pr_ms", "paced", "af").write_parquet(cohort / "intervals.parquet")
    with pytest.raises(UserError, match=r"no recording has a value left \(pr_ms.*85 recordings.*phenotypes\.exclude"):
        run(cohort)


def test_flags_of_a_table_are_no_traits_and_are_reported(cohort):
    given = user_tables.read(cohort / "intervals.parquet")
    assert not_traits(given, whole=False) == {
        "paced": ("no_number", "true and false, a flag"),
        "af": ("no_number", "true and false, a flag"),
    }
