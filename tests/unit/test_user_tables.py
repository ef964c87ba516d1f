"""The one reader of tables that users give: equal tables of equal content, or an error that names file and line."""

import gzip
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas import user_tables
from ecgwas.errors import UserError

PEOPLE = pl.DataFrame(
    {
        "person_id": ["007", "P-1", "1000001", "a b", "x"],
        "sex": ["female", "male", None, "female", "male"],
        "age": [61.5, None, 40.0, 55.25, 70.0],
        "centre": [11025, 11026, 11025, None, 11028],
        "note": ["of Köln", None, "smoker", "none", "ex-smoker"],
    }
)


def cells(separator=",", missing="", quote=False):
    """PEOPLE as lines of text."""
    marks = (lambda text: f'"{text}"') if quote else (lambda text: text)
    rows = [[missing if cell is None else marks(str(cell)) for cell in row] for row in PEOPLE.rows()]
    return [separator.join(row) for row in [[marks(name) for name in PEOPLE.columns], *rows]]


def read(path: Path, data, name="people.csv", **how) -> user_tables.UserTable:
    path = path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return user_tables.read(path, **how)


WRITTEN = {
    "plain": ("people.csv", "\n".join(cells()).encode()),
    "newline": ("people.csv", "\n".join([*cells(), ""]).encode()),
    "bom": ("people.csv", b"\xef\xbb\xbf" + "\n".join(cells()).encode()),
    "crlf": ("people.csv", "\r\n".join([*cells(), ""]).encode()),
    "cr": ("people.csv", "\r".join(cells()).encode()),
    "utf-16": ("people.txt", b"\xff\xfe" + "\r\n".join(cells("\t")).encode("utf-16-le")),
    "utf-16-be": ("people.csv", b"\xfe\xff" + "\n".join(cells()).encode("utf-16-be")),
    "quotes": ("people.csv", "\n".join(cells(quote=True)).encode()),
    "R": ("people.txt", "\n".join(cells(" ", "NA", quote=True)).encode()),
    "R as csv": ("people.csv", "\n".join(cells(" ", "NA", quote=True)).encode()),
    "R padded": ("people.csv", "\n".join(line + "  " for line in cells("   ", "NA", quote=True)).encode()),
    "blank_quote": ("people.csv", "\n".join(cells(", ", quote=True)).encode()),
    "blanks": ("people.csv", "\n".join(cells(" , ")).encode()),
    "tsv": ("people.tsv", "\n".join(cells("\t")).encode()),
    "txt_of_commas": ("people.txt", "\n".join(cells()).encode()),
    "csv_of_tabs": ("people.csv", "\n".join(cells("\t")).encode()),
    "semicolons": ("people.csv", "\n".join(cells(";")).encode()),
    "sep": ("people.csv", "\n".join(["sep=;", *cells(";")]).encode()),
    "trailing": ("people.csv", "\n".join(line + "," for line in cells()).encode()),
    "trailing_header": ("people.csv", "\n".join([cells()[0] + ",,", *cells()[1:]]).encode()),
    "trailing_rows": ("people.csv", "\n".join([cells()[0], *(line + ",," for line in cells()[1:])]).encode()),
    "blank_lines": ("people.csv", "\n\n  \n".join([*cells(), ""]).encode()),
    "empty_rows": ("people.csv", "\n".join([*cells(), ",,,,", ""]).encode()),
    "gzip": ("people.csv.gz", gzip.compress("\n".join(cells()).encode())),
    "gzip_tsv": ("people.tsv.gz", gzip.compress("\n".join(cells("\t")).encode())),
    "gzip_unnamed": ("people.csv", gzip.compress("\n".join(cells()).encode())),
    **{f"missing {word}": ("people.csv", "\n".join(cells(missing=word)).encode())
       for word in ("NA", "na", "NaN", ".", "N/A", "#N/A", "null", "NULL", "-nan", "<NA>", '""', "  ")},
}  # fmt: skip


