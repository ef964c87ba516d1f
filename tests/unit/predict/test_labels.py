"""Who counts for which outcome: every rule, on tables small enough to be read."""

import numpy as np
import polars as pl
import pytest

from ecgwas import config, tables
from ecgwas.errors import UserError
from ecgwas.predict.labels import codes, labels, splits

AF = config.Outcome(codes=["I48*", "AFIB"])
LATER = config.Outcome(codes=["I48*"], kind="incident", landmark_days=10)


@pytest.fixture
def cohort(tmp_path):
    """Files of six people, seven recordings: p0 has two."""
    recordings = pl.DataFrame(
        {
            "recording_id": ["b", "a", "r1", "r2", "r3", "r4", "r5"],
            "person_id": ["p0", "p0", "p1", "p2", "p3", "p4", "p5"],
            "start_time": [
                "2010-01-02T10:00:00",
                "2010-01-01",
                "2010-01-01",
                "2010-01-01",
                "2010-01-01",
                None,
                "2010-01-01",
            ],
        }
    )
    recordings.write_parquet(tmp_path / "recordings.parquet")
    (tmp_path / "people.csv").write_text(
        "person_id,age,sex,mi\np0,50,male,1\np1,300,female,0\np2,60,female,\np3,70,male,0\np4,71,male,1\n"
    )
    (tmp_path / "statements.csv").write_text("recording_id,codes\na,AFIB;NORM\nb,NORM\nr1,\nr2,NORM\nr3,SR\nr4,SR\n")
    (tmp_path / "diagnoses.csv").write_text(
        "person_id,code,date\np1,I48.0,2010-01-01\np2,i480,2012-01-01\np2,I48.9,2011-07-02\np3,I481,2010-03-01\n"
        "p3,I50,\np4,I48,2011-01-01\np5,I48,\n"
    )
    (tmp_path / "followup.csv").write_text(
        "person_id,end,death\np0,2015-01-01,2014-01-01\np1,2015-01-01,\np2,2015-01-01,\np3,2010-02-01,\np4,2015-01-01,\n"
        "p5,2015-01-01,\n"
    )
    return tmp_path


def made(folder, outcomes: dict, labels_block: dict | None = None, training: bool = True, **settings):
    block = {"codes_column": "codes"} | {
        name: folder / f"{name}.csv" for name in ("statements", "diagnoses", "followup")
    }
    given = config.Labels(**(block if labels_block is None else labels_block))
    out = folder / "labels.parquet", folder / "excluded.parquet"
    labels.main("toy", folder / "recordings.parquet", config.Predict(outcomes=outcomes, **settings), *out, given,
                folder / "people.csv", training=training)  # fmt: skip
    return pl.read_parquet(out[0]), pl.read_parquet(out[1])


def of(table: pl.DataFrame, column: str) -> dict:
    return dict(zip(table["recording_id"], table[column], strict=True))


def why(gone: pl.DataFrame, outcome: str | None = None) -> dict:
    chosen = gone.filter(pl.col("outcome").eq_missing(pl.lit(outcome)))
    return dict(zip(chosen["recording_id"], chosen["reason"], strict=True))


def test_the_first_recording_of_a_person_counts_and_the_other_has_a_row(cohort):
    table, gone = made(cohort, {"af": AF})
    assert "b" not in table["recording_id"].to_list()
    assert why(gone) == {"b": "another_recording"}
    assert why(made(cohort, {"af": AF}, recording="last")[1]) == {"a": "another_recording"}
    both = made(cohort, {"af": AF}, recording="all")[0]
    assert both.filter(person_id="p0")["split"].n_unique() == 1
    assert of(both, "y:af")["a"] == 1
    assert of(both, "y:af")["b"] == 0


def test_a_case_by_statement_or_by_a_diagnosis_that_is_there_in_time(cohort):
    table, gone = made(cohort, {"af": AF})
    assert of(table, "y:af") == {"a": 1, "r1": 1, "r2": 0, "r3": 0, "r5": 1}  # r5: a diagnosis without a date counts
    assert why(gone, "af") == {"r4": "no_time"}  # has the diagnosis, before or after nobody knows
    wide = made(cohort, {"af": AF.model_copy(update={"window_days": 60})})[0]
    assert of(wide, "y:af")["r3"] == 1
    alone = made(cohort, {"af": AF}, {"statements": cohort / "statements.csv", "codes_column": "codes"})
    assert of(alone[0], "y:af") == {"a": 1, "r2": 0, "r3": 0, "r4": 0}
    assert why(alone[1], "af") == {"r1": "no_statement", "r5": "no_statement"}


