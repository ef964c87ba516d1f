"""VCF: dosages against a plain reading of the text, what the file marks as failed, and messages for what is wrong."""

import gzip
import itertools
from types import SimpleNamespace

import numpy as np
import polars as pl
import pysam
import pytest

from ecgwas.config import Genotypes, GenotypeSource
from ecgwas.errors import UserError
from ecgwas.genotype_files import vcf, vcf_entries, vcf_fields
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotypes import people, qc_main
from ecgwas.genotypes.qc import cohort, qc
from ecgwas.people import read_withdrawn

HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"


def write(path, rows: list[str], ids=("a", "b", "c")) -> GenotypeSource:
    """A VCF of rows from CHROM to the last sample, tabs as blanks."""
    text = HEAD + "\t".join(ids) + "\n" + "".join(row.replace(" ", "\t") + "\n" for row in rows)
    path.write_text(text)
    return GenotypeSource(format="vcf", paths=[path], build="GRCh37")


def read(source, folder, **more):
    """Variants and dosages [variant, sample]."""
    files = qc_main.open_source(source, folder / "converted", 1, **more)
    with GenotypeReader(files.manifest(), files.variants, range(len(files.sample_ids))) as reader:
        return files, reader.read(slice(None))


def plainly(words: list[str], form: list[str], n_alts: int) -> list[float]:
    """The dosage of each ALT of one sample, by the words of the text: DS, else GP, else GT."""
    told = dict(zip(form, words, strict=False))
    given = [float(x) for x in told.get("DS", ".").split(",") if x not in (".", "")]
    if len(given) == n_alts:
        return given
    values = [float(x) for x in told.get("GP", ".").split(",") if x not in (".", "")]
    pairs = [(j, k) for k in range(n_alts + 1) for j in range(k + 1)]
    if len(values) == len(pairs):
        both = list(zip(values, pairs, strict=True))
        return [sum(v * ((j == a) + (k == a)) for v, (j, k) in both) for a in range(1, n_alts + 1)]
    alleles = told.get("GT", ".").replace("|", "/").split("/")
    if "." in alleles:
        return [float("nan")] * n_alts
    return [2 / len(alleles) * alleles.count(str(a)) for a in range(1, n_alts + 1)]


def random_field(rng, form: list[str], n_alts: int) -> list[str]:
    """Words of one sample; trailing ones may be dropped, any may be missing."""
    n = (n_alts + 1) * (n_alts + 2) // 2
    p = rng.dirichlet(np.ones(n))
    made = {
        "GT": rng.choice([f"{a}{s}{b}" for s in "|/" for a in range(n_alts + 1) for b in range(n_alts + 1)] + ["./."]),
        "DS": ",".join(
            rng.choice([f"{x:.3f}", f"{x:.7f}", f"{x:.2e}", "1", "0.", "2"]) for x in rng.uniform(0, 2, n_alts)
        ),
        "GP": ",".join(f"{x:.5f}" for x in p),
        "XX": rng.choice(["a,b", "", "1|1"]),
    }
    words = [made[name] if rng.random() > 0.15 else "." for name in form]
    return words[: rng.integers(1, len(form) + 1)]


def test_dosages_are_those_of_a_plain_reading_of_the_text():
    rng = np.random.default_rng([71])
    forms = [
        list(f) for k in (1, 2, 3, 4) for f in itertools.permutations(("GT", "DS", "GP", "XX"), k) if set(f) != {"XX"}
    ]
    for _ in range(300):
        form, n_alts = forms[rng.integers(len(forms))], int(rng.integers(1, 4))
        samples = [random_field(rng, form, n_alts) for _ in range(int(rng.integers(1, 12)))]
        expected = np.array([plainly(words, form, n_alts) for words in samples]).T
        raw = "\t".join(":".join(words) for words in samples).encode()
        found = vcf_entries.dosages(raw, form, n_alts, len(samples), on_x=False)
        np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=f"{form} {raw!r}")


@pytest.mark.parametrize(
    ("variant", "smallest"),
    [
        ((100, "CAT", "CT"), (100, "CA", "C")),
        ((100, "GCA", "GCT"), (102, "A", "T")),
        ((100, "GCAT", "GCTT"), (102, "A", "T")),
        ((100, "AT", "A"), (100, "AT", "A")),
        ((100, "AT", "<DEL>"), (100, "AT", "<DEL>")),
    ],
)
def test_the_smallest_form_of_one_alt_of_several(variant, smallest):
    assert vcf_entries.split(*variant) == smallest


