"""Parts of the page: figures, genes, flow and words."""

import io
import json
import math
import xml.etree.ElementTree as ET

import matplotlib.image
import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.report import format, genes, inputs, scan
from ecgwas.report.figures import manhattan, qq, svg, training
from ecgwas.report.figures.genome import Mark, genome
from ecgwas.report.sections import flow, loci


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (7.30103, "5.0 × 10⁻⁸"),
        (0.30103, "0.5"),
        (500.0, "1.0 × 10⁻⁵⁰⁰"),
        (12.0001, "1.0 × 10⁻¹²"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_p_values_survive_underflow(value: float | None, written: str) -> None:
    assert format.p_value(value).replace("\u00a0", " ") == written


def test_numbers_in_words() -> None:
    assert format.count(1234567) == "1\u202f234\u202f567"
    assert format.decimal(-0.5, 1) == "−0.5"
    assert format.distance(12_400) == "12.4 kb"
    assert format.parameter("qrs_axis_deg") == "QRS axis (°)"
    assert format.reason("duplicate", "variant") != format.reason("duplicate", "sample")
    assert format.reason("new_reason") == "new reason"


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 7.3), (1e6, 1.5e6), (-2, 2), (0, 3e-9), (5, 5)])
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    marks = svg.ticks(low, high)
    assert 1 <= len(marks) <= 7
    assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)


def test_png_is_read_back_by_another_library() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 4)).astype(np.uint8)
    read = matplotlib.image.imread(io.BytesIO(svg.png(pixels)))
    np.testing.assert_array_equal(np.rint(read * 255).astype(np.uint8), pixels)


def big_scan(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    p = -np.log10(rng.random(n))
    return pl.DataFrame(
        {
            "contig": np.sort(rng.integers(1, 23, n)).astype(str),
            "position": rng.integers(1, 100_000_000, n).astype(np.int32),
            "joint": p.astype(np.float32),
            "axis": p.astype(np.float32),
        }
    )


def test_hundreds_of_thousands_of_variants_make_a_picture_of_bounded_size() -> None:
    table = big_scan(300_000)
    picture = manhattan.manhattan(table, "joint", 7.3, [Mark("3", 5, "x", "planted hit")], "M")
    assert len(picture) < 600_000
    ET.fromstring(picture)
    assert len(qq.qq(table["joint"].to_numpy(), "λGC = 1.000", "QQ")) < 200_000


def test_pictures_do_not_depend_on_the_order_of_variants() -> None:
    table = big_scan(5_000)
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=3).sort("contig", "position")
    same = table.sort("contig", "position")
    assert manhattan.manhattan(same, "joint", 7.3, [], "M") == manhattan.manhattan(shuffled, "joint", 7.3, [], "M")


def test_contigs_are_in_genome_order_with_and_without_prefix() -> None:
    table = pl.DataFrame({"contig": ["chrX", "chr10", "chr2"], "position": [1, 1, 1], "joint": [1.0, 1.0, 1.0]})
    assert genome(table).contigs == ["chr2", "chr10", "chrX"]
    assert sorted(["MT", "X", "10", "2", "HLA"], key=scan.contig_key) == ["2", "10", "X", "MT", "HLA"]


def test_qq_band_holds_null_p_values() -> None:
    picture = qq.qq(big_scan(20_000)["joint"].to_numpy(), "", "QQ")
    root = ET.fromstring(picture)
    assert sum(e.get("class") == "point" for e in root.iter("circle")) > 500


def test_missing_and_infinite_values_are_left_out_of_figures() -> None:
    table = big_scan(100).with_columns(joint=pl.lit(float("nan"), pl.Float32))
    assert manhattan.manhattan(table, "joint", 7.3, [], "M") == ""
    assert qq.qq(np.array([np.nan, np.inf]), "", "QQ") == ""
    assert training.loss(pl.DataFrame({"step": [1], "loss": [float("nan")]})) == ""


