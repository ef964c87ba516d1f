"""Reading genotype files: orientation of alleles, order of samples, and messages for files that are wrong."""

import gzip

import numpy as np
import polars as pl
import pytest

from ecgwas.config import Genotypes, GenotypeSource
from ecgwas.config.cohort import with_siblings
from ecgwas.errors import UserError
from ecgwas.genotype_files import contigs, sources, vcf
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotypes import people
from ecgwas.genotypes.qc import cohort, counts, qc

IDS = [f"s{i}" for i in range(7)]
CONTIG = ["1"] * 4 + ["chr2"] * 3 + ["23"] * 2
POSITION = [10, 20, 30, 40, 5, 6, 7, 3_000_000, 4_000_000]


def calls_of(seed: int) -> np.ndarray:
    """Calls int8 [9, 7] with missing ones."""
    return np.random.default_rng([seed]).integers(-1, 3, (9, 7)).astype(np.int8)


def plink(path, build="GRCh37") -> GenotypeSource:
    return GenotypeSource(format="plink", paths=[path], build=build)


def test_reader_gives_alt_counts_of_bed_in_any_order(tmp_path, writers):
    calls = calls_of(1)
    files = sources.open_files(plink(writers[0](tmp_path / "a", calls, CONTIG, POSITION, IDS)))
    assert files.variants["contig"].to_list() == ["1"] * 4 + ["2"] * 3 + ["X"] * 2
    assert set(files.variants["ref"]) == {"A"}
    assert set(files.variants["alt"]) == {"G"}
    expected = np.where(calls < 0, np.nan, calls)
    rows, samples = [8, 0, 5, 5], [6, 2, 3]
    with GenotypeReader(files.manifest(), files.variants[rows], samples) as reader:
        assert np.array_equal(reader.read([0, 1, 2, 3]), expected[np.ix_(rows, samples)], equal_nan=True)
        blocks = [block for _, block in reader.blocks(3)]
    assert np.array_equal(np.concatenate(blocks), expected[np.ix_(rows, samples)], equal_nan=True)


def test_reader_joins_several_files(tmp_path, writers):
    calls = calls_of(2)
    a = writers[0](tmp_path / "a", calls[:4], CONTIG[:4], POSITION[:4], IDS)
    b = writers[0](tmp_path / "b", calls[4:], CONTIG[4:], POSITION[4:], IDS)
    files = sources.open_files(GenotypeSource(format="plink", paths=[b, a], build="GRCh37"))
    shuffled = files.variants.sample(fraction=1.0, shuffle=True, seed=1)
    with GenotypeReader(files.manifest(), shuffled, list(range(7))) as reader:
        dosages = reader.read(slice(None))
    by_position = dict(zip(POSITION, np.where(calls < 0, np.nan, calls), strict=True))
    for row, position in zip(dosages, shuffled["position"], strict=True):
        assert np.array_equal(row, by_position[position], equal_nan=True)


def test_reader_gives_alt_dosages_of_bgen(tmp_path, writers):
    p = np.random.default_rng([3]).dirichlet([1, 1, 1], (9, 7))
    p[2, 3] = np.nan
    path = writers[1](tmp_path / "a.bgen", p, CONTIG, POSITION, IDS)
    source = GenotypeSource(format="bgen", paths=[path], sample_file=path.with_suffix(".sample"), build="GRCh37")
    files = sources.open_files(source)
    assert files.sample_ids == IDS
    with GenotypeReader(files.manifest(), files.variants, [4, 3]) as reader:
        assert np.allclose(
            reader.read(slice(None)), (p[:, :, 1] + 2 * p[:, :, 2])[:, [4, 3]], atol=0.01, equal_nan=True
        )


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda bed: bed.unlink(), r"a\.bed: no such"),
        (lambda bed: bed.with_suffix(".bim").unlink(), r"a\.bim: no such"),
        (lambda bed: bed.with_suffix(".fam").unlink(), r"a\.fam: no such"),
        (lambda bed: bed.write_bytes(bed.read_bytes()[:-1]), "truncated"),
        (lambda bed: bed.write_bytes(b"abc" + bed.read_bytes()[3:]), "not a variant-major"),
        (lambda bed: bed.with_suffix(".fam").write_text("s 0 0 0 0 -9\n".replace("0", "s1", 1) * 7), "more than once"),
    ],
)
def test_bad_plink_is_named(tmp_path, writers, harm, words):
    bed = writers[0](tmp_path / "a", calls_of(1), CONTIG, POSITION, IDS)
    harm(bed)
    with pytest.raises(UserError, match=words):
        sources.open_files(plink(bed))


