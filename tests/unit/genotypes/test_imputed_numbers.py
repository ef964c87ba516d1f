"""What is computed of dosages: INFO by sex, no Hardy-Weinberg test, build by rs numbers, every BGEN, indels."""

import numpy as np
import polars as pl
import pytest
from tests.unit.genotypes.test_files_in import IDS, calls_of, plink, write_pgen

from ecgwas.config import Genotypes, GenotypeSource
from ecgwas.errors import UserError
from ecgwas.genotype_files import bgen_files, build_check, pgen, sources
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotypes.qc import counts, hail_steps, qc
from ecgwas.genotypes.qc.hardy_weinberg import hardy_weinberg_p


def posteriors(r2: float, p: float, n: int, copies: int, rng) -> np.ndarray:
    """ALT probabilities [copies, n] of haplotypes imputed with that r²; copies of one haplotype are doubled later."""
    a = 1 / r2 - 1
    return rng.beta(a * p, a * (1 - p), (copies, n))


def test_info_on_x_is_that_of_each_sex(tmp_path):
    """Women have two copies, men one that counts twice: r² of both is what the haplotypes were imputed with."""
    rng = np.random.default_rng([81])
    for r2 in (0.3, 0.6, 0.9):
        women, men = posteriors(r2, 0.3, 30_000, 2, rng), posteriors(r2, 0.3, 30_000, 1, rng)
        dosages = np.concatenate([women.sum(0), 2 * men[0]])[None]
        is_man = np.arange(60_000) >= 30_000
        assert counts.dosage_r2(dosages, is_man)[0] == pytest.approx(r2, abs=0.02)
        assert counts.dosage_r2(dosages)[0] > 1.35 * r2 or r2 > 0.7
        assert counts.dosage_r2(dosages[:, is_man], is_man[is_man])[0] == pytest.approx(r2, abs=0.02)
        # IMPUTE's INFO of the same, from the spread of each person's genotype
        spread = (women * (1 - women)).sum() + 4 * (men * (1 - men)).sum()
        row = {
            "contig": "X",
            "position": 5_000_000,
            "dosage_sum": dosages.sum(),
            "spread_sum": spread,
            "called": 60_000,
        }
        table = pl.DataFrame(row | {"men_sum": 2 * men.sum(), "men_called": 30_000})
        assert table.select(hail_steps.info_score(pl.lit(True))).item() == pytest.approx(r2, abs=0.02)
        on_1 = 1 - spread / (60_000 * dosages.mean() * (1 - dosages.mean() / 2))
        assert table.select(hail_steps.info_score()).item() == pytest.approx(max(on_1, 0), abs=1e-9)


def test_a_good_imputed_variant_departs_by_rounding_alone_and_is_not_tested(tmp_path):
    """Perfect proportions, r² 0.8, n = 400,000: rounded dosages are far from Hardy-Weinberg."""
    rng = np.random.default_rng([82])
    dosages = posteriors(0.8, 0.3, 400_000, 2, rng).sum(0)[None].astype(np.float32)
    state = counts.states(dosages)
    found = np.array([[(state == s).sum() for s in range(3)]])
    assert hardy_weinberg_p(found)[0] < 1e-10
    assert not counts.whole_calls(dosages)[0]
    assert counts.whole_calls(state.astype(np.float32))[0]


def test_exchanged_alleles_are_one_variant_for_snps_alone():
    rows = [("1", 5, "C", "CT"), ("1", 5, "CT", "C"), ("1", 6, "A", "G"), ("1", 6, "G", "A"), ("1", 7, "A", "AT")]
    rows += [("1", 7, "A", "AT"), ("1", 8, "AC", "GT"), ("1", 8, "GT", "AC")]
    table = pl.DataFrame(rows, schema=["contig", "position", "ref", "alt"], orient="row")
    lost = qc.unusable_variants(table)
    assert lost["id"].to_list() == ["1:6:A:G", "1:6:G:A", "1:7:A:AT", "1:7:A:AT"]
    assert set(lost["reason"]) == {"duplicate"}


