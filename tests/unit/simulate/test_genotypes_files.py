"""Genotype files read by other people's readers give back the calls written."""

import gzip
import struct

import numpy as np
import pgenlib
import polars as pl
import pytest

from ecgwas.simulate.genotype_files import write_genotypes
from ecgwas.simulate.genotypes import Variants

N, M = 37, 400
FAM = ["family", "sample_id", "father", "mother", "sex", "phenotype"]
BIM = ["contig", "rsid", "cm", "position", "a1", "a2"]


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    calls = rng.integers(-1, 3, (M, N)).astype(np.int8)
    contig = np.repeat(["1", "22", "X"], [200, 150, 50])
    position = np.concatenate([np.sort(rng.choice(10**6, n, replace=False)) + 3_000_000 for n in (200, 150, 50)])
    alleles = np.array([("A", "C"), ("G", "T"), ("T", "G")])[rng.integers(0, 3, M)]
    empty = np.zeros(M, bool)
    variants = Variants(contig, position, alleles[:, 0], alleles[:, 1], empty, empty - 1, calls)
    samples = pl.DataFrame({"sample_id": [f"G{i:04d}" for i in rng.permutation(N)], "male": rng.random(N) < 0.5})
    return variants, calls, samples


def test_plink_read_by_pgenlib(tmp_path, data):
    variants, calls, samples = data
    write_genotypes(tmp_path / "g", "plink", *data)
    read = np.empty((M, N), np.int8)
    with pgenlib.PgenReader(str(tmp_path / "g.bed").encode(), raw_sample_ct=N) as reader:
        reader.read_range(0, M, read)
    np.testing.assert_array_equal(np.where(read == -9, -1, read), calls)
    bim = pl.read_csv(tmp_path / "g.bim", separator="\t", has_header=False, infer_schema=False, new_columns=BIM)
    assert bim["a1"].to_list() == variants.alt.tolist()
    assert bim["a2"].to_list() == variants.ref.tolist()
    fam = pl.read_csv(tmp_path / "g.fam", separator="\t", has_header=False, new_columns=FAM)
    assert fam["sample_id"].to_list() == samples["sample_id"].to_list()
    assert fam["sex"].to_list() == [1 if male else 2 for male in samples["male"]]


def test_vcf_read_as_text(tmp_path, data):
    variants, calls, samples = data
    write_genotypes(tmp_path / "g", "vcf", *data)
    with gzip.open(tmp_path / "g.vcf.gz", "rt") as file:
        lines = file.read().splitlines()
    header, rows = lines[:-M], [line.split("\t") for line in lines[-M:]]
    assert header[-1].split("\t")[9:] == samples["sample_id"].to_list()
    assert [row[:5] for row in rows[:1]] == [
        [variants.contig[0], str(variants.position[0]), variants.rsid[0], variants.ref[0], variants.alt[0]]
    ]
    codes = {"0/0": 0, "0/1": 1, "1/1": 2, "./.": -1}
    np.testing.assert_array_equal([[codes[text] for text in row[9:]] for row in rows], calls)


def test_vcf_is_block_gzip(tmp_path, data):
    """Each member tells its length, as the SAM specification asks, and the last is the empty end marker."""
    write_genotypes(tmp_path / "g", "vcf", *data)
    content, offset, sizes = (tmp_path / "g.vcf.gz").read_bytes(), 0, []
    while offset < len(content):
        assert content[offset : offset + 4] == b"\x1f\x8b\x08\x04"
        assert content[offset + 12 : offset + 14] == b"BC"
        (size,) = struct.unpack_from("<H", content, offset + 16)
        sizes.append(size + 1)
        offset += size + 1
    assert offset == len(content)
    assert sizes[-1] == 28


def test_bgen_read_by_the_bgen_package(tmp_path, data):
    from bgen import BgenReader

    variants, calls, samples = data
    write_genotypes(tmp_path / "g", "bgen", *data)
    with BgenReader(str(tmp_path / "g.bgen"), str(tmp_path / "g.sample"), delay_parsing=True) as reader:
        assert list(reader.samples) == samples["sample_id"].to_list()
        read = list(reader)
        probabilities = np.array([v.probabilities for v in read])
    assert [v.rsid for v in read] == variants.rsid.tolist()
    assert [v.pos for v in read] == variants.position.tolist()
    assert [tuple(v.alleles) for v in read] == list(zip(variants.ref, variants.alt, strict=True))
    dosage = np.where(np.isnan(probabilities[..., 0]), -1, probabilities @ [0, 1, 2])
    np.testing.assert_array_equal(dosage, calls)


@pytest.mark.hail
def test_read_by_hail(tmp_path, data):
    import hail as hl

    from ecgwas.hail_session import hail_session

    _, calls, samples = data
    stem, build = str(tmp_path / "g"), {"reference_genome": "GRCh37"}
    for form in ("plink", "vcf", "bgen"):
        write_genotypes(tmp_path / "g", form, *data)
    with hail_session(tmp_path / "hail"):
        hl.index_bgen(f"{stem}.bgen", **build)
        tables = [
            hl.import_plink(f"{stem}.bed", f"{stem}.bim", f"{stem}.fam", **build),
            hl.import_vcf(f"{stem}.vcf.gz", force_bgz=True, **build),
            hl.import_bgen(f"{stem}.bgen", entry_fields=["GT"], sample_file=f"{stem}.sample"),
        ]
        for table in tables:
            table = table.unfilter_entries()
            read = table.select_entries(n=hl.or_else(table.GT.n_alt_alleles(), -1)).n.collect()
            np.testing.assert_array_equal(np.array(read).reshape(M, N), calls)
            assert table.s.collect() == samples["sample_id"].to_list()