def test_one_copy_on_x_counts_as_two():
    raw = b"1:0.75:0.25,0.75\t0|1:1.2:0,0.8,0.2\t0:0:1,0\t.:.:."
    for form in (["GT", "DS", "XX"], ["GT", "XX", "GP"], ["GT", "DS", "GP"]):
        found = vcf_entries.dosages(raw, form, 1, 4, on_x=True)[0]
        np.testing.assert_allclose(found, [1.5, 1.2, 0, np.nan])
    assert vcf_entries.dosages(b"1\t0/1\t0", ["GT"], 1, 3, on_x=False)[0].tolist() == [2, 1, 0]


def test_a_missing_call_on_x_says_nothing_of_copies():
    """DS beside a missing GT stays as it is; beside one known allele (of one digit or two) it counts twice."""
    raw = b".:0.4\t.:1.2\t./.:1.2\t.|.:2\t:0.4\t1:0.4\t0:1"
    found = vcf_entries.dosages(raw, ["GT", "DS"], 1, 7, on_x=True)[0]
    np.testing.assert_allclose(found, [0.4, 1.2, 1.2, 2, 0.4, 0.8, 2])
    ds = ["0"] * 11
    raw = "\t".join(f"{gt}:{','.join([*ds[:10], '0.5'])}" for gt in (".", "11", "0/11")).encode()
    found = vcf_entries.dosages(raw, ["GT", "DS"], 11, 3, on_x=True)[10]
    np.testing.assert_allclose(found, [0.5, 1, 0.5])


def test_probabilities_of_which_one_is_missing_are_missing():
    raw = b"0/1:.,1,0\t0/1:1,.,.\t0/0:nan,0,1\t0/0:0,0.1,0.9\t1/1:.\t1/1:"
    found = vcf_entries.dosages(raw, ["GT", "GP"], 1, 6, on_x=False)[0]
    np.testing.assert_allclose(found, [1, 1, 0, 1.9, 2, 2])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("0:2", "DS of sample 2 is 2, not from 0 to 1, as it has one copy of X"),
        ("1:1.5", "DS of sample 2 is 1.5, not from 0 to 1, as it has one copy of X"),
        (".:2.4", "DS of sample 2 is 2.4, not from 0 to 2$"),
        ("0/1:2.4", "DS of sample 2 is 2.4, not from 0 to 2$"),
        ("0:-0.2", "DS of sample 2 is -0.2, not from 0 to 1"),
    ],
)
def test_a_dosage_out_of_range_is_reported_as_the_file_has_it(entry, words):
    with pytest.raises(vcf_entries.Malformed, match=words):
        vcf_entries.dosages(f"0/0:0\t{entry}".encode(), ["GT", "DS"], 1, 2, on_x=True)


def test_dosages_of_four_decimals_come_back_as_they_were_written(tmp_path):
    x = np.round(np.random.default_rng([72]).uniform(0, 2, (40, 3)), 4)
    rows = [f"1 {10 + i} v{i} A G . PASS . DS {a:.4f} {b:.4f} {c:.4f}" for i, (a, b, c) in enumerate(x)]
    files, dosages = read(write(tmp_path / "a.vcf", rows), tmp_path)
    assert np.array_equal(dosages, x.astype(np.float32))
    assert files.manifest()["sources"][0]["decimals"] == 4
    rows[0] = "1 10 v0 A G . PASS . DS 0.123456 0 0"
    files, dosages = read(write(tmp_path / "a.vcf", rows), tmp_path)
    assert files.manifest()["sources"][0]["decimals"] is None
    assert np.abs(dosages[1:] - x[1:]).max() <= 0.5 / 16384 + 1e-6


def test_calls_alone_are_read_as_calls(tmp_path, capsys):
    files, dosages = read(write(tmp_path / "a.vcf", ["1 5 v A G . . . GT 0|1 1/1 ./."]), tmp_path)
    assert files.manifest()["sources"][0]["whole"]
    np.testing.assert_array_equal(dosages, [[1, 2, np.nan]])
    assert "a.vcf: VCF, 1 records: calls GT of 1" in capsys.readouterr().out
    with GenotypeReader(files.manifest(), files.variants, [2, 0]) as reader:
        assert reader.hard_calls


