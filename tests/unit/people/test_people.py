"""People, sex, age, id bridge and consent are read once, with one meaning."""

import json

import polars as pl
import pytest

from ecgwas import people, tables
from ecgwas.errors import UserError
from ecgwas.ingest import entries
from ecgwas.people import make, report


@pytest.fixture
def cohort(tmp_path):
    """A table of people, a bridge and a list of withdrawn people that holds a person, a sample and nobody."""
    (tmp_path / "people.csv").write_text(
        "person_id,sex,age,centre,smoker,date\n"
        "p1,Female,50,11025,TRUE,2020-01-02\np2,M,300,11026,false,\np3,f,NA,,,\np4,,-1,11025,TRUE,2021-01-02\n"
    )
    (tmp_path / "bridge.csv").write_text("person_id,sample_id\np1,s1\np2,s2\np3,s3\n")
    (tmp_path / "w.csv").write_text('\ufeffs2\r\n\r\n# none\r\nx99\r\n"p4",\r\n')
    return tmp_path


def test_people_are_typed_and_codes_of_age_are_missing(cohort, capsys):
    table = people.read(cohort / "people.csv")
    assert list(table.schema.items())[:4] == list(tables.PEOPLE.schema.items())
    assert table["sex"].to_list() == ["female", "male", "female", None]
    assert table["age"].to_list() == [50.0, None, None, None]
    assert table.select("centre", "smoker", "date").dtypes == [pl.Int64, pl.Int64, pl.String]
    assert "age of 2 people is no age, such as 300 (line 3)" in capsys.readouterr().out