@pytest.mark.parametrize("how", WRITTEN)
def test_however_a_table_is_written_it_is_read_the_same(tmp_path, how):
    name, data = WRITTEN[how]
    table = read(tmp_path, data, name)
    assert table.frame.equals(PEOPLE)
    assert table.frame.schema == PEOPLE.schema


@pytest.mark.parametrize("zipped", [False, True])
def test_parquet_is_read_as_text_is(tmp_path, zipped):
    own = PEOPLE.with_columns(pl.col("age").cast(pl.Float32).fill_null(np.nan), pl.col("centre").cast(pl.Int16))
    path = tmp_path / "people.parquet"
    own.with_columns(pl.col("sex").cast(pl.Categorical)).write_parquet(path)
    if zipped:
        (tmp_path / "people.parquet.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / "people.parquet.gz"
    assert user_tables.read(path).frame.equals(PEOPLE)


def test_ids_of_numbers_are_whole_in_every_kind_of_file(tmp_path):
    pl.DataFrame({"person_id": [7.0, None, 1e6]}).write_parquet(tmp_path / "a.parquet")
    assert user_tables.read(tmp_path / "a.parquet").frame["person_id"].to_list() == ["7", None, "1000000"]
    pl.DataFrame({"person_id": [7.5, 1.0]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(UserError, match=r"row 1: person_id is 7.5"):
        user_tables.read(tmp_path / "b.parquet")
    assert read(tmp_path, "person_id,a\n7.0,1\n1000000.0,2").frame["person_id"].to_list() == ["7", "1000000"]
    with pytest.raises(UserError, match=r"line 3: person_id is '1e\+05', a rounded number"):
        read(tmp_path, "person_id,a\n99999,1\n1e+05,2")


def test_columns_have_the_types_of_all_their_values(tmp_path):
    table = read(tmp_path, "i,f,t,b,n,e,m,g\n1,1.5,x,TRUE,NA,1e3,1,12345678901234567890\n2,2,1,false,,-.5,b3,1\n").frame
    kinds = {"i": pl.Int64, "f": pl.Float64, "t": pl.String, "b": pl.Boolean, "n": pl.Float64, "e": pl.Float64}
    assert table.schema == kinds | {"m": pl.String, "g": pl.Float64}
    assert table["b"].to_list() == [True, False]
    assert read(tmp_path, "code,x\n007,1", text=["code"]).frame["code"].to_list() == ["007"]


FAULTY = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n \n", "the file is empty"),
    "header": (b"person_id,age\n", r"a header \(person_id, age\) and no row"),
    "long": (b"person_id,age\nP1,50\nP2,51,3\n", "line 3 has 3 cells, the header 2"),
    "short": (b"person_id,age\nP1,50\n\nP2\n", "line 4 has 1 cells, the header 2"),
    "latin": ("person_id,note\nP1,x\nP2,Köln\n".encode("latin-1"), "line 3: byte 0xf6 is not UTF-8"),
    "utf-16 without mark": ("person_id,age\nP1,5".encode("utf-16-le"), "line 1: a NUL byte"),
    "twins": (b"person_id,age, age\nP1,5,6\n", "two columns are called 'age'"),
    "comma": (b'person_id,age\nP1,"50,5"\nP2,51\n', "line 2: age is '50,5', a number with a decimal comma"),
    "comma in semicolons": (b"person_id;age\nP1;50\nP2;51,25\n", "line 3: age is '51,25', a number with a decimal"),
    "open quote": (b'person_id,age\n"P1,50\nP2,51\n', "line 2: a quotation mark without its second"),
    "stray quote": (b'person_id,age\nP0,1\n"P1"x,50\n', "line 3: a quotation mark"),
    "header again": (b"person_id,age\nP1,5\nperson_id,age\n", "line 3 repeats the header"),
    "line end in an id": (
        b'person_id,age\nP0,1\n"P1\n",5\n"P\n2",5\n',
        "line 5: person_id has a quotation mark or a line end",
    ),
    "xlsx": (b"PK\x03\x04....", "an Excel workbook or ZIP archive"),
    "cut gzip": (gzip.compress(b"person_id,age\nP1,5\n" * 99)[:-9], "damaged or cut short"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_names_file_and_line(tmp_path, fault):
    data, said = FAULTY[fault]
    with pytest.raises(UserError, match=rf"people\.csv: .*{said}"):
        read(tmp_path, data)
    with pytest.raises(UserError, match="no such file"):
        user_tables.read(tmp_path / "nowhere.csv")


def test_checks_name_the_line_of_what_they_find(tmp_path):
    table = read(tmp_path, 'person_id,age\nP1,50\n"P2",\nP4,b3\n\nP3,inf\nP1,7\n,8\n')
    assert table.lines.tolist() == [2, 3, 4, 6, 7, 8]
    with pytest.raises(UserError, match=r"a person appears more than once \(line 2 and line 7 have") as told:
        table.once("person_id", "person")
    assert "P1" not in str(told.value)  # who withdrew may be in the table, and logs are kept
    with pytest.raises(UserError, match=r"line 4: age is 'b3', which is no number \(2 such cells\)"):
        table.numbers("age")
    with pytest.raises(UserError, match="line 8: no person_id"):
        table.complete("person_id")
    with pytest.raises(UserError, match=r"no column bmi \(covariates\); it has person_id, age"):
        table.need({"bmi": "covariates"})


def test_an_unnamed_column_is_left_out_and_known(tmp_path):
    table = read(tmp_path, ",person_id,t\n0,P1,5\n1,P2,6\n")
    assert table.frame.columns == ["person_id", "t"]
    assert table.unnamed == ("column 1",)


def numbered(lines, mark, names):
    """`lines` with names of rows before all but the header, as R's write.table writes them."""
    return "\n".join([lines[0], *(f"{name}{mark}{line}" for name, line in zip(names, lines[1:], strict=True))])


QUOTED_NAMES = [f'"{row + 1}"' for row in range(PEOPLE.height)]
SUBSET_NAMES = ['"7"', '"2"', '"31"', '"4"', '"5"']
R_TABLES = {
    "blanks": numbered(cells(" ", "NA", quote=True), " ", QUOTED_NAMES),
    "rows of a subset": numbered(cells(" ", "NA", quote=True), " ", SUBSET_NAMES),
    "tabs": numbered(cells("\t", "NA", quote=True), "\t", QUOTED_NAMES),
    "commas": numbered(cells(",", "NA", quote=True), ",", QUOTED_NAMES),
    "empty cells": numbered(cells(",", '""', quote=True), ",", QUOTED_NAMES),
}


@pytest.mark.parametrize("suffix", ["csv", "txt", "tsv"])
@pytest.mark.parametrize("how", R_TABLES)
def test_row_names_of_r_are_a_column_without_a_name(tmp_path, how, suffix):
    table = read(tmp_path, R_TABLES[how], f"people.{suffix}")
    assert table.frame.equals(PEOPLE)
    assert table.unnamed == ("column 1",)
    assert table.lines.tolist() == [2, 3, 4, 5, 6]


def test_cells_between_blanks_hold_blanks_and_quotation_marks(tmp_path):
    table = read(
        tmp_path, '"person id" "note of it"\n"P 1" "a ""b"" c"\n  P2   "a \\"b\\" c"\n"" x\n', "people.txt"
    ).frame
    assert table.columns == ["person id", "note of it"]
    assert table.rows() == [("P 1", 'a "b" c'), ("P2", 'a "b" c'), (None, "x")]


NO_ROW_NAMES = {
    "decimal commas": ("person_id,age\n1,50,5\n2,51,2\n", "line 2 has 3 cells, the header 2.*a decimal comma"),
    "decimal commas and quotes": ('"person_id","age"\n"7",50,5\n"9",51,2\n', "line 2 has 3 cells, the header 2"),
    "a name is missing": ("person_id\tage\nP1\tf\t50\nP2\tm\t51\n", "line 2 has 3 cells, the header 2"),
    "ids, and a name is missing": ("person_id\tage\n7\tf\t50\n9\tm\t51\n", "line 2 has 3 cells.*names of rows"),
    "no quotes": ("person_id\tage\n1\tP1\t50\n2\tP2\t51\n", "line 2 has 3 cells, the header 2.*row.names = FALSE"),
    "a name is missing in quotes": ('"person_id" "age"\n"P1" 1 50\n"P2" 2 51\n', "line 2 has 3 cells.*names of rows"),
    "one row": ("person_id age\n1 50\n2 51 7\n", "line 3 has 3 cells, the header 2"),
    "all rows but one": ("person_id age\n1 50 7\n2 51\n", "line 2 has 3 cells, the header 2"),
    "open quote": ('"person_id" "age"\n"P1" 50\n"P2 51\n', "line 3: a quotation mark without its second"),
}


@pytest.mark.parametrize("how", NO_ROW_NAMES)
def test_other_rows_that_are_longer_than_the_header_are_errors(tmp_path, how):
    data, said = NO_ROW_NAMES[how]
    with pytest.raises(UserError, match=rf"people\.csv: {said}"):
        read(tmp_path, data)


COMMAS = {
    "a word": ["23,5", "24,1", "unbekannt", "27"],
    "a bound": ["<15", "24,1", "25,0", "26"],
    "thousands": ["2,5", "1.234,5", "7,25", "x"],
    "blanks": ["1 234,5", "7,25", "12", "x"],
    "of English": ["1,234.5", "1,250", "980.5", "x"],
    "signs": ["-0,5", "+1,5e-3", ",25", "x"],
}


@pytest.mark.parametrize("how", COMMAS)
def test_one_odd_cell_hides_no_decimal_commas(tmp_path, how):
    first = next(k for k, cell in enumerate(COMMAS[how]) if "," in cell)
    rows = "".join(f"P{k};{cell}\n" for k, cell in enumerate(COMMAS[how]))
    with pytest.raises(UserError, match=rf"line {first + 2}: bmi is '{re.escape(COMMAS[how][first])}', a number with"):
        read(tmp_path, f"person_id;bmi\n{rows}")


@pytest.mark.parametrize("values", [["1", "2", "1,3", "2,4,5"], ["a,1", "b,2", "1,2", "c"], ["I10,5", "J1", "K", "L"]])
def test_lists_and_words_with_commas_are_text(tmp_path, values):
    rows = "".join(f"P{k};{cell}\n" for k, cell in enumerate(values))
    assert read(tmp_path, f"person_id;codes\n{rows}").frame["codes"].to_list() == values


def test_row_numbers_are_told_by_name_or_by_what_they_are():
    rows, other = pl.Series([0, 1, 2]), pl.Series([3, 1, 2])
    assert user_tables.row_number("Unnamed: 0", other)
    assert user_tables.row_number("index", rows)
    assert user_tables.row_number("rownames", rows + 1)
    assert not user_tables.row_number("index", other)
    assert not user_tables.row_number("rank", rows)


LISTS = {
    "lines": "0012\nP 2\n7\n",
    "excel": '\ufeff0012\r\n"P 2"\r\n# 9 a comment\r\n7,\r\n',
    "header": "eid\n0012\nP 2\n7\n",
    "columns": 'person_id,reason,sample_id\n0012,asked,\n"P 2",,NA\n,asked,7\n',
    "comments": "# withdrawn\n\n0012 # by letter\n  P 2\t\n7;;\n",
}


@pytest.mark.parametrize("how", LISTS)
def test_lists_of_ids_are_read_however_they_are_written(tmp_path, how):
    (tmp_path / "w.csv").write_text(LISTS[how], newline="")
    entries = user_tables.read_ids(tmp_path / "w.csv")
    assert [name for _, name in entries] == ["0012", "P 2", "7"]
    lines = LISTS[how].replace("\r\n", "\n").split("\n")
    assert all(name in lines[number - 1] for number, name in entries)


def test_lists_of_family_and_person_of_whole_numbers_and_of_two_ids(tmp_path):
    (tmp_path / "w.txt").write_text("1001.0 1001.0\n1002.0\t1002.0\n")
    assert user_tables.read_ids(tmp_path / "w.txt") == [(1, "1001"), (2, "1002")]
    (tmp_path / "w.txt").write_text("1001\n1002,2025-01-03\n")
    with pytest.raises(UserError, match="line 2 has 2 cells; write one id a line"):
        user_tables.read_ids(tmp_path / "w.txt")
    (tmp_path / "w.txt").write_text("")
    assert user_tables.read_ids(tmp_path / "w.txt") == []


FORMS = {  # of a list that holds 0012, P 2 and 7
    "plink header": 'FID IID\nf1 0012\n0\t"P 2"\nf1  7\n',
    "plink version 2": "#FID\tIID\tSID\nf1\t0012\t1\n0\tP 2\nf1\t7\n",
    "no family": '0 0012\n0\t"P 2"\n0 7\n',
    "r": '"eid" "date"\n"0012" "2025-01-02"\n"P 2" NA\n7 NA\n',
    "title": "Participant ID\n0012\nP 2\n7.0\n",
    "participant_id": "participant_id;when\n0012;1\nP 2;\n7.0;3\n",
    "excel": "sep=;\neid;reason\n0012;x\nP 2;y\n7.00;z\n",
}


@pytest.mark.parametrize("how", FORMS)
def test_forms_of_other_programs_mean_the_same_ids(tmp_path, how):
    (tmp_path / "w.txt").write_text(FORMS[how])
    assert [name for _, name in user_tables.read_ids(tmp_path / "w.txt")] == ["0012", "P 2", "7"]


UNCLEAR = {
    "f1 1001\nf2 1002\n": "line 1 has 2 words and no header says which is the id; write FID IID",
    "0 1000\nf1 1001\nf2 1002\n": "line 2 has 2 words",
    "f1\t1001\n": "line 1 has 2 cells; write one id a line",
    "eid\n1001\n1e+06\n": r"line 3: '1e\+06' is a rounded number",
    "1001\n1.2E+06\n": r"line 2: '1.2E\+06' is a rounded number",
    "person_id\n1\t1001\n": "line 2 has 2 cells, the header 1",
    "FID IID\nf1 1001\n1002\n": "line 3 has 1 cells, the header 2",
    "date,eid\n2025-01-01\n": "line 2 has no id",
}


@pytest.mark.parametrize("text", UNCLEAR)
def test_a_list_whose_ids_are_not_clear_is_refused_with_its_line(tmp_path, text):
    (tmp_path / "w.txt").write_text(text)
    with pytest.raises(UserError, match=rf"w\.txt: {UNCLEAR[text]}"):
        user_tables.read_ids(tmp_path / "w.txt")


def test_ids_of_a_list_in_parquet_are_text(tmp_path):
    def ids(**columns):
        pl.DataFrame(columns, strict=False).write_parquet(tmp_path / "w.parquet")
        return user_tables.read_ids(tmp_path / "w.parquet")

    assert ids(eid=["00123", None, "P 2", "7.0"]) == [(1, "00123"), (3, "P 2"), (4, "7")]
    assert ids(eid=[123.0, None], date=["x", "y"]) == [(1, "123")]
    assert ids(Participant=["001"]) == [(1, "001")]
    assert ids(FID=["f", "0"], IID=[5, 6]) == [(1, "5"), (2, "6")]
    with pytest.raises(UserError, match="no column of ids among a, b"):
        ids(a=["1"], b=["2"])
    with pytest.raises(UserError, match=r"'1e\+06' is a rounded number"):
        ids(eid=["5", "1e+06"])
    with pytest.raises(UserError, match="column eid is of type List"):
        ids(eid=[["1"]])


EQUAL = 0.3  # share of mutations, at least, that leave the table as it is


def insert(line: str, mark: str, at: float) -> str:
    """`line` with a mark at a place, a share of its length."""
    place = round(at * len(line))
    return line[:place] + mark + line[place:]


MUTATIONS = {  # of a line by its separator and a number from 0 to 1; what they make of the table: equal, or other text
    "blank": lambda line, mark, at: [" " * round(3 * at), line],
    "trailing": lambda line, mark, at: [line + mark * (1 + round(2 * at))],
    "blanks": lambda line, mark, at: [line.replace(mark, f" {mark} ")],
    "lacking": lambda line, mark, at: [line.replace(mark, "", 1)],
    "quote": lambda line, mark, at: [insert(line, '"', at)],
    "longer": lambda line, mark, at: [line + mark + "x"],
    "around": lambda line, mark, at: [f"  {line} "],
    "empty": lambda line, mark, at: [line, mark * round(5 * at)],
    "twice": lambda line, mark, at: [line, line],
    "byte": lambda line, mark, at: [insert(line, "\udcff", at)],
}


def mutated(rng: np.random.Generator) -> tuple[str, bytes, set[str]]:
    """Name and bytes of a people table with up to three mutations and an encoding of its own, and which these are."""
    mark, missing = str(rng.choice([",", "\t", ";"])), str(rng.choice(["", "NA", "nan", ".", "NULL", " "]))
    lines, done = cells(mark, missing, quote=rng.random() < 0.3), set()
    for kind in rng.choice(list(MUTATIONS), rng.integers(0, 4)).tolist():
        k = int(rng.integers(len(lines)))
        lines[k : k + 1] = MUTATIONS[kind](lines[k], mark, rng.random())
        done.add(kind)
    text = str(rng.choice(["\n", "\r\n", "\r"])).join(lines)
    codings = ["utf-8", "utf-8-sig", "utf-16", "latin-1"]
    coding = str(rng.choice(codings, p=[0.5, 0.25, 0.15, 0.1]))
    done |= {coding} & {"latin-1"}
    text = text.replace("\udcff", "") if coding == "utf-16" else text
    data = text.encode(coding, "surrogateescape")
    if rng.random() < 0.1:
        data = data[: int(rng.integers(len(data)))]
        done.add("cut")
    if rng.random() < 0.3:
        return "people.csv.gz", gzip.compress(data), done
    return str(rng.choice(["people.csv", "people.tsv", "people.txt"])), data, done


def test_two_thousand_mutations_end_in_an_equal_table_or_an_error_with_file_and_line(tmp_path):
    rng, equal, failed = np.random.default_rng(15), 0, 0
    for number in range(2000):
        name, data, done = mutated(rng)
        try:
            table = read(tmp_path, data, name).need(PEOPLE.columns).complete("person_id").once("person_id", "person")
        except UserError as error:
            said, failed = str(error), failed + 1
            assert said.startswith(str(tmp_path / name)), (number, said)
            assert re.search(r"line \d+|is empty|and no row|no column", said), (number, said)
            assert done, (number, said)  # the encoding or the separator alone is no fault
            continue
        equal += table.frame.equals(PEOPLE)
        text = table.frame.with_columns(pl.col(pl.String).str.replace_all('"', "")) if "quote" in done else table.frame
        shifted = "lacking" in done and done & {"longer", "trailing"}  # of one line: as many cells, other ones
        same = shifted or text.equals(PEOPLE) or ("cut" in done and text.height <= PEOPLE.height)
        assert same or ("quote" in done and text.cast(pl.String).equals(PEOPLE.cast(pl.String))), (number, done, data)
    assert equal > EQUAL * 2000
    assert failed > 200