def test_position_beyond_the_contig_suggests_the_other_build(tmp_path, writers):
    bed = writers[0](tmp_path / "a", calls_of(1)[:1], ["1"], [249_200_000], IDS)
    sources.open_files(plink(bed))
    with pytest.raises(UserError, match="GRCh37"):
        sources.open_files(plink(bed, "GRCh38"))


def test_bgen_without_a_sample_file_has_its_own_ids_or_needs_one(tmp_path, writers):
    from bgen import BgenWriter

    path = writers[1](tmp_path / "a.bgen", np.full((1, 7, 3), 1 / 3), ["1"], [5], IDS)
    path.with_suffix(".sample").unlink()
    source = GenotypeSource(format="bgen", paths=[path], build="GRCh37")
    assert sources.open_files(source).sample_ids == IDS
    with BgenWriter(str(path), n_samples=7, compression="zlib") as stream:
        stream.add_variant("v", "v", "1", 5, ["A", "G"], np.full((7, 3), 1 / 3), bit_depth=8)
    with pytest.raises(UserError, match="sample_file"):
        sources.open_files(source)


def test_vcf_of_another_build_is_refused(tmp_path):
    path = tmp_path / "a.vcf.gz"
    header = "##fileformat=VCFv4.2\n##contig=<ID=chr7,length=159345973>\n"
    header += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n"
    with gzip.open(path, "wt") as stream:
        stream.write(header)
    lines = vcf.header(path)
    vcf.check_header(path, lines, "GRCh38")
    with pytest.raises(UserError, match="that is GRCh38"):
        vcf.check_header(path, lines, "GRCh37")


def test_contig_names_of_every_habit_are_understood():
    names = pl.DataFrame({"c": ["1", "chr1", "01", "Chr22", "23", "chrX", "X", "25", "MT", "chrUn_1"]})
    found = names.select(contigs.normalise(pl.col("c"))).to_series().to_list()
    assert found == ["1", "1", "1", "22", "X", "X", "X", "X", "MT", "UN_1"]


def test_unusable_variants_go_with_reasons():
    rows = [
        ("1", 5, "A", "G"),
        ("1", 5, "G", "A"),
        ("MT", 5, "A", "G"),
        ("2", 0, "A", "G"),
        ("2", 7, "A", "0"),
        ("2", 8, "A", "T"),
    ]
    table = pl.DataFrame(rows, schema=["contig", "position", "ref", "alt"], orient="row")
    reasons = qc.unusable_variants(table).select("id", "reason").rows()
    assert sorted(reasons) == [
        ("1:5:A:G", "duplicate"),
        ("1:5:G:A", "duplicate"),
        ("2:0:A:G", "position"),
        ("2:7:A:0", "alleles"),
        ("MT:5:A:G", "contig"),
    ]


def test_every_variant_failure_has_value_and_limit():
    table = pl.DataFrame(
        {"contig": ["1", "1"], "position": [1, 2], "ref": "A", "alt": "G", "call_rate": [0.9, 1.0], "mac": [5.0, 500.0]}
    ).with_columns(hwe_p=pl.lit(0.5), info=pl.lit(None, pl.Float64))
    rows = qc.variant_failures(table, Genotypes()).rows()
    assert rows == [("variant", "1:1:A:G", "call_rate", 0.9, 0.97), ("variant", "1:1:A:G", "mac", 5.0, 20.0)]


def test_bridge_and_withdrawals(tmp_path):
    (tmp_path / "people.csv").write_text("person_id,sex\np1,female\np2,M\np3,\n")
    (tmp_path / "recordings.csv").write_text("recording_id,person_id\nr,p1\n")
    (tmp_path / "bridge.csv").write_text("person_id,sample_id\np1,s1\np2,s2\n")
    (tmp_path / "out.txt").write_text("# withdrew in May\ns2\n\n")
    paths = [tmp_path / name for name in ("people.csv", "recordings.csv", "bridge.csv", "out.txt")]
    table = people.describe(["s2", "s1", "s9"], *paths)
    assert table["person_id"].to_list() == ["p2", "p1", None]
    assert table["sex_reported"].to_list() == ["male", "female", None]
    assert table["has_ecg"].to_list() == [False, True, False]
    assert table["withdrawn"].to_list() == [True, False, False]
    with pytest.raises(UserError, match=r"3 samples \(s2, s1, s9\).*3 people \(p1, p2, p3\)"):
        people.describe(["s2", "s1", "s9"], *paths[:2], None, None)
    (tmp_path / "people.csv").write_text("person_id,sex\np1,female\np2,M\np2,M\n")
    with pytest.raises(UserError, match=r"people\.csv: a person appears more than once \(line 3 and"):
        people.describe(["s2", "s1"], *paths)
    (tmp_path / "bridge.csv").write_text("person_id,sample_id\np1,s1\np1,s2\n")
    (tmp_path / "people.csv").write_text("person_id,sex\np1,female\np2,M\np3,\n")
    with pytest.raises(UserError, match="a person appears more than once"):
        people.describe(["s2", "s1"], *paths[:3], None)