def test_people_are_read_again_as_they_were_written(cohort):
    make.main(cohort / "people.csv", cohort / "people.parquet", cohort / "c.json", cohort / "bridge.csv")
    first = pl.read_parquet(cohort / "people.parquet")
    assert people.read(cohort / "people.parquet").equals(first)
    assert first["sample_id"].to_list() == ["s1", "s2", "s3", None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("person_id,sex\np1,1\np2,2\n", "line 2: sex is 1, a number of a coding that is not known; write female"),
        ("person_id,sex\np1,female\np2,1\n", "line 3: sex is 1, a number"),
        ("person_id,sex\np1,divers\n", "line 2: sex is 'divers' and the like"),
        ("person_id,age\np1,50\np2,old\n", "line 3: age is 'old', which is no number"),
        ("person_id,age\np1,\"50,5\"\n", "line 2: age is '50,5', a number with a decimal comma"),
        ("person_id,age\np1,5\np1,6\n", r"a person appears more than once \(line 2 and line 3 have"),
        ("person_id,age\np1,5\n ,6\n", "line 3: no person_id"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_an_error_with_its_line(tmp_path, text, said):
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(UserError, match=rf"people\.csv: .*{said}"):
        people.read(tmp_path / "people.csv")


def test_other_words_of_sex_are_counted_and_row_numbers_left_out(tmp_path, capsys):
    (tmp_path / "people.csv").write_text(",person_id,sex,rownames\n0,p1,F,1\n1,p2,divers,2\n")
    table = people.read(tmp_path / "people.csv")
    assert table.columns == list(tables.PEOPLE.columns)
    assert table["sex"].to_list() == ["female", None]
    said = capsys.readouterr().out
    assert "sex of 1 people is not understood, such as 'divers' (line 3)" in said
    assert "column 1 has no name" in said
    assert "rownames numbers the rows" in said


def test_a_genotyped_cohort_needs_sexes_and_no_sample_id_of_its_own(tmp_path):
    outputs = tmp_path / "people.parquet", tmp_path / "c.json"
    (tmp_path / "people.csv").write_text("person_id,age\np1,50\n")
    with pytest.raises(UserError, match="no column sex"):
        make.main(tmp_path / "people.csv", *outputs, genotyped=True)
    (tmp_path / "people.csv").write_text("person_id,sex,sample_id\np1,f,s1\n")
    with pytest.raises(UserError, match=r"column sample_id .* `id_bridge`"):
        make.main(tmp_path / "people.csv", *outputs, genotyped=True)


@pytest.mark.parametrize(
    ("rows", "said"), [("p1,s1\np1,s2\n", "a person appears more"), ("p1,s1\np2,s1\n", "a sample appears more")]
)
def test_a_bridge_is_one_to_one(tmp_path, rows, said):
    (tmp_path / "b.csv").write_text("person_id,sample_id\np0,s0\np0,s0\n" + rows)
    with pytest.raises(UserError, match=said):
        people.read_bridge(tmp_path / "b.csv")


def test_withdrawn_ids_mean_persons_and_samples(cohort):
    gone = people.read_withdrawn(cohort / "w.csv", cohort / "bridge.csv")
    assert gone.entries == ((1, "s2"), (4, "x99"), (5, "p4"))
    assert gone.ids == {"s2", "p2", "x99", "p4"}
    assert gone.matched(["p2"]) == [1]
    assert people.NOBODY.flags(pl.Series(["a", None])).to_list() == [False, False]


@pytest.mark.parametrize("order", [("5,9", "7,5"), ("7,5", "5,9")])
def test_an_id_of_a_person_and_of_a_sample_means_both_pairs(tmp_path, order):
    """People and samples are numbered alike: 5 is the person of sample 9 and the sample of person 7."""
    (tmp_path / "b.csv").write_text("person_id,sample_id\n" + "\n".join(order) + "\n6,8\n")
    (tmp_path / "w.txt").write_text("5\n")
    gone = people.read_withdrawn(tmp_path / "w.txt", tmp_path / "b.csv")
    assert gone.ids == {"5", "7", "9"}
    assert gone.matched(["9"]) == gone.matched(["7"]) == gone.matched(["5"]) == [1]
    assert gone.matched(["6", "8"]) == []
    table = pl.DataFrame({"person_id": ["5", "7", "6"], "sample_id": ["9", "5", "8"]})
    assert gone.without(table, "person_id")["person_id"].to_list() == ["6"]
    assert gone.without(table, "sample_id")["sample_id"].to_list() == ["8"]
    (tmp_path / "r.csv").write_text("recording_id,person_id,path\na,5,x\nb,7,x\nc,6,x\n")
    source = entries.EcgSource(path=tmp_path, recordings=tmp_path / "r.csv")
    entries.main(source, tmp_path / "e.parquet", tmp_path / "w.txt", tmp_path / "b.csv")
    assert pl.read_parquet(tmp_path / "e.parquet")["person_id"].to_list() == ["6"]


def write_recordings(folder):
    rows = "".join(f"r{k},p{k},a\n" for k in range(1, 5))
    (folder / "recordings.csv").write_text("recording_id,person_id,path\n" + rows)


def test_nobody_who_withdrew_is_in_a_table_and_consent_holds_no_id(cohort):
    write_recordings(cohort)
    doors = {name: cohort / f"{name}.json" for name in ("people", "recordings")}
    lists = cohort / "bridge.csv", cohort / "w.csv"
    make.main(cohort / "people.csv", cohort / "p.parquet", doors["people"], *lists, genotyped=True)
    source = entries.EcgSource(path=cohort, recordings=cohort / "recordings.csv")
    entries.main(source, cohort / "e.parquet", cohort / "w.csv", cohort / "bridge.csv", doors["recordings"])
    assert pl.read_parquet(cohort / "p.parquet")["person_id"].to_list() == ["p1", "p3"]
    assert pl.read_parquet(cohort / "e.parquet")["person_id"].to_list() == ["p1", "p3"]
    report.main(cohort / "consent.json", doors, cohort / "w.csv")
    assert json.loads((cohort / "consent.json").read_text()) == {
        "entries": 3,
        "excluded": {"people": {"withdrawn": 2}, "recordings": {"withdrawn": 2}},
        "lines_that_match_nobody": [4],
    }
    for path in (*doors.values(), cohort / "consent.json"):
        assert not any(name in path.read_text() for name in ("p2", "s2", "p4", "x99"))
