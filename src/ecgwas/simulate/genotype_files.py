"""Variants and calls -> PLINK 1 .bed, VCF or BGEN 1.2 files, each written from the format's own description."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.simulate.genotypes import Variants

_LENGTHS = """249250621 243199373 198022430 191154276 180915260 171115067 159138663 146364022 141213431 135534747
135006516 133851895 115169878 107349540 102531392 90354753 81195210 78077248 59128983 63025520 48129895 51304566
155270560"""
GRCH37_LENGTHS = dict(zip([*map(str, range(1, 23)), "X"], map(int, _LENGTHS.split()), strict=True))
BGZF_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def write_genotypes(stem: Path, form: str, variants: Variants, calls: np.ndarray, samples: pl.DataFrame) -> None:
    """Write `calls` int8 [variant, sample] (ALT alleles, -1 missing) as `form`: plink, vcf or bgen.

    `samples` has sample_id and male, in the order of the columns of `calls`.
    """
    {"plink": write_plink, "vcf": write_vcf, "bgen": write_bgen}[form](stem, variants, calls, samples)


def write_plink(stem: Path, variants: Variants, calls: np.ndarray, samples: pl.DataFrame) -> None:
    """PLINK 1 .bed (variant-major), .bim with A1 = ALT and A2 = REF, .fam (cog-genomics.org/plink/1.9/formats)."""
    with stem.with_suffix(".bed").open("wb") as file:
        file.write(b"\x6c\x1b\x01")
        for start in range(0, len(calls), 2048):
            file.write(pack_bed(calls[start : start + 2048]).tobytes())
    bim = {"contig": variants.contig, "rsid": variants.rsid, "cm": np.zeros(len(calls), int)}
    bim |= {"position": variants.position, "a1": variants.alt, "a2": variants.ref}
    pl.DataFrame(bim).write_csv(stem.with_suffix(".bim"), separator="\t", include_header=False)
    fam = samples.select(
        family=pl.lit("0"),
        sample="sample_id",
        father=pl.lit("0"),
        mother=pl.lit("0"),
        sex=pl.when("male").then(1).otherwise(2),
        phenotype=pl.lit(-9),
    )
    fam.write_csv(stem.with_suffix(".fam"), separator="\t", include_header=False)


def pack_bed(calls: np.ndarray) -> np.ndarray:
    """uint8 [variant, ceil(sample / 4)]: two bits a call, first sample lowest; 00 A1/A1, 01 missing, 10, 11 A2/A2."""
    codes = np.array([3, 2, 0, 1], np.uint8)[calls]  # index -1 is the last: missing
    codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4))).reshape(len(codes), -1, 4)
    return codes[..., 0] | codes[..., 1] << 2 | codes[..., 2] << 4 | codes[..., 3] << 6


def write_vcf(stem: Path, variants: Variants, calls: np.ndarray, samples: pl.DataFrame) -> None:
    """VCF 4.2, unphased GT alone, compressed in BGZF blocks (SAM specification, section 4.1)."""
    with stem.with_suffix(".vcf.gz").open("wb") as file:
        for block in bgzf_blocks(vcf_lines(variants, calls, samples["sample_id"].to_list())):
            file.write(block)
        file.write(BGZF_EOF)


def vcf_lines(variants: Variants, calls: np.ndarray, sample_ids: list[str]) -> Iterator[bytes]:
    """Header and one line a variant."""
    contigs = "".join(f"##contig=<ID={c},length={n},assembly=GRCh37>\n" for c, n in GRCH37_LENGTHS.items())
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *sample_ids]
    form = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    yield f"##fileformat=VCFv4.2\n{contigs}{form}{chr(9).join(columns)}\n".encode()
    texts = np.frombuffer(b"\t0/0\t0/1\t1/1\t./.", np.uint8).reshape(4, 4)
    names = zip(variants.contig, variants.position, variants.rsid, variants.ref, variants.alt, strict=True)
    for (contig, position, rsid, ref, alt), row in zip(names, calls, strict=True):
        yield f"{contig}\t{position}\t{rsid}\t{ref}\t{alt}\t.\tPASS\t.\tGT".encode() + texts[row].tobytes() + b"\n"


def bgzf_blocks(chunks: Iterator[bytes], size: int = 0xFF00) -> Iterator[bytes]:
    """Cut `chunks` into BGZF blocks of at most `size` bytes before compression."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= size:
            yield bgzf_block(bytes(buffer[:size]))
            del buffer[:size]
    yield bgzf_block(bytes(buffer))


def bgzf_block(data: bytes) -> bytes:
    """One gzip member with the BC subfield that tells its length."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    header = struct.pack("<4BI2BH2sHH", 31, 139, 8, 4, 0, 0, 255, 6, b"BC", 2, len(body) + 25)  # time 0
    return header + body + struct.pack("<II", zlib.crc32(data), len(data))


def write_bgen(stem: Path, variants: Variants, calls: np.ndarray, samples: pl.DataFrame) -> None:
    """BGEN 1.2, 8-bit probabilities, zlib, unphased, diploid (also males on X), first allele REF; and .sample."""
    ids = [name.encode() for name in samples["sample_id"]]
    id_block = b"".join(struct.pack("<H", len(name)) + name for name in ids)
    id_block = struct.pack("<II", len(id_block) + 8, len(ids)) + id_block
    flags = 1 | 2 << 2 | 1 << 31  # zlib, layout 2, sample identifiers present
    header = struct.pack("<III4sI", 20, len(calls), len(ids), b"bgen", flags)
    with stem.with_suffix(".bgen").open("wb") as file:
        file.write(struct.pack("<I", len(header) + len(id_block)) + header + id_block)
        names = zip(variants.contig, variants.position, variants.rsid, variants.ref, variants.alt, strict=True)
        for (contig, position, rsid, ref, alt), row in zip(names, calls, strict=True):
            file.write(bgen_variant(contig, position, rsid, ref, alt, row))
    sex = ["1" if male else "2" for male in samples["male"]]
    rows = [f"{name} {name} 0 {s}\n" for name, s in zip(samples["sample_id"], sex, strict=True)]
    stem.with_suffix(".sample").write_text("ID_1 ID_2 missing sex\n0 0 0 D\n" + "".join(rows))


def bgen_variant(contig: str, position: int, rsid: str, ref: str, alt: str, calls: np.ndarray) -> bytes:
    """One variant data block of layout 2 (well.ox.ac.uk/~gav/bgen_format): P(REF/REF), P(REF/ALT) of each sample."""
    texts = b"".join(struct.pack("<H", len(t)) + t.encode() for t in (rsid, rsid, contig))
    alleles = b"".join(struct.pack("<I", len(a)) + a.encode() for a in (ref, alt))
    ploidy = np.array([2, 2, 2, 0x82], np.uint8)[calls]
    probability = np.array([[255, 0], [0, 255], [0, 0], [0, 0]], np.uint8)[calls]
    body = struct.pack("<IHBB", len(calls), 2, 2, 2) + ploidy.tobytes() + b"\x00\x08" + probability.tobytes()
    packed = zlib.compress(body, 1)
    return texts + struct.pack("<IH", position, 2) + alleles + struct.pack("<II", len(packed) + 4, len(body)) + packed