def test_statements_for_the_time_alone_make_nobody_unlabelled(cohort):
    (cohort / "times.csv").write_text("recording_id,time\na,2010-01-01\nr1,2010-01-01\nr2,2010-01-01\nr3,2010-01-01\n")
    block = {"statements": cohort / "times.csv", "time_column": "time", "diagnoses": cohort / "diagnoses.csv"}
    table, gone = made(cohort, {"af": AF}, block)
    assert set(of(table, "y:af").values()) == {0, 1}
    assert "no_statement" not in why(gone, "af").values()
    with pytest.raises(UserError, match=r"outcomes\.af: cohort toy has no table for it"):
        made(cohort, {"af": AF}, {"statements": cohort / "times.csv", "time_column": "time"})


def test_a_column_of_people_and_who_has_no_value(cohort):
    table, gone = made(cohort, {"mi": config.Outcome(column="mi")})
    assert of(table, "y:mi") == {"a": 1, "r1": 0, "r3": 0, "r4": 1}
    assert why(gone, "mi") == {"r2": "no_value", "r5": "unknown_person"}
    assert of(table, "age") == {"a": 50, "r1": None, "r3": 70, "r4": 71}


def test_incident_disease_runs_from_the_landmark_with_death_before_it(cohort):
    table, gone = made(cohort, {"later": LATER})
    assert of(table, "event:later") == {"r2": 1, "a": 2} | {
        k: v for k, v in of(table, "event:later").items() if k == "r3"
    }
    days = {"r2": (np.datetime64("2011-07-02") - np.datetime64("2010-01-11")).astype(int),
            "a": (np.datetime64("2014-01-01") - np.datetime64("2010-01-11")).astype(int)}  # fmt: skip
    for name, n in days.items():
        assert of(table, "years:later")[name] == pytest.approx(n / 365.25)
    # p3's diagnosis comes after the end of follow-up: not seen
    assert of(table, "event:later")["r3"] == 0
    assert why(gone, "later") == {"r1": "prevalent", "r4": "no_time", "r5": "undated_diagnosis"}
    assert of(table, "y:later") == {"a": 0, "r2": 1, "r3": 0}
    late = made(cohort, {"later": LATER.model_copy(update={"landmark_days": 40})})[1]
    assert why(late, "later")["r3"] == "left_before_landmark"


def test_folds_people_and_adding_others(cohort):
    rng = np.random.default_rng(1)
    people = pl.Series("person_id", [f"p{k}" for k in rng.permutation(4000)])
    whole = splits.at_random(people, config.Splits(), 1)
    part = splits.at_random(people[:100], config.Splits(), 1)
    assert part.equals(whole[:100])
    shares = whole.value_counts(normalize=True)
    got = dict(zip(shares["split"], shares["proportion"], strict=True))
    assert got["test"] == pytest.approx(0.25, abs=0.03)
    assert got["validation"] == pytest.approx(0.15, abs=0.03)
    assert not splits.at_random(people, config.Splits(), 2).equals(whole)
    table = pl.DataFrame({"person_id": ["a", "a", "b", "c"], "fold": [1, 9, 9, 7]})
    named = config.Splits(train=[1], validation=[9], test=[10])
    assert splits.split(table, named, True, 1).to_list() == ["train", "train", "validation", None]
    assert splits.split(table, named, False, 1).to_list() == ["test"] * 4
    with pytest.raises(UserError, match=r"labels\.fold_column"):
        splits.split(table.with_columns(fold=pl.lit(None, pl.Int32)), named, True, 1)


def test_withdrawn_people_count_for_nothing(cohort):
    (cohort / "withdrawn.txt").write_text("p0\n")
    out = cohort / "l.parquet", cohort / "e.parquet"
    block = config.Labels(statements=cohort / "statements.csv", codes_column="codes")
    labels.main("toy", cohort / "recordings.parquet", config.Predict(outcomes={"af": AF}), *out, block,
                cohort / "people.csv", cohort / "withdrawn.txt")  # fmt: skip
    assert "p0" not in pl.read_parquet(out[0])["person_id"].to_list()
    assert "p0" not in pl.read_parquet(out[1])["person_id"].to_list()


def test_a_cohort_that_cannot_tell(cohort):
    with pytest.raises(UserError, match=r"outcomes\.later: cohort toy .* write labels: \{diagnoses: …, followup: …\}"):
        made(cohort, {"later": LATER}, {"diagnoses": cohort / "diagnoses.csv"})
    table, gone = made(cohort, {"later": LATER, "mi": config.Outcome(column="mi")}, {}, training=False)
    assert table["y:later"].null_count() == table.height
    assert set(why(gone, "later").values()) == {"no_source"}
    assert set(table["split"]) == {"test"}