@pytest.mark.parametrize("phased", [False, True])
@pytest.mark.parametrize("compression", ["zlib", "zstd", None])
@pytest.mark.parametrize("bits", [8, 12, 16, 32])
def test_every_bgen_is_read(tmp_path, bits, compression, phased, capsys):
    from bgen import BgenWriter

    rng = np.random.default_rng([83])
    h = rng.random((5, 7, 2))
    unphased = np.stack([(1 - h).prod(2), (h * (1 - h[..., ::-1])).sum(2), h.prod(2)], 2)
    p = np.stack([1 - h[..., 0], h[..., 0], 1 - h[..., 1], h[..., 1]], 2) if phased else unphased
    path = tmp_path / "a.bgen"
    with BgenWriter(str(path), n_samples=7, samples=IDS, compression=compression) as stream:
        for i in range(5):
            stream.add_variant(f"v{i}", f"v{i}", "1", 5 + i, ["A", "G"], p[i], phased=phased, bit_depth=bits)
    files = sources.open_files(GenotypeSource(format="bgen", paths=[path], build="GRCh37"))
    assert files.by_hail == ((bits, compression, phased) == (8, "zlib", False))
    with GenotypeReader(files.manifest(), files.variants, range(7)) as reader:
        np.testing.assert_allclose(reader.read(slice(None)), h.sum(2), atol=2 * 1.01 / (2**bits - 1) + 1e-6)
    said = capsys.readouterr().out
    assert ("phased" in said) == phased
    assert f"{bits} bits" in said or compression == "zstd"


def test_bgen_of_layout_1_is_read(tmp_path):
    from bgen import BgenWriter

    p = np.random.default_rng([84]).dirichlet([1, 1, 1], (2, 7))
    path = tmp_path / "a.bgen"
    with BgenWriter(str(path), n_samples=7, samples=IDS, compression="zlib", layout=1) as stream:
        for i in range(2):
            stream.add_variant(f"v{i}", f"v{i}", "1", 5 + i, ["A", "G"], p[i])
    (tmp_path / "a.sample").write_text("ID_1 ID_2 missing\n0 0 0\n" + "".join(f"{i} {i} 0\n" for i in IDS))
    source = GenotypeSource(format="bgen", paths=[path], sample_file=tmp_path / "a.sample", build="GRCh37")
    files = sources.open_files(source)
    assert not files.by_hail
    with GenotypeReader(files.manifest(), files.variants, range(7)) as reader:
        np.testing.assert_allclose(reader.read(slice(None)), p @ [0, 1, 2], atol=1e-4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ID_1 ID_2 missing sex\n0 0 0 D\nf1 s1 0 1\nf2 s2 0 2\n", ["s1", "s2"]),
        ("ID\n0\ns1\ns2\n", ["s1", "s2"]),
        ("ID missing sex\n0 0 D\ns1 0 1\ns2 0 2\n", ["s1", "s2"]),
        ("ID phenotype\n0 C\ns1 0.5\ns2 NA\n\n", ["s1", "s2"]),
        ("ID_1\tID_2\tmissing\r\n0\t0\t0\r\ns1\ts1\t0\r\ns2\ts2\t0\r\n", ["s1", "s2"]),
    ],
)
def test_sample_files_of_every_habit(tmp_path, text, expected):
    (tmp_path / "a.sample").write_bytes(text.encode())
    assert bgen_files.read_sample_file(tmp_path / "a.sample") == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s1\ns2\ns3\n", "not an Oxford .sample file"),
        ("ID_1 ID_2 missing\n0 0 0\nf1 s1 0\nf2\n", r"line 4 has no second id"),
        ("", "an empty .sample file"),
        ("ID_1 ID_2 missing\n0 0 0\n\xe9 \xe9 0\n", "UTF-8"),
    ],
)
def test_bad_sample_files_are_named(tmp_path, text, words):
    (tmp_path / "a.sample").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=words):
        bgen_files.read_sample_file(tmp_path / "a.sample")