def write_pgen(path, dosages) -> GenotypeSource:
    """A .pgen with dosages (NaN missing), its .pvar and .psam."""
    import pgenlib

    with pgenlib.PgenWriter(
        str(path).encode(), dosages.shape[1], variant_ct=len(dosages), nonref_flags=False, dosage_present=True
    ) as stream:
        for row in np.where(np.isnan(dosages), -9, dosages).astype(np.float32):
            stream.append_dosages(row)
    lines = [f"{c}\t{p}\tv{i}\tA\tG" for i, (c, p) in enumerate(zip(CONTIG, POSITION, strict=True))]
    path.with_suffix(".pvar").write_text("##x\n#CHROM\tPOS\tID\tREF\tALT\n" + "\n".join(lines) + "\n")
    path.with_suffix(".psam").write_text("#IID\tSEX\n" + "".join(f"{i}\tNA\n" for i in IDS))
    return GenotypeSource(format="pgen", paths=[path], build="GRCh37")


def test_reader_gives_alt_dosages_of_pgen_and_counts_them(tmp_path):
    dosages = np.random.default_rng([6]).uniform(0, 2, (9, 7))
    dosages[3, 2] = np.nan
    dosages[4] = [0, 1, 2, 0, 1, 2, 0]
    files = sources.open_files(write_pgen(tmp_path / "a.pgen", dosages))
    assert files.sample_ids == IDS
    with GenotypeReader(files.manifest(), files.variants, [6, 2]) as reader:
        assert np.allclose(reader.read(slice(None)), dosages[:, [6, 2]], atol=1e-4, equal_nan=True)
    found, table = counts.variant_counts(files.manifest(), files.variants, np.zeros(7, int))
    assert found[:, 0, 3].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert found[4, 0].tolist() == [3, 2, 2, 0]
    p = dosages[0].mean() / 2
    assert table["info"][0] == pytest.approx(dosages[0].var() / (2 * p * (1 - p)), abs=1e-3)
    assert table["info"][4] is None
    assert np.allclose(table["dosage_sum"], np.nansum(dosages, 1), atol=1e-3)


def test_bad_pgen_is_named_and_several_alleles_say_how_to_split(tmp_path):
    source = write_pgen(tmp_path / "a.pgen", np.ones((9, 7)))
    pvar = tmp_path / "a.pvar"
    text = pvar.read_text()
    pvar.write_text(text.replace("v3\tA\tG", "v3\tA\tG,T"))
    with pytest.raises(UserError, match=r"v3; split them: .*multiallelics=-"):
        sources.open_files(source)
    pvar.write_text(text.rsplit("\n", 2)[0] + "\n")
    with pytest.raises(UserError, match=r"9 variants, but the \.pvar lists 8"):
        sources.open_files(source)
    pvar.write_text(text)
    (tmp_path / "a.pvar.zst").write_bytes(b"stale")
    with pytest.raises(UserError, match=r"both a\.pvar\.zst and a\.pvar are there"):
        sources.open_files(source)
    assert tmp_path / "a.pvar.zst" in with_siblings(source.paths)


def test_dosages_of_a_pgen_are_not_read_as_calls(tmp_path):
    files = sources.open_files(write_pgen(tmp_path / "a.pgen", np.linspace(0, 2, 63).reshape(9, 7)))
    with GenotypeReader(files.manifest(), files.variants, [0, 1]) as reader:
        assert not reader.hard_calls