def test_what_the_file_says_of_its_records_excludes_them_with_a_reason(tmp_path):
    rows = [
        "1 1 a A G . PASS R2=0.9 DS 0 1 2",
        "1 2 b A G . q10;LOWQ R2=0.9 DS 0 1 2",
        "1 3 c A G . PASS R2=0.02 DS 0 1 2",
        "1 4 d A G . . IMP;DR2=0.1;AF=0.3 DS 0 1 2",
        "1 5 e A G . PASS;GENOTYPED INFO=1 DS 0 1 2",
        "1 6 f A G,T . PASS DR2=0.9,0.2 DS 0,0 1,0 0,2",
        "1 7 g A G . PASS AR2=.;MR2=0.1;R2x=0 DS 0 1 2",
    ]
    files, _ = read(write(tmp_path / "a.vcf", rows), tmp_path)
    kept, lost = qc.flagged_variants(files.variants, Genotypes())
    assert lost.select("id", "reason", "value", "limit").rows() == [
        ("1:2:A:G", "filter: q10;LOWQ", None, None),
        ("1:3:A:G", "info: R2", 0.02, 0.3),
        ("1:4:A:G", "info: DR2", 0.1, 0.3),
        ("1:6:A:T", "info: DR2", 0.2, 0.3),
    ]
    assert kept["rsid"].to_list() == ["a", "e", "f", "g"]
    kept, lost = qc.flagged_variants(files.variants, Genotypes(filters="all", min_info=0.15))
    assert lost["id"].to_list() == ["1:3:A:G", "1:4:A:G"]


def test_a_pvar_tells_the_same_as_its_vcf():
    info = ["R2=0.5", "DR2=0.1;R2=0.7", "X;INFO=1e-2", "AF=0.1", ".", "R2=.;DR2=0.4", "Rsq=0.3"]
    filters = ["PASS", ".", "LOWQ", "PASS;IMPUTED", "a;b", "PASS", "GENOTYPED"]
    table = pl.DataFrame({"FILTER": filters, "INFO": info})
    found = table.select(**vcf_fields.flags(table))
    assert found["filter"].to_list() == [vcf_fields.failed_filter(text) for text in filters]
    expected = [vcf_fields.quality(text, 0) or (None, None) for text in info]
    assert found.select("quality_name", "quality").rows() == expected


def test_samples_to_leave_out_are_not_written(tmp_path):
    rows = ["1 5 v A G . . . DS 0.25 1 1.5", "1 6 w A G . . . GT 0/1 1/1 0/0"]
    source = write(tmp_path / "a.vcf", rows, ["first one", "b", "c"])
    files, dosages = read(source, tmp_path, without=frozenset(["b", "not there"]))
    assert files.sample_ids == ["first one", "c"]
    assert files.withheld == {"b"}
    np.testing.assert_array_equal(dosages, [[0.25, 1.5], [1, 0]])
    assert "b" not in (tmp_path / "converted" / "a.psam").read_text().split()
    with pytest.raises(UserError, match=r"a\.vcf: none of its 3 samples"):
        read(source, tmp_path, without=frozenset([*files.sample_ids, "b"]))


@pytest.mark.parametrize("order", [("5,9", "7,5"), ("7,5", "5,9")])
def test_samples_of_an_id_of_a_person_and_a_sample_are_not_written(tmp_path, order):
    """5 is the person of sample 9, and the sample of person 7."""
    (tmp_path / "bridge.csv").write_text("\n".join(("person_id,sample_id", *order, "6,8")))
    (tmp_path / "w.txt").write_text("5\n")
    gone = read_withdrawn(tmp_path / "w.txt", tmp_path / "bridge.csv")
    source = write(tmp_path / "a.vcf", ["1 5 v A G . . . DS 0.25 1 1.5"], ["9", "8", "5"])
    files, _ = read(source, tmp_path, without=gone.ids)
    assert files.sample_ids == ["8"]


X = 3_000_000  # outside the pseudo-autosomal regions of both builds