def of_build(build: str, n: int | slice = slice(None)) -> pl.DataFrame:
    known = build_check.common_snps()[n]
    return known.select("contig", "rsid", position=build)


def test_the_build_is_told_by_rs_numbers(tmp_path, capsys):
    for build, other in (("GRCh37", "GRCh38"), ("GRCh38", "GRCh37")):
        build_check.check(of_build(build, slice(100, 103)), build, "a.bed")
        assert f"build {build}: 3 common SNPs known by rs numbers" in capsys.readouterr().out
        with pytest.raises(UserError, match=rf"a\.bed: positions are of {other}, not {build}: of 3.*`build: {other}`"):
            build_check.check(of_build(other, slice(100, 103)), build, "a.bed")
    build_check.check(pl.DataFrame({"contig": ["1"], "rsid": ["v1"], "position": [5]}), "GRCh37", "a.bed")
    assert "not checked" in capsys.readouterr().out


def test_without_rs_numbers_the_build_is_told_by_places(capsys):
    """A dense file has a variant at the place of every common SNP of its own build, and at few of the other's."""
    rng = np.random.default_rng([85])
    near = of_build("GRCh37").with_columns(
        (pl.col("position") + pl.Series(rng.integers(-5000, 5000, 2200))).cast(pl.Int32)
    )
    dense = pl.concat([of_build("GRCh37"), near]).with_columns(rsid=pl.lit("."))
    build_check.check(dense, "GRCh37", "a.bed")
    assert "known by places of common SNPs" in capsys.readouterr().out
    with pytest.raises(UserError, match="set `build: GRCh37`"):
        build_check.check(dense, "GRCh38", "a.bed")


def test_plink_files_of_the_other_build_are_refused(tmp_path, writers):
    known = of_build("GRCh38", slice(0, 9))
    bed = writers[0](tmp_path / "a", calls_of(1), known["contig"].to_list(), known["position"].to_list(), IDS)
    text = bed.with_suffix(".bim").read_text()
    for i, name in enumerate(known["rsid"]):
        text = text.replace(f"\tv{i}\t", f"\t{name}\t")
    bed.with_suffix(".bim").write_text(text)
    sources.open_files(plink(bed, "GRCh38"))
    with pytest.raises(UserError, match=r"a\.bed: positions are of GRCh38, not GRCh37"):
        sources.open_files(plink(bed))


def test_a_pgen_tells_which_variants_have_dosages(tmp_path):
    dosages = np.random.default_rng([86]).uniform(0, 2, (9, 7))
    dosages[[2, 5]] = np.rint(dosages[[2, 5]])
    source = write_pgen(tmp_path / "a.pgen", dosages)
    assert pgen.with_dosages(source.paths[0]) == 7
    source = write_pgen(tmp_path / "b.pgen", np.rint(dosages))
    assert pgen.with_dosages(source.paths[0]) == 0
    files = sources.open_files(source)
    with GenotypeReader(files.manifest(), files.variants, [0, 1]) as reader:
        assert reader.hard_calls
        calls = np.empty((9, 2), np.int8)
        reader.read_calls(slice(0, 9), calls)
        assert np.array_equal(calls, np.rint(dosages[:, :2]))


def test_filter_and_measure_of_a_pvar_exclude(tmp_path):
    source = write_pgen(tmp_path / "a.pgen", np.ones((9, 7)))
    pvar = tmp_path / "a.pvar"
    lines = pvar.read_text().splitlines()
    lines[1] += "\tFILTER\tINFO"
    lines[2:] = [
        f"{line}\t{'LOWQ' if i == 1 else 'PASS'}\tR2={0.1 if i == 2 else 0.9}" for i, line in enumerate(lines[2:])
    ]
    pvar.write_text("\n".join(lines) + "\n")
    kept, lost = qc.flagged_variants(sources.open_files(source).variants, Genotypes())
    assert lost["reason"].to_list() == ["filter: LOWQ", "info: R2"]
    assert kept.height == 7
