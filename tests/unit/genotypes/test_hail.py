"""Our numbers against Hail's own methods, and the whole stage from files to tables."""

import numpy as np
import pytest

from ecgwas.config import Genotypes, GenotypeSource
from ecgwas.errors import UserError
from ecgwas.genotype_files import contigs, sources
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotypes import qc_main
from ecgwas.genotypes.qc import counts, hail_steps, qc
from ecgwas.genotypes.qc.hardy_weinberg import hardy_weinberg_p
from ecgwas.genotypes.structure import kinship, pcs
from ecgwas.hail_session import hail_session, reading_by_hail

pytestmark = pytest.mark.hail


def places(n: int) -> tuple[list[str], list[int]]:
    """Contigs 1 to 22 and positions 100 kb apart, away from long-range LD."""
    per = -(-n // 22)
    return [str(i // per + 1) for i in range(n)], [14_000_000 + (i % per) * 100_000 for i in range(n)]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A running Hail."""
    folder = tmp_path_factory.mktemp("hail")
    with hail_session(folder, folder / "hail.log", threads=2, memory_gb=1.5) as inside:
        assert inside.is_relative_to(folder)
        yield inside


@pytest.fixture(scope="module")
def plink(session, writers, family_calls, tmp_path_factory):
    """The families as PLINK files and as Hail's MatrixTable of them."""
    calls = family_calls[:600]
    bed = writers[0](
        tmp_path_factory.mktemp("plink") / "a", calls, *places(600), [f"s{i:03}" for i in range(120)][::-1]
    )
    files = sources.open_files(GenotypeSource(format="plink", paths=[bed], build="GRCh37"))
    return calls, files, hail_steps.import_files(files, 2)


def test_contig_lengths_are_hails(session):
    import hail as hl

    for build, prefix in (("GRCh37", ""), ("GRCh38", "chr")):
        reference = hl.get_reference(build)
        assert contigs.LENGTHS[build] == {name: reference.lengths[prefix + name] for name in contigs.CONTIGS}
        ends = [
            tuple(map(str, (x.start.position, x.end.position - 1)))
            for x in reference.par
            if x.start.contig == prefix + "X"
        ]
        assert ends == [(str(a), str(b)) for _, a, b in contigs.PSEUDO_AUTOSOMAL[build]]


def test_reader_and_counts_agree_with_hail(plink):
    calls, files, mt = plink
    with GenotypeReader(files.manifest(), files.variants, list(range(120))) as reader:
        ours = reader.read(slice(None))
    theirs = np.array([np.nan if x is None else x for x in mt.GT.n_alt_alleles().collect()], float).reshape(600, 120)
    assert np.array_equal(ours, theirs, equal_nan=True)
    group = np.arange(120) % 3 - 1
    counts, _ = hail_steps.variant_counts(mt, files.variants, group, "GRCh37")
    expected = np.stack([[(calls[:, group == g] == s).sum(1) for s in (0, 1, 2, -1)] for g in (0, 1)]).transpose(
        2, 0, 1
    )
    assert np.array_equal(counts, expected)
    chosen = files.variants[::2]
    per_sample = hail_steps.sample_counts(mt, chosen, "GRCh37", 120)
    assert np.array_equal(per_sample[:, 0], np.stack([(calls[::2] == s).sum(0) for s in (0, 1, 2, -1)], 1))


def test_hardy_weinberg_and_inbreeding_are_hails(plink):
    import hail as hl

    calls, _, mt = plink
    theirs = np.array(mt.annotate_rows(p=hl.agg.hardy_weinberg_test(mt.GT).p_value).p.collect())
    counts = np.stack([(calls == s).sum(1) for s in (0, 1, 2)], 1)
    assert np.allclose(hardy_weinberg_p(counts), theirs, rtol=1e-9)
    mt = mt.annotate_rows(af=hl.agg.call_stats(mt.GT, 2).AF[1]).add_col_index("i")
    f = mt.select_cols("i", f=hl.agg.inbreeding(mt.GT, mt.af).f_stat).cols().order_by("i").f.collect()
    assert np.allclose(qc.inbreeding(calls, haploid_males=True), f, atol=1e-9)


def test_king_components_and_pc_relate_are_hails(plink):
    import hail as hl

    calls, files, mt = plink
    ids = files.sample_ids
    place = {name: i for i, name in enumerate(ids)}
    entries = hl.king(mt.GT).key_cols_by().entries().collect()
    rows, columns = ([place[getattr(e, f)] for e in entries] for f in ("s_1", "s"))
    theirs = np.array([e.phi for e in entries])
    ours, off = kinship.king_block(calls, calls)[rows, columns], np.array(rows) != np.array(columns)
    assert np.allclose(ours[off], theirs[off], atol=1e-6)

    values, scores, _ = hl.hwe_normalized_pca(mt.GT, k=4)
    components = pcs.fit(calls, 4)
    assert np.allclose(components.eigenvalues, values, rtol=1e-6)
    found = {row.s: row.scores for row in scores.collect()}
    hails = np.array([found[s] for s in ids])
    mine = pcs.project(components, calls)
    assert np.allclose(np.abs((hails * mine).sum(0)), (mine**2).sum(0), rtol=1e-5)

    literal = hl.literal({s: mine[i, :2].tolist() for i, s in enumerate(ids)})
    filled, everyone = np.where(calls < 0, 0, calls), slice(0, 120)
    model = kinship.frequency_model(filled, mine[:, :2], np.ones(120, bool))
    full = kinship.pc_relate_block(filled, mine[:, :2], model, everyone, everyone)
    complete = mt.annotate_entries(GT=hl.or_else(mt.GT, hl.call(0, 0)))
    table = hl.pc_relate(complete.GT, 0.01, scores_expr=literal[complete.s], statistics="kin")
    pairs = table.select(k=table.kin).collect()
    ours = np.array([full[place[row.i.s], place[row.j.s]] for row in pairs])
    assert len(pairs) == 120 * 119 // 2
    assert np.allclose(ours, [row.k for row in pairs], atol=1e-5)


def test_bgen_counts_dosages_and_info_follow_the_file(session, tmp_path, writers):
    rng = np.random.default_rng([8])
    p = rng.dirichlet([0.3, 0.3, 0.3], (6, 40))
    p[1, 2] = np.nan
    path = writers[1](
        tmp_path / "a.bgen",
        p,
        ["2", "2", "1", "1", "X", "X"],
        [9, 5, 7, 8, 3_000_000, 4_000_000],
        [f"s{i}" for i in range(40)],
    )
    source = GenotypeSource(format="bgen", paths=[path], sample_file=path.with_suffix(".sample"), build="GRCh38")
    files = sources.open_files(source)
    mt = hail_steps.import_files(files, 2)
    counts, table = hail_steps.variant_counts(mt, files.variants, np.where(np.arange(40) < 30, 0, -1), "GRCh38")
    assert counts[:, 0, 3].tolist() == [0, 1, 0, 0, 0, 0]
    assert hail_steps.sample_counts(mt, files.variants, "GRCh38", 40)[:, 0, 3].tolist() == [0, 0, 1] + [0] * 37
    with GenotypeReader(files.manifest(), files.variants, list(range(30))) as reader:
        dosages = reader.read(slice(None))
    is_man = np.arange(40) % 2 == 0
    by_sex = hail_steps.variant_counts(mt, files.variants, np.where(np.arange(40) < 30, 0, -1), "GRCh38", is_man)[1]
    assert by_sex["info"][:4].to_list() == table["info"][:4].to_list()
    man = is_man[:30]
    e, f = p[4, :30] @ [0, 1, 2], p[4, :30] @ [0, 1, 4]
    thetas = [(e[x].mean() / 2, x.sum()) for x in (man, ~man)]
    variance = sum(n * t * (1 - t) * copies for (t, n), copies in zip(thetas, (4, 2), strict=True))
    assert by_sex["info"][4] == pytest.approx(1 - (f - e**2).sum() / variance, abs=0.02)
    assert np.allclose(table["dosage_sum"], np.nansum(dosages, 1), atol=1e-4)
    assert table["called"].to_list() == [30, 29, 30, 30, 30, 30]
    e, f = dosages[0], (p[0, :30, 1] + 4 * p[0, :30, 2])
    theta = e.mean() / 2
    assert table["info"][0] == pytest.approx(1 - (f - e**2).sum() / (2 * 30 * theta * (1 - theta)), abs=0.02)


def test_vcf_becomes_plink_with_alt_as_effect_allele(session, tmp_path):
    header = '##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n##contig=<ID=chr1>\n'
    lines = [header + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc"]
    lines += [
        "chr1\t100\trs1\tA\tG\t.\tPASS\t.\tGT\t0|1\t1/1\t./.",
        "chr1\t200\t.\tC\tT,G\t.\tPASS\t.\tGT\t1/2\t0/2\t0/0",
    ]
    lines += ["chrX\t3000000\trs3\tC\tT\t.\tPASS\t.\tGT\t1\t0/1\t0"]
    path = tmp_path / "my.cohort.vcf"
    path.write_text("\n".join(lines) + "\n")
    files = qc_main.open_source(GenotypeSource(format="vcf", paths=[path], build="GRCh37"), tmp_path / "converted", 2)
    with GenotypeReader(files.manifest(), files.variants, [0, 1, 2]) as reader:
        dosages = reader.read(slice(None))
    found = {
        (r["position"], r["ref"], r["alt"]): d.tolist() for r, d in zip(files.variants.to_dicts(), dosages, strict=True)
    }
    assert found[200, "C", "T"] == [1, 0, 0]
    assert found[200, "C", "G"] == [1, 1, 0]
    assert found[3_000_000, "C", "T"] == [2, 1, 0]
    assert found[100, "A", "G"][:2] == [1, 2]
    assert np.isnan(found[100, "A", "G"][2])
    assert files.variants["rsid"].to_list()[0] == "rs1"
    path.write_text(path.read_text().replace("3000000", "300000000"))
    with pytest.raises(
        UserError, match=r"my\.cohort\.vcf: 1 variants lie beyond the end of their contig in GRCh37, the first rs3"
    ):
        qc_main.open_source(GenotypeSource(format="vcf", paths=[path], build="GRCh37"), tmp_path / "again", 2)


@pytest.mark.parametrize(("build", "y", "mt"), [("GRCh37", "chrY", "chrM"), ("GRCh38", "Y", "MT")])
def test_files_of_one_name_and_contigs_of_the_other_habit_are_read(session, tmp_path, build, y, mt):
    head = '##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'
    head += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n"
    paths = []
    for folder, names in (("one", ["1", y, mt]), ("two", ["2", "XY", "26"])):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "geno.vcf")
        rows = [f"{c}\t{3000 + k}\t{folder}{k}\tA\tG\t.\tPASS\t.\tGT\t0/1\t1/1" for k, c in enumerate(names)]
        paths[-1].write_text(head + "\n".join(rows) + "\n")
    source = GenotypeSource(format="vcf", paths=paths, build=build)
    files = qc_main.open_source(source, tmp_path / "converted", 2)
    found = dict(files.variants.select("rsid", "contig").rows())
    assert {name: found[name] for name in ("one0", "two0", "two1")} == {"one0": "1", "two0": "2", "two1": "X"}
    lost = qc.unusable_variants(files.variants)
    assert lost["reason"].to_list() == ["contig"] * 3  # Y and both mitochondria: a row each, not an end of the run


def test_counts_by_the_reader_are_hails_and_calls_go_to_hail_and_back(plink):
    calls, files, mt = plink
    group = np.arange(120) % 3 - 1
    theirs, _ = hail_steps.variant_counts(mt, files.variants, group, "GRCh37")
    ours, dosage = counts.variant_counts(files.manifest(), files.variants, group)
    assert np.array_equal(ours, theirs)
    assert dosage["info"].null_count() == 600
    per_sample = hail_steps.sample_counts(mt, files.variants, "GRCh37", 120)
    assert np.array_equal(counts.sample_counts(files.manifest(), files.variants, "GRCh37"), per_sample)
    back = hail_steps.from_calls(calls, files.variants, files.sample_ids, "GRCh37")
    again, _ = hail_steps.variant_counts(back, files.variants, group, "GRCh37")
    assert np.array_equal(again, theirs)
    assert back.s.collect() == files.sample_ids


def test_matrix_table_of_calls_becomes_pgen(plink, tmp_path):
    calls, files, mt = plink
    mt.write(str(tmp_path / "a.mt"))
    source = GenotypeSource(format="mt", paths=[tmp_path / "a.mt"], build="GRCh37")
    found = qc_main.open_source(source, tmp_path / "converted", 2)
    assert found.sample_ids == files.sample_ids
    columns = ["contig", "position", "ref", "alt", "rsid"]
    assert found.variants.select(columns).equals(files.variants.select(columns))
    with GenotypeReader(found.manifest(), found.variants, np.arange(120)) as reader:
        assert np.array_equal(reader.read(slice(None)), np.where(calls < 0, np.nan, calls), equal_nan=True)
    with pytest.raises(UserError, match=r"a\.mt.*GRCh38"):
        qc_main.open_source(source.model_copy(update={"build": "GRCh38"}), tmp_path / "again", 2)


def test_haplotypes_dosages_of_a_matrix_table_are_read(plink, tmp_path):
    """HDS alone: an array of two, of one, with a missing value, and missing."""
    import hail as hl

    few = plink[2].head(4, 3).add_col_index()
    cells = hl.literal([[0.25, 0.5], [0.75], [0.5, None]], "array<array<float64>>")
    few = few.select_entries(HDS=cells[hl.int32(few.col_idx)])
    few.write(str(tmp_path / "h.mt"))
    source = GenotypeSource(format="mt", paths=[tmp_path / "h.mt"], build="GRCh37")
    found = qc_main.open_source(source, tmp_path / "converted", 2)
    with GenotypeReader(found.manifest(), found.variants, np.arange(3)) as reader:
        np.testing.assert_allclose(reader.read(slice(None)), np.tile([0.75, 1.5, np.nan], (4, 1)), atol=1e-6)


@pytest.mark.parametrize("column", [["1.5", "-9", "0.2"], ["NA", "NA", "NA"], ["tall", "1", "2"], ["1", "2", "0"]])
def test_the_phenotype_of_a_fam_is_never_read(session, writers, tmp_path, column):
    calls = np.array([[0, 1, 2], [2, -1, 0]], np.int8)
    bed = writers[0](tmp_path / "a", calls, ["1", "1"], [5, 6], ["x", "y", "z"])
    rows = [f"f {i} 0 0 m {value}\n" for i, value in zip("xyz", column, strict=True)]
    bed.with_suffix(".fam").write_text("".join(rows))
    files = sources.open_files(GenotypeSource(format="plink", paths=[bed], build="GRCh37"))
    found, _ = hail_steps.variant_counts(hail_steps.import_files(files, 1), files.variants, np.zeros(3, int), "GRCh37")
    assert found[:, 0].tolist() == [[1, 1, 1, 0], [1, 0, 1, 1]]


def test_matrix_table_of_dosages_keeps_them_with_filter_and_measure(session, tmp_path):
    import hail as hl

    head = (
        '##fileformat=VCFv4.2\n##FILTER=<ID=LOWQ,Description="x">\n##INFO=<ID=R2,Number=1,Type=Float,Description="x">\n'
    )
    head += (
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n##FORMAT=<ID=DS,Number=A,Type=Float,Description="x">\n'
    )
    head += '##FORMAT=<ID=GP,Number=G,Type=Float,Description="x">\n'
    rows = [
        ["1", "5", "rs1", "A", "G", ".", "PASS", "R2=0.9", "GT:DS", "0|1:0.987", "1|1:1.5", ".:."],
        ["1", "6", "rs2", "A", "G", ".", "LOWQ", "R2=0.02", "GT:GP", "0|1:0.1,0.8,0.1", "1|1:0,0,1", "0|0:1,0,0"],
        ["1", "7", "rs3", "A", "G,T", ".", "PASS", "R2=0.8", "GT:DS", "0|1:1,0.25", "1|2:0.5,1", "0|0:0,0"],
    ]
    (tmp_path / "a.vcf").write_text(
        head + "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", "a", "b", "c"])
        + "\n" + "".join("\t".join(row) + "\n" for row in rows)
    )  # fmt: skip
    mt = hl.import_vcf(str(tmp_path / "a.vcf"), reference_genome="GRCh37", array_elements_required=False)
    mt.write(str(tmp_path / "a.mt"))
    source = GenotypeSource(format="mt", paths=[tmp_path / "a.mt"], build="GRCh37")
    keep = Genotypes(filters="all", min_info=0.01)  # dosages of excluded records are not converted
    files = qc_main.open_source(source, tmp_path / "converted", 2, settings=keep)
    with GenotypeReader(files.manifest(), files.variants, [0, 1, 2]) as reader:
        found = reader.read(slice(None))
    expected = [[0.987, 1.5, np.nan], [1, 2, 0], [1, 0.5, 0], [0.25, 1, 0]]
    assert np.array_equal(found, np.array(expected, np.float32), equal_nan=True)
    lost = qc.flagged_variants(files.variants, Genotypes())[1]
    assert lost.select("id", "reason").rows() == [("1:6:A:G", "filter: LOWQ"), ("1:6:A:G", "info: R2")]
    mt.select_entries("GP").write(str(tmp_path / "b.mt"))
    mt.key_rows_by().drop("locus").write(str(tmp_path / "c.mt"))
    source = source.model_copy(update={"paths": [tmp_path / "c.mt"]})
    with pytest.raises(UserError, match=r"c\.mt: expected locus on GRCh37"):
        qc_main.open_source(source, tmp_path / "converted", 2)


def test_nan_of_a_matrix_table_is_missing_not_homozygous(session, tmp_path):
    """NaN in DS or GP is as a missing one: GT is read, or where that is missing too, nothing."""
    import hail as hl

    nan = float("nan")
    ds, gp = hl.literal([nan, nan, 0.25, 1.0]), hl.literal([[0.0, 0.0, 1.0], [nan, 0.0, 0.0], [nan] * 3, [1.0, 0, 0]])
    gt = hl.literal([hl.Call([0, 0]), hl.Call([0, 1])])
    mt = hl.utils.range_matrix_table(1, 4)
    mt = mt.key_rows_by(locus=hl.locus("1", 5 + mt.row_idx, "GRCh37"), alleles=["A", "G"])
    mt = mt.key_cols_by(s=hl.str(mt.col_idx))
    entries = {"DS": ds[mt.col_idx], "GP": gp[mt.col_idx], "GT": hl.or_missing(mt.col_idx < 2, gt[mt.col_idx % 2])}
    for names, expected in (
        (["DS"], [nan, nan, 0.25, 1]),
        (["GP"], [2, nan, nan, 0]),
        (["GT", "DS", "GP"], [2, 1, 0.25, 1]),
    ):
        path = tmp_path / f"{'-'.join(names)}.mt"
        mt.select_entries(**{name: entries[name] for name in names}).write(str(path))
        source = GenotypeSource(format="mt", paths=[path], build="GRCh37")
        files = qc_main.open_source(source, tmp_path / "converted", 1)
        with GenotypeReader(files.manifest(), files.variants, range(4)) as reader:
            np.testing.assert_array_equal(reader.read(slice(None))[0], np.array(expected, np.float32))


def test_what_hail_cannot_read_is_one_line(session, tmp_path):
    import hail as hl

    path = tmp_path / "a.vcf"
    path.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\n1\tx\n")
    with pytest.raises(UserError) as found, reading_by_hail([path], "a VCF; write it again"):
        hl.import_vcf(str(path)).count()
    assert str(found.value).startswith(f"{path}: Hail cannot read this (")
    assert str(found.value).endswith("expected a VCF; write it again")
    assert "\n" not in str(found.value)