@pytest.mark.parametrize(("half", "others"), [("0.5", "1"), ("0.5", "0.75"), ("0.50", "0.5")])
def test_an_imputed_dosage_of_a_man_on_x_is_no_heterozygous_call(tmp_path, half, others):
    """One copy with DS 0.5 counts as 1, also where all dosages are then whole; a call 0/1 of a man is missing."""
    rows = [
        f"X {X} v A G . . . GT:DS 0:{half} 1:{others} 0/1:1",
        f"X {X + 1} w A G . . . GP 0.5,0.5 0.5,0,0.5 0,1,0",
        f"X {X + 2} x A G,T . . . GT 0/1 1 1/2",
        f"X {X + 3} y A G . . . GT:DS 0/1:. 0/1:. 0/1:0.25",
        "1 5 z A G . . . GT:DS 0/1:1 0/1:1 0/1:1",
    ]
    files, _ = read(write(tmp_path / "a.vcf", rows), tmp_path)
    expected = [[1, 2 * float(others), 1], [1, 1, 1], [np.nan, 2, 1], [0, 0, 1], [1, 1, 0.25], [1, 1, 1]]
    manifest = files.manifest() | {"males": [0, 1]}
    for samples in ([0, 1, 2], [0], [2, 0]):  # whoever is read beside
        with GenotypeReader(manifest, files.variants, samples) as reader:
            np.testing.assert_array_equal(reader.read(slice(None)), np.array(expected, np.float32)[:, samples])
            assert not reader.hard_calls
    with GenotypeReader(manifest, files.variants.with_columns(flipped=pl.lit(True)), [0, 1, 2]) as reader:
        np.testing.assert_array_equal(reader.read(slice(None)), 2 - np.array(expected, np.float32))


@pytest.mark.parametrize(("form", "call_rate", "af"), [("GT:DS", 1, 0.5), ("GT", 0.5, 0.5)])
def test_dosages_that_are_all_whole_are_counted_as_dosages(tmp_path, form, call_rate, af):
    """In the scan and in the final counts: men's dosages of 1 stay, their heterozygous calls are missing."""
    entries = ["0/1:1", "0:0.5", "1:0.5", "0/1:1"] if form == "GT:DS" else ["0/1"] * 4
    rows = [f"X {X} v A G . . . {form} {' '.join(entries)}"]
    files, _ = read(write(tmp_path / "a.vcf", rows, "abcd"), tmp_path)
    sex = ["female", "male", "male", "female"]
    samples = pl.DataFrame({"sample_id": files.sample_ids, "sex_reported": sex, "sex_genetic": sex})
    settings = Genotypes(min_mac=1, variant_call_rate=0.1)
    source = GenotypeSource(format="vcf", paths=[tmp_path / "a.vcf"], build="GRCh37")
    one = cohort.Cohort(files, samples.with_columns(withdrawn=pl.lit(False)), None, settings, source)
    everyone = np.ones(4, bool)
    cohort.second_look(one, SimpleNamespace(group=np.zeros(4, int), unrelated=everyone))
    assert one.variants.select("call_rate", "af").row(0) == (call_rate, af)
    with GenotypeReader(one.manifest(), one.variants, range(4)) as reader:
        assert reader.hard_calls == (form == "GT")


def test_calls_of_men_on_x_alone_are_still_excluded(tmp_path):
    rows = [f"X {X} v A G . . . GT 0/1 1 0/1", f"X {X + 1} w A G . . . GT 0/1 0/0 1/1"]
    files, _ = read(write(tmp_path / "a.vcf", rows), tmp_path)
    with GenotypeReader(files.manifest() | {"males": [0, 1]}, files.variants, [0, 1, 2]) as reader:
        np.testing.assert_array_equal(reader.read(slice(None)), [[np.nan, 2, 1], [np.nan, 0, 2]])
        assert reader.hard_calls


def test_haplotypes_dosages_are_read_where_ds_is_not(tmp_path):
    rows = ["1 5 v A G . . . HDS 0.25,0.5 0,1 .", "1 6 w A G . . . GT:DS:HDS 0/1:1.2:0.5,0.5 0/0:.:0.1,0.125 1/1:.:."]
    rows += [
        f"X {X} x A G . . . GT:HDS 0|1:0.25,0.75 1:0.75 .:0.5",
        f"X {X + 1} y A G . . . DS:HDS 0.5:0.5 0.5:0.25,0.25 .",
    ]
    files, dosages = read(write(tmp_path / "a.vcf", rows), tmp_path)
    expected = [[0.75, 1, np.nan], [1.2, 0.225, 2], [1, 1.5, 1], [1, 0.5, np.nan]]
    np.testing.assert_allclose(dosages, expected, atol=1e-6)
    assert files.manifest()["sources"][0]["decimals"] == 4


