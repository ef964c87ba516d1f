"""The page is whole, valid, self-contained, and the same twice."""

import html
import json
import re
import shutil
from html.parser import HTMLParser

import polars as pl
import pytest

from ecgwas import config, tables
from ecgwas.errors import UserError
from ecgwas.files import write_parquet
from ecgwas.report import page, summary
from ecgwas.report.sections import cohort

VOID = {"meta", "link", "img", "br", "hr", "input", "col"}


class Checker(HTMLParser):
    """Collects ids, links and text; asserts that every element is closed by its own end tag."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def checked(text: str) -> Checker:
    """`text` parsed, with the laws every page obeys."""
    parser = Checker()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids)), "an id appears twice"
    for link in parser.links:
        assert link.startswith(("#", "data:image/png;base64,")), f"{link[:80]} is not within the page"
        if link.startswith("#"):
            assert link[1:] in parser.ids, f"{link} leads nowhere"
    assert not re.search(r"url\(|@import|<script|https?://", text), "the page asks for something from elsewhere"
    assert "None" not in " ".join(parser.words)
    assert "nan" not in re.findall(r"\b\w+\b", " ".join(parser.words))
    return parser


def render(study, **changes) -> str:
    """The page of a fake study, written by main as the rule does."""
    settings = config.Report(title="A study", labels={"nano": "learned encoder"}, **changes)
    whole = config.Study(
        study="demo", cohorts=[study.cohort], models=study.models, gwas=config.Gwas(null_chromosomes=["21", "22"])
    )
    report = study.root / "report/index.html"
    page.main(study.root, whole.model_copy(update={"report": settings}), report)
    return report.read_text(encoding="utf-8")


def test_page_holds_every_locus_model_and_section(make_study) -> None:
    study = make_study(loci=3)
    text = render(study)
    parser = checked(text)
    words = " ".join(parser.words)
    for locus in study.loci:
        assert words.count(locus) >= 3, f"{locus} is missing from the loci, regions or credible sets"
        assert f"Locus {locus}" in text
    for name in ("learned encoder", "random", "pca", "intervals", "3 of 3", "2 of 3", "λGC", "GRCh37", "QT (ms)"):
        assert name in words or name == "GRCh37", name
    # The study explains no locus, and its page says nothing of a part that was not asked for.
    for section in cohort.CONTENTS:
        assert (f"{study.cohort}-{section}" in parser.ids) == (section != "hearts"), section


def test_recordings_of_a_cohort_without_genotypes_are_counted(make_study) -> None:
    """Beside a cohort with genotypes, and alone: what entered, what was excluded and why."""
    study = make_study()
    folder = study.root / "cohorts" / "external"
    shutil.copytree(study.root / "cohorts" / study.cohort / "ecg", folder / "ecg")
    whole = config.Study(study="demo", cohorts=[study.cohort, "external"], models=study.models)
    external = config.Cohort(cohort="external", description="Recordings alone.")
    told = {"entries": 2, "excluded": {"recordings": {"withdrawn": 7}}, "lines_that_match_nobody": []}
    (folder / "consent.json").write_text(json.dumps(told))
    for cohorts in ([study.cohort, "external"], ["external"]):
        report = study.root / "report/index.html"
        sources = [external] if "external" in cohorts else []
        page.main(study.root, whole.model_copy(update={"cohorts": cohorts}), report, sources)
        parser = checked(report.read_text(encoding="utf-8"))
        text = report.read_text(encoding="utf-8")
        section = text[text.index('<h2 id="external"') :]
        assert "external-flow" in parser.ids
        assert "<strong>3\u202f000</strong>ECG recordings read" in section
        assert "<strong>2\u202f950</strong>recordings kept, from" in section
        assert "<code>flat_lead</code>" in section
        assert "Consent withdrawn, and excluded before anything below was counted: 7 recordings (2 entries" in section
    lines = summary.lines(study.root, "external", study.models, study.model, {})
    assert lines == ["cohort external: 2,950 of 3,000 recordings kept, from 2,950 people, no genotypes"]


def test_page_is_the_same_twice(make_study) -> None:
    study = make_study()
    first = render(study)
    provenance = (study.root / "report/provenance.json").read_bytes()
    assert render(study) == first
    assert (study.root / "report/provenance.json").read_bytes() == provenance


def test_no_loci_and_no_truth(make_study) -> None:
    study = make_study(loci=0, truth=False)
    words = " ".join(checked(render(study)).words)
    assert "No variant reached study-wide significance" in words
    assert "Planted" not in words


def test_simulated_cohort_in_which_nothing_was_planted(make_study) -> None:
    study = make_study(loci=0, truth=True)
    words = " ".join(checked(render(study)).words)
    assert "without planted loci" in words
    assert "Planted loci found" in words
    assert "0 of 0" in words


@pytest.mark.parametrize(
    "absent",
    [
        "models",
        "recovery",
        "cohorts/demo/ecg",
        "cohorts/demo/genotypes",
        "cohorts/demo/phenotypes",
        "cohorts/demo/gwas/nano/sumstats",
        "cohorts/demo/gwas/nano/crosscheck.parquet",
        "cohorts/demo/gwas/nano/calibration.parquet",
        "cohorts/demo/gwas/random",
        "cohorts/demo/finemap",
    ],
)
def test_a_missing_input_leaves_out_its_part_alone(make_study, absent: str) -> None:
    study = make_study()
    path = study.root / absent
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    checked(render(study))


def test_empty_tables_everywhere(make_study) -> None:
    study = make_study()
    for entry in tables.entries().values():
        if isinstance(entry, tables.Table) and set(entry.wildcards) in ({"cohort"}, {"cohort", "model"}):
            path = entry.at(study.root, **{n: {"cohort": "demo", "model": study.model}[n] for n in entry.wildcards})
            if path.is_file() and path.suffix == ".parquet":
                entry.write(entry.empty(), path)
    for path in (study.root / "cohorts/demo/gwas/nano/sumstats").glob("part-*"):
        write_parquet(pl.read_parquet(path).clear(), path)
    checked(render(study))


def test_names_are_escaped_and_may_be_long(make_study) -> None:
    name = "<b>T-wave & " + "amplitude" * 30
    study = make_study(trait_names=(name, "x"))
    text = render(study)
    checked(text)
    assert html.escape(name) in text
    assert "<b>T-wave" not in text


def test_regions_are_limited_to_the_strongest(make_study) -> None:
    study = make_study(loci=4)
    parser = checked(render(study, regions=1))
    assert "3 more are in the tables" in " ".join(parser.words)
    assert sum(f"demo-{locus.replace(':', '-')}" in parser.ids for locus in study.loci) == 1


def test_a_column_missing_from_a_table_is_named(make_study) -> None:
    study = make_study()
    path = study.root / "cohorts/demo/gwas/nano/loci.parquet"
    write_parquet(pl.read_parquet(path).drop("lead_af"), path)
    with pytest.raises(UserError, match=r"loci\.parquet.*lead_af"):
        render(study)


def test_a_cohort_without_results_is_named(make_study) -> None:
    study = make_study()
    shutil.rmtree(study.root / "cohorts")
    with pytest.raises(UserError, match="demo"):
        render(study)


def test_summary_says_loci_recovery_and_where_the_page_is(make_study, capsys: pytest.CaptureFixture) -> None:
    study = make_study(loci=2)
    render(study)
    capsys.readouterr()
    summary.main(study.root)
    said = capsys.readouterr().out
    assert "2,700 people, 2 study-wide loci" in said
    assert "3 loci at p < 5e-08 in any test, uncorrected;" in said
    assert "learned encoder: 2 of 2" in said
    assert "random: 1 of 2" in said
    assert "λGC" in said
    assert str(study.root / "report/index.html") in said
    with pytest.raises(UserError, match="run the study"):
        summary.main(study.root, "elsewhere/index.html")


def test_provenance_holds_no_absolute_path_or_host(make_study) -> None:
    study = make_study()
    render(study)
    text = (study.root / "report/provenance.json").read_text()
    assert str(study.root) not in text
    assert json.loads(text)["settings"]["report"]["title"] == "A study"