def test_a_row_of_the_loci_table_is_about_its_lead_and_one_trait(make_study) -> None:
    """p, β, N and minor alleles are the columns of the loci table, which are of one variant and trait."""
    study = make_study(loci=2)
    found = inputs.read_cohort(study.root, study.cohort, study.model)
    rows = loci.loci_rows(found.rows(tables.LOCI), None)
    for row, told in zip(found.rows(tables.LOCI).iter_rows(named=True), rows, strict=True):
        assert told["trait"] == row["best_trait"]
        assert told["trait_p"] == format.p_value(row["best_trait_neg_log10_p"])
        assert told["beta"] == format.estimate(row["beta"], row["se"])
        assert told["shrunken"] == format.decimal(row["beta_shrunken"], 3)
        assert (told["n"], told["mac"]) == (format.count(row["n"]), format.count(row["mac"]))


def test_thresholds_and_chance_findings_in_words(make_study) -> None:
    study = make_study(loci=2, trait_names=("a", "b", "c"))
    found = inputs.read_cohort(study.root, study.cohort, study.model)
    said = loci.multiplicity_words(found.rows(tables.MULTIPLICITY), 3)
    assert (said["effective_traits"], said["trait_p"], said["n_wider"]) == ("2.5", "2\u00a0×\u00a010⁻⁸", "3 loci")
    assert loci.trait_threshold(found, 99) == pytest.approx(-math.log10(5e-8 / 2.5))
    assert [row["locus"] for row in loci.wider_rows(found.rows(tables.LOCI_ANY_TRAIT), None)] == ["9:9000"]
    assert loci.multiplicity_words(found.rows(tables.MULTIPLICITY).clear(), 0) is None


def test_axis_minimum_is_the_smallest_p_over_traits_of_unequal_df() -> None:
    part = pl.DataFrame({"contig": ["1"], "position": [1], "joint_neg_log10_p": [1.0], "t:a": [4.0], "t:b": [4.1]})
    traits = pl.DataFrame({"trait": ["a", "b"], "df": [1000, 5]})
    found = scan._strongest(part, traits)["axis"][0]
    assert found == pytest.approx(float(scan.from_t(4.0, 1000)), rel=1e-5)


GENES = pl.DataFrame(
    {
        "contig": ["1", "1", "1", "2"],
        "start": [100, 150, 900, 5],
        "end": [400, 200, 950, 9],
        "gene": ["BIG", "SMALL", "FAR", "OTHER"],
    }
)


@pytest.mark.parametrize(
    ("contig", "position", "expected"),
    [
        ("1", 160, ("SMALL", 0)),
        ("1", 300, ("BIG", 0)),
        ("chr1", 870, ("FAR", 30)),
        ("1", 410, ("BIG", 10)),
        ("3", 1, None),
    ],
)
def test_nearest_gene(contig: str, position: int, expected: tuple[str, int] | None) -> None:
    assert genes.nearest(GENES, contig, position) == expected


def test_gene_names_do_not_overlap() -> None:
    stacks = genes.rows_of(genes.within(GENES, "1", 0, 1000), (0, 1000), 20.0)
    assert [[name for name, _, _ in stack] for stack in stacks] == [["BIG", "FAR"], ["SMALL"]]


def test_withdrawn_consent_is_shown_by_numbers_alone(make_study) -> None:
    study = make_study()
    folder = study.root / "cohorts" / study.cohort

    def words_of() -> str:
        return flow.consent_words(inputs.read_cohort(study.root, study.cohort, study.model))

    assert words_of() == ""
    told = {"entries": 0, "excluded": {"recordings": {"withdrawn": 0}}, "lines_that_match_nobody": []}
    (folder / "consent.json").write_text(json.dumps(told))
    assert words_of() == ""
    told = {"people": {"withdrawn": 3}, "recordings": {"withdrawn": 1}, "samples": {"withdrawn": 2}}
    told = {"entries": 4, "excluded": told, "lines_that_match_nobody": [17]}
    (folder / "consent.json").write_text(json.dumps(told))
    expected = "3 people, 1 recording, 2 genotyped samples (4 entries in the list, 1 of them matching nobody here)"
    assert words_of() == expected


def test_flow_adds_up(make_study) -> None:
    study = make_study()
    lanes = flow.lanes(inputs.read_cohort(study.root, study.cohort, study.model), 2700)
    assert [lane.what for lane in lanes][:3] == ["ECG recordings read", "genotyped samples", "variants read"]
    for lane in lanes:
        assert lane.entered - lane.left == sum(drop.number for drop in lane.drops)