@pytest.mark.parametrize("entry", ["0.5,1.5", "0.1,0.2,0.3", "-0.5"])
def test_haplotypes_dosages_out_of_range_are_named(tmp_path, entry):
    with pytest.raises(UserError, match=r"line 3 \(1:5\): HDS of sample 2"):
        read(write(tmp_path / "a.vcf", [f"1 5 v A G . . . HDS 0,0 {entry} 0,1"]), tmp_path)


def dosages_of_men(scale: float, rng) -> np.ndarray:
    """DS [variant, sample] of 20 men, then 20 women, on X: men from 0 to `scale`."""
    carriers = rng.random((30, 40, 2)) < 0.3
    copies = np.clip(carriers * 0.96 + 0.02, 0, 1)
    return np.where(np.arange(40) < 20, scale * copies[..., 0], copies.sum(-1))


def x_rows(ds: np.ndarray, start: int = X, form: str = "DS", lead: str = "") -> list[str]:
    """Records on X of DS [variant, sample]."""
    return [
        f"X {start + i} x{i} A G . . . {form} {' '.join(f'{lead}{d:.3f}' for d in row)}" for i, row in enumerate(ds)
    ]


PEOPLE = [f"m{i}" for i in range(20)] + [f"w{i}" for i in range(20)]
MEN = frozenset(PEOPLE[:20])


@pytest.mark.parametrize("form", ["DS", "GT:DS"])
@pytest.mark.parametrize("scale", [1, 2])
def test_men_on_x_without_calls_are_read_by_the_range_of_their_dosages(tmp_path, scale, form, capsys):
    """Men's dosages reach from 0 to 2 whatever the file's convention; PAR, women and unknown sex stay as they are."""
    ds = dosages_of_men(scale, np.random.default_rng([4]))
    ds[:, 3] = dosages_of_men(2, np.random.default_rng([5]))[:, 30]  # a woman given as a man
    lead = "" if form == "DS" else ".:"
    rows = x_rows(ds, form=form, lead=lead) + x_rows(ds[:1], 2_000_000, form, lead)  # pseudo-autosomal
    source = write(tmp_path / "a.vcf", rows, PEOPLE)
    files, dosages = read(source, tmp_path, men=MEN)
    expected = ds * np.where((np.arange(40) < 20) & (np.arange(40) != 3), 2 / scale, 1)
    by_place = dict(zip(files.variants["position"].to_list(), dosages, strict=True))
    np.testing.assert_allclose([by_place[X + i] for i in range(30)], expected, atol=1e-6)
    np.testing.assert_allclose(by_place[2_000_000], ds[0], atol=1e-6)
    words = "one copy (0 to 1) in 19 men" if scale == 1 else "two copies (0 to 2)"
    assert f"DS on X without GT is read as of {words}" in capsys.readouterr().out
    _, unknown = read(source, tmp_path)
    np.testing.assert_allclose(unknown.max(), ds.max(), atol=1e-6)


def test_copies_of_men_follow_the_calls_of_other_records(tmp_path):
    """Where men's calls have two alleles, a low DS beside a missing call is of two copies; where one, of one."""
    low = f"X {X + 1} w A G . . . GT:DS .:0.25 .:0.25 .:0.25"
    for call, factor in (("0/0:0", 1), ("0:0", 2)):
        rows = [f"X {X} v A G . . . GT:DS {call} {call} 0/1:1", low]
        _, dosages = read(write(tmp_path / "a.vcf", rows), tmp_path, men=frozenset("ab"))
        np.testing.assert_allclose(dosages[1], [0.25 * factor, 0.25 * factor, 0.25])


def test_men_are_those_of_the_table_of_people_through_the_bridge(tmp_path):
    (tmp_path / "people.csv").write_text("person_id,sex\n1,male\n2,female\n3,M\n4,\n")
    (tmp_path / "bridge.csv").write_text("person_id,sample_id\n1,s1\n2,s2\n3,s3\n4,s4\n")
    assert people.men(tmp_path / "people.csv", None) == {"1", "3"}
    assert people.men(tmp_path / "people.csv", tmp_path / "bridge.csv") == {"s1", "s3"}


BAD = "GT:DS 0/1:-1 0/0/1:0 0/1:x"  # no record fit for analysis may be so