def test_reader_turns_flipped_rows_and_drops_heterozygous_men_on_x(tmp_path, writers):
    calls = calls_of(7)
    files = sources.open_files(plink(writers[0](tmp_path / "a", calls, CONTIG, POSITION, IDS)))
    turned = files.variants.with_columns(flipped=pl.Series([i in (1, 7) for i in range(9)]))
    expected = np.where(calls < 0, np.nan, calls).astype(float)
    expected[[1, 7]] = 2 - expected[[1, 7]]
    expected[7:, 2:4][expected[7:, 2:4] == 1] = np.nan
    with GenotypeReader(files.manifest() | {"males": [2, 3]}, turned, [5, 3, 2, 0]) as reader:
        assert np.array_equal(reader.read(slice(None)), expected[:, [5, 3, 2, 0]], equal_nan=True)
        assert reader.hard_calls
        counts = np.empty((9, 4), np.int8)  # what the scan reads of hard calls
        reader.read_calls(slice(0, 9), counts)
        assert np.array_equal(np.where(counts < 0, np.nan, counts), expected[:, [5, 3, 2, 0]], equal_nan=True)
    state = np.arange(1, 33).reshape(1, 4, 2, 4).repeat(9, 0).reshape(9, 8, 4)  # [variant, 2 group + male, state]
    fixed = cohort.without_heterozygous_men(state, files.variants, "GRCh37")
    assert (fixed[:7] == state[:7]).all()
    assert (fixed[7:, 0::2] == state[7:, 0::2]).all()
    assert (fixed[7:, 1::2, 1] == 0).all()
    assert (fixed.sum(2) == state.sum(2)).all()


def test_imputed_dosages_of_men_on_x_are_no_calls_in_pgen_and_bgen(tmp_path):
    """A dosage of exactly 1 stays where the variant has imputed dosages; a heterozygous call of a man is missing."""
    from bgen import BgenWriter

    dosages = np.tile([0, 1, 2, 0, 1, 2, 0.0], (9, 1))
    dosages[8] = [0.5, 1, 2, 0, 1, 2, 1.5]
    files = sources.open_files(write_pgen(tmp_path / "a.pgen", dosages))
    expected = dosages.copy()
    expected[7, [1, 4]] = np.nan
    with GenotypeReader(files.manifest() | {"males": [1, 4]}, files.variants, [4, 1]) as reader:
        assert np.array_equal(reader.read(slice(None)), expected[:, [4, 1]], equal_nan=True)
    path = tmp_path / "b.bgen"
    with BgenWriter(str(path), n_samples=3, samples=["a", "b", "c"], compression="zlib") as stream:
        certain, half = [0, 1, 0], [0.5, 0, 0.5]
        for i, rows in enumerate([[certain, certain, [1, 0, 0]], [certain, half, [1, 0, 0]]]):
            stream.add_variant(f"v{i}", f"v{i}", "X", 3_000_000 + i, ["A", "G"], np.array(rows), bit_depth=16)
        p, ploidy = np.array([[0.5, 0.5, np.nan], [0, 1, np.nan], [0, 1, 0]]), np.array([1, 1, 2], np.uint8)
        stream.add_variant("h", "h", "X", 3_000_009, ["A", "G"], p, ploidy=ploidy, bit_depth=1)
    files = sources.open_files(GenotypeSource(format="bgen", paths=[path], build="GRCh37"))
    manifest = files.manifest() | {"males": [0, 1]}
    manifest["sources"][0]["haploid"] = True
    with GenotypeReader(manifest, files.variants[:2], [0, 1, 2]) as reader:
        found = reader.read(slice(None))
    np.testing.assert_allclose(found, [[np.nan, np.nan, 0], [1, 1, 0]], atol=1e-4)


def test_haploid_bgen_counts_one_copy_as_two_and_several_alleles_are_a_row(tmp_path):
    from bgen import BgenWriter

    path = tmp_path / "a.bgen"
    with BgenWriter(str(path), n_samples=3, samples=["a", "b", "c"], compression="zlib") as stream:
        p = np.array([[1, 0, np.nan], [0, 1, np.nan], [0, 1, 0]])
        ploidy = np.array([1, 1, 2], np.uint8)
        stream.add_variant("v", "v", "X", 3_000_000, ["A", "G"], p, ploidy=ploidy, bit_depth=8)
        q = np.full((3, 6), 1 / 6)
        stream.add_variant("w", "w", "X", 4_000_000, ["A", "G", "T"], q, bit_depth=8)
    (tmp_path / "a.sample").write_text("ID_1 ID_2 missing\n0 0 0\na a 0\nb b 0\nc c 0\n")
    source = GenotypeSource(format="bgen", paths=[path], sample_file=tmp_path / "a.sample", build="GRCh37")
    files = sources.open_files(source)
    assert files.manifest()["sources"][0]["haploid"]
    assert not files.by_hail
    with GenotypeReader(files.manifest(), files.variants[:1], [2, 1, 0]) as reader:
        assert reader.read([0]).tolist() == [[1, 2, 0]]
    rows = qc.unusable_variants(files.variants).select("id", "reason").rows()
    assert rows == [("X:4000000:A:G,T", "multiallelic")]