def test_a_cohort_in_which_nobody_is_labelled_has_a_row_for_each(cohort):
    table, gone = made(cohort, {"mi": config.Outcome(column="stroke")}, {}, training=False)
    assert table.is_empty()
    assert set(why(gone, "mi").values()) == {"no_source"}
    (cohort / "people.csv").write_text("person_id,mi\np9,1\n")
    with pytest.raises(UserError, match=r"no recording has a label \(another_recording 1, unknown_person 6\)"):
        made(cohort, {"mi": config.Outcome(column="mi")}, {})


def test_a_person_twice_and_sexes(cohort):
    people = cohort / "people.csv"
    people.write_text("person_id,sex\np0,M\np1,f\np2,Female\np3,\np4,unknown\n")
    assert labels.demographics(people)["sex"].to_list() == ["male", "female", "female", None, None]
    people.write_text("person_id,sex\np0,0\np1,1\n")
    with pytest.raises(UserError, match=r"people\.csv: line 2: sex is 0, a number .* write female, f, male, m"):
        labels.demographics(people)
    people.write_text("person_id,sex,mi\np0,m,1\np0,m,1\n")
    with pytest.raises(UserError, match=r"a person appears more than once"):
        made(cohort, {"mi": config.Outcome(column="mi")}, {})


def test_codes_may_be_lists(tmp_path):
    path = tmp_path / "s.parquet"
    pl.DataFrame({"recording_id": [1, 2, 3], "codes": [["i48.0", "NORM"], [], None]}).write_parquet(path)
    found = codes.statements(config.Labels(statements=path, codes_column="codes"))
    assert found["codes"].to_list() == [["I480", "NORM"], [], None]


@pytest.mark.parametrize(
    ("text", "patterns", "found"),
    [("I48.0", ["I48*"], True), ("i480", ["I48.0"], True), ("I480", ["I48"], False), ("I50", ["I48*"], False),
     ("NST_", ["NST_"], True), ("164889003", ["164889003"], True), ("1AVB", ["1avb"], True)],
)  # fmt: skip
def test_codes_of_any_system(text, patterns, found):
    table = pl.DataFrame({"code": [text]}).select(codes.matches(codes.normal(pl.col("code")), patterns))
    assert table.item() is found


def test_statements_as_ptb_xl_writes_them(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("ecg_id,scp_codes,strat_fold\n1,\"{'NORM': 100.0, 'SR': 0.0}\",3\n2,{},4\n")
    block = config.Labels(
        statements=path, recording_column="ecg_id", codes_column="scp_codes", fold_column="strat_fold"
    )
    found = codes.statements(block)
    assert found.rows() == [("1", ["NORM", "SR"], 3), ("2", [], 4)]
    path.write_text("ecg_id,scp_codes,strat_fold\n1,{NORM,3\n")
    with pytest.raises(UserError, match=r"no dictionary"):
        codes.statements(block)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("statements", "recording_id\na\n", r"statements\.csv: no column codes \(labels\.codes_column\)"),
        ("statements", "recording_id,codes\na,X\na,Y\n", r"a recording appears more than once"),
        ("diagnoses", "person_id,code,date\np1,I48,01/02/2010\n", r"diagnoses\.csv: line 2: date .01/02/2010. is no"),
        ("followup", "person_id,end\np1,2010-01-01\np1,2011-01-01\n", r"a person appears more than once"),
    ],
)
def test_wrong_tables_are_named(cohort, name, text, match):
    (cohort / f"{name}.csv").write_text(text)
    with pytest.raises(UserError, match=match):
        made(cohort, {"af": AF, "later": LATER})


@pytest.mark.realdata
def test_real_statements_give_the_classes_that_counting_gives(realdata, tmp_path):
    path = realdata / "ecg_ptbxl_subset" / "labels.csv"
    table = pl.read_csv(path, schema_overrides={"ecg_id": pl.String})
    blank = tables.RECORDINGS.empty()
    recordings = pl.concat([blank, table.select(recording_id="ecg_id", person_id="ecg_id")], how="diagonal")
    recordings.write_parquet(tmp_path / "recordings.parquet")
    block = config.Labels(
        statements=path, recording_column="ecg_id", codes_column="scp_codes", fold_column="strat_fold"
    )
    settings = config.Predict(
        outcomes={"afib": config.Outcome(codes=["AFIB"]), "lvh": config.Outcome(codes=["LVH"])},
        splits=config.Splits(train=[1, 2, 3, 4, 5], validation=[6], test=[7, 8]),
    )
    out = tmp_path / "labels.parquet", tmp_path / "excluded.parquet"
    labels.main("ptbxl", tmp_path / "recordings.parquet", settings, *out, block, training=True)
    made = pl.read_parquet(out[0])
    held = [set(text.split(";")) for text in table["scp_codes"].fill_null("") if text]
    assert made["y:afib"].sum() == sum("AFIB" in codes for codes in held)
    assert made["y:lvh"].sum() == sum("LVH" in codes for codes in held)
    assert made.filter(split="test").height == 345