@pytest.mark.parametrize(
    "row",
    [
        f"MT 5 w A G . . . {BAD}",
        f"chrUn_1 5 w A G . . . {BAD}",
        f"Y 5 w A G,T . . . {BAD}",
        f"1 0 w A G . . . {BAD}",
        f"1 6 w A . . . . {BAD}",
        "1 6 w A . . . . GP 1 1 1",
        "1 6 w A . . . . GT:GP 0/0:1 0/0:1 0/0:0.9",
        f"1 6 w A G . LOWQ . {BAD}",
        f"1 6 w A G . PASS;x R2=1 {BAD}",
        f"1 6 w A G . . R2=0.02 {BAD}",
        f"1 6 w A G[1:5[ . . . {BAD}",
        f"1 6 w R G . . . {BAD}",
        "1 6 w A <CN0> . . . CN 1 2 3",
        "1 6 w A G . . . GL -1,-2,-3 -1,-2,-3 -1,-2,-3",
        "1 6 w A G . LOWQ . PL 1 2 3",
    ],
)
def test_a_record_that_is_excluded_anyway_does_not_end_the_run(tmp_path, row):
    """Its dosages are missing, it keeps its row, and the others are read."""
    rows = ["1 5 v A G . PASS . GT:DS 0/0:0.25 0/1:1 1/1:2", row, "1 7 y A G . PASS . GT:DS 0/0:0 0/1:1 1/1:1.5"]
    files, dosages = read(write(tmp_path / "a.vcf", rows), tmp_path)
    np.testing.assert_array_equal(dosages[[0, -1]], np.array([[0.25, 1, 2], [0, 1, 1.5]], np.float32))
    assert len(dosages) == files.variants.height == (4 if "G,T" in row else 3)
    assert np.isnan(dosages[1:-1]).all()
    kept, flagged = qc.flagged_variants(files.variants, Genotypes())
    lost = pl.concat([flagged, qc.unusable_variants(kept)])
    called = row.split()[8] in ("CN", "GL")  # those go by their call rate, which is 0
    assert set(lost["id"]) == (set() if called else set(files.variants[1:-1].select(qc.VARIANT).to_series()))


def test_a_record_that_is_kept_by_the_settings_is_read(tmp_path):
    rows = ["1 5 v A G . q10 R2=0.1 DS 0 1 2", "1 6 w A G . q10 R2=0.1 DS 0 1 -1"]
    source = write(tmp_path / "a.vcf", rows)
    assert np.isnan(read(source, tmp_path)[1]).all()
    for settings in (Genotypes(filters="all"), Genotypes(min_info=0.05)):
        assert np.isnan(read(source, tmp_path, settings=settings)[1]).all()
    settings = Genotypes(filters="all", min_info=0.05)
    with pytest.raises(UserError, match=r"line 4 \(1:6\): DS of sample 3 is -1, not from 0 to 2"):
        read(source, tmp_path, settings=settings)
    source = write(tmp_path / "a.vcf", rows[:1])
    assert read(source, tmp_path, settings=settings)[1].tolist() == [[0, 1, 2]]


def test_what_is_excluded_before_reading_is_what_quality_control_excludes(tmp_path):
    rng = np.random.default_rng([73])
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    alts = ("G", "A", "<DEL>", "*", ".", "g", "N", "]1:5]A", "GTC", "<>", "<NON_REF>")
    rows = [
        vcf.Row(pick("1", "X", "22", "Y", "MT", "HLA*1"), pick(0, 5, 9), f"v{i}", pick("A", "AN", "r", "ACC"),
                pick(*alts), pick(None, None, "q10"), pick(None, ("R2", 0.2), ("R2", 0.3), ("AR2", float("nan"))))
        for i in range(400)
    ]  # fmt: skip
    for settings in (Genotypes(), Genotypes(filters="all"), Genotypes(min_info=0.1)):
        columns = {name: [getattr(row, name) for row in rows] for name in ("contig", "position", "rsid", "ref", "alt")}
        table = pl.DataFrame(columns).with_columns(
            filter=pl.Series([row.filter for row in rows], dtype=pl.String),
            quality=pl.Series([row.quality and row.quality[1] for row in rows], dtype=pl.Float64),
            quality_name=pl.Series([row.quality and row.quality[0] for row in rows], dtype=pl.String),
        )
        for row, one in zip(rows, table.iter_slices(1), strict=True):
            kept, flagged = qc.flagged_variants(one, settings)
            lost = flagged.height + qc.unusable_variants(kept).height
            assert row.excluded(settings) == bool(lost), row


def test_files_of_other_samples_are_named_as_the_user_has_them(tmp_path):
    """Also where two files of one name in two folders are numbered apart."""
    for names in (("b.vcf", "a.vcf"), ("y/geno.vcf", "x/geno.vcf")):
        paths = [tmp_path / name for name in names]
        for c, (path, ids) in enumerate(zip(paths, ("abc", "abd"), strict=True), 1):
            path.parent.mkdir(exist_ok=True)
            write(path, [f"{c} 5 v A G . . . DS 0.25 1 {c}"], ids)
        with pytest.raises(UserError) as found:
            qc_main.open_source(GenotypeSource(format="vcf", paths=paths, build="GRCh37"), tmp_path / "out", 1)
        assert str(found.value).startswith(f"{paths[0]}: its 3 samples are not those of {paths[1]} (3)")
        assert str(tmp_path / "out") not in str(found.value)


def test_several_files_are_converted_in_processes_of_their_own(tmp_path):
    for c in (1, 2):
        write(tmp_path / f"chr{c}.vcf", [f"{c} 5 v A G . . . DS 0.25 1 {c}"])
    source = GenotypeSource(format="vcf", paths=[tmp_path / "chr2.vcf", tmp_path / "chr1.vcf"], build="GRCh37")
    files = qc_main.open_source(source, tmp_path / "converted", 2)
    with GenotypeReader(files.manifest(), files.variants, [2]) as reader:
        assert reader.read(slice(None)).ravel().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1 5 v A G . . . DS 0 x 1", r"a\.vcf: line 3 \(1:5\): 'x' is no number"),
        ("1 5 v A G . . . DS 0 1", r"line 3 \(1:5\): 2 sample fields, but the header names 3"),
        ("1 5 v A G . . . DS 0 1 3", r"line 3 \(1:5\): DS of sample 3 is 3, not from 0 to 2"),
        ("1 5 v A G,T . . . DS 0 1 1", r"line 3 \(1:5\): DS must hold 2 values a sample"),
        ("1 5 v A G . . . GP 10,0,30 1,0,0 1,0,0", r"GP of sample 1 is 3 values of sum 40; expected 3 of sum 1"),
        ("1 5 v A G . . . GT 0/1/1 0/0 0/0", "GT '0/1/1' is not of one or two alleles"),
        ("1 5 v A G . . . GL -1,-2,-3 -1,-2,-3 .", "FORMAT GL has none of DS, HDS, GP, GT.*GL and PL need a prior"),
        ("1 5 v A G . . . PL 0 1 2", "FORMAT PL has none of DS, HDS, GP, GT.*GL and PL need a prior"),
        ("1 p v A G . . . DS 0 1 2", "line 3: position 'p' is no number"),
        ("1 5 v", "line 3 has 3 columns"),
        ("MT 5 v A G . . . GT 0 1", r"line 3 \(MT:5\): 2 sample fields, but the header names 3"),
        ("1 4294967296 v A G . . . DS 0 1 2", r"line 3: position 4294967296 is not below 2\^31"),
        ("1 5 v A G, . . . DS 0 1 2", "line 3: CHROM, REF or an ALT is empty"),
    ],
)
def test_records_that_cannot_be_read_are_named(tmp_path, row, words):
    with pytest.raises(UserError, match=words) as found:
        read(write(tmp_path / "a.vcf", [row]), tmp_path)
    assert "\n" not in str(found.value)


def test_truncated_and_foreign_files_are_named(tmp_path):
    source = write(tmp_path / "a.vcf", [f"1 {i} v A G . . . DS 0 1 2" for i in range(1, 4000)])
    text, path = (tmp_path / "a.vcf").read_bytes(), tmp_path / "b.vcf.gz"
    source = source.model_copy(update={"paths": [path]})
    with pysam.BGZFile(str(path), "wb") as stream:
        stream.write(text)
    whole = path.read_bytes()
    assert read(source, tmp_path)[1].shape == (3999, 3)
    for cut in (len(whole) // 2, len(whole) - 28, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"b\.vcf\.gz: cannot be read as a VCF.*copy it again"):
            read(source, tmp_path)
    path.write_bytes(gzip.compress(text)[:-50])
    with pytest.raises(UserError, match=r"b\.vcf\.gz: cannot be read as a VCF"):
        read(source, tmp_path)
    for content, words in ((b"", "an empty VCF"), (b"hello\n", "not a VCF"), (HEAD.encode() + b"a\n", "no records")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=words):
            read(source, tmp_path)
