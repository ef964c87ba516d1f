"""VCF files: header, build, and one record after another with its dosages, in memory of one record."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.config import Genotypes
from ecgwas.errors import UserError, reading
from ecgwas.genotype_files import contigs, vcf_entries
from ecgwas.genotype_files.contigs import OTHER
from ecgwas.genotype_files.listing import must_exist, one_list_of_samples
from ecgwas.genotype_files.vcf_fields import failed_filter, quality
from ecgwas.genotypes.qc import qc

BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # SAM specification, 4.1.2
FIXED = 9  # columns before the samples


@dataclass(frozen=True)
class Row:
    """One ALT of a record."""

    contig: str  # 1 to 22, X, or as the file spells it
    position: int
    rsid: str
    ref: str
    alt: str
    filter: str | None  # null where it passes
    quality: tuple[str, float] | None  # name and value

    def excluded(self, settings: Genotypes) -> bool:
        """Whether quality control excludes it whatever its dosages: `qc.flagged_variants`, `qc.unusable_variants`."""
        failed = self.filter is not None and settings.filters == "pass"
        poor = self.quality is not None and self.quality[1] < settings.min_info
        place = self.contig not in contigs.CONTIGS or self.position < 1
        return failed or poor or place or not (re.search(qc.REF, self.ref) and re.search(qc.ALT, self.alt))


def header(path: Path) -> list[str]:
    """Header lines of a VCF, plain or compressed."""
    must_exist(path, "VCF file")
    lines = []
    with reading(path, "a VCF", "copy it again"):
        for raw in _lines(path):
            if not raw.startswith(b"#"):
                break
            lines.append(raw.decode())
    if not lines or not lines[0].startswith("##fileformat=VCF") or not lines[-1].startswith("#CHROM"):
        raise UserError(f"{path}: not a VCF: no ##fileformat and #CHROM lines")
    return lines


def samples(lines: list[str]) -> list[str]:
    """Sample ids of a header."""
    return [name.strip() for name in lines[-1].split("\t")[FIXED:]]


def check_header(path: Path, lines: list[str], build: str) -> None:
    """Contig lengths of the header must be those of `build`; sample ids must be there, each once."""
    found = pl.DataFrame({"line": [line for line in lines if line.startswith("##contig=")]}, schema={"line": pl.String})
    found = found.select(
        contig=contigs.normalise(pl.col("line").str.extract(r"[<,]ID=([^,>]+)")),
        length=pl.col("line").str.extract(r"[<,]length=(\d+)").cast(pl.Int64),
    )
    for contig, length in found.drop_nulls().iter_rows():
        expected = contigs.LENGTHS[build].get(contig)
        if expected is not None and length != expected:
            hint = (
                f"that is {OTHER[build]}"
                if contigs.LENGTHS[OTHER[build]][contig] == length
                else "that is neither build"
            )
            raise UserError(
                f"{path}: the header gives contig {contig} {length} base pairs ({hint}), but `build` is {build} "
                f"({expected}); set `build` to the reference genome of this file, or lift the file over"
            )
    if len(lines[-1].split("\t")) <= FIXED:
        raise UserError(f"{path}: no samples in the #CHROM line; its columns must be split by tabs")
    one_list_of_samples([path], [samples(lines)])


def _lines(path: Path) -> Iterator[bytes]:
    """Lines of a plain, gzipped or block-gzipped file, without their ends."""
    with path.open("rb") as stream:
        head = stream.read(14)
        if head[12:14] == b"BC" and head[:2] == BGZF_END[:2]:
            stream.seek(-len(BGZF_END), 2)
            if stream.read() != BGZF_END:
                raise EOFError("its last block is missing: it is truncated")
    with gzip.open(path, "rb") if head[:2] == BGZF_END[:2] else path.open("rb") as stream:
        for line in stream:
            yield line.rstrip(b"\r\n")


@dataclass(frozen=True)
class Record:
    """One line of a VCF: its fixed columns as text, and the sample fields as they are."""

    line: int
    columns: list[str]  # CHROM to FORMAT
    raw: bytes

    @property
    def alts(self) -> list[str]:
        """Alternate alleles; one '.' where there is none."""
        return self.columns[4].split(",")

    @property
    def form(self) -> list[str]:
        """The names of FORMAT."""
        return self.columns[8].split(":")

    @property
    def best(self) -> str | None:
        """What its dosages are read of: DS, HDS, GP or GT; None where FORMAT has none of them."""
        found = vcf_entries.fields(self.form)
        return vcf_entries.MICRO.get(found[0][0], found[0][0]) if found else None

    @property
    def on_x(self) -> bool:
        """Whether it is on X."""
        return _contig(self.columns[0]) == "X"

    def rows(self) -> list[Row]:
        """One row for each ALT, those of several in their smallest form."""
        chrom, position, name, ref, _, _, state, info, _ = self.columns
        contig, failed, found = _contig(chrom), failed_filter(state), []
        for k, alt in enumerate(self.alts):
            at = (int(position), ref, alt)
            at = vcf_entries.split(*at) if len(self.alts) > 1 else at
            rsid = name if name not in (".", "") else ":".join([contig, *map(str, at)])
            found.append(Row(contig, at[0], rsid, at[1], at[2], failed, quality(info, k)))
        return found

    def haploid_in_males(self, build: str) -> bool:
        """Whether it is on X outside the pseudo-autosomal regions."""
        position = int(self.columns[1])
        return self.on_x and not any(first <= position <= last for _, first, last in contigs.PSEUDO_AUTOSOMAL[build])

    def dosages(self, n: int, single: np.ndarray | None = None) -> np.ndarray:
        """ALT dosages float64 [alt, sample] of `n` samples; NaN is missing; `single`: `vcf_entries.dosages`."""
        return vcf_entries.dosages(self.raw, self.form, len(self.alts), n, self.on_x, single)

    def missing(self, n: int) -> np.ndarray:
        """As many missing dosages, of a record that is not read; `Malformed` where it has another number of samples."""
        vcf_entries.check_count(self.raw, n)
        return np.full((len(self.alts), n), np.nan)


_CONTIGS: dict[str, str] = {}


def _contig(name: str) -> str:
    """The name as `contigs.normalise` spells it."""
    if name not in _CONTIGS:
        _CONTIGS[name] = pl.DataFrame({"c": [name]}).select(contigs.normalise(pl.col("c"))).item()
    return _CONTIGS[name]


def records(path: Path) -> Iterator[Record]:
    """The records of a VCF; a UserError names the line of one that is none."""
    with reading(path, "a VCF", "copy it again"):
        for number, line in enumerate(_lines(path), 1):
            if line.startswith(b"#") or not line:
                continue
            fixed = line.split(b"\t", FIXED)
            if len(fixed) <= FIXED:
                raise UserError(f"{path}: line {number} has {len(fixed)} columns of the header's; it may be truncated")
            columns = [text.decode() for text in fixed[:FIXED]]
            if not columns[1].isdigit():
                raise UserError(f"{path}: line {number}: position {columns[1]!r} is no number; correct the record")
            if int(columns[1]) >= 2**31:  # VCF specification, 1.6.1
                raise UserError(f"{path}: line {number}: position {columns[1]} is not below 2^31; correct the record")
            if not all([columns[0], columns[3], *columns[4].split(",")]):
                raise UserError(f"{path}: line {number}: CHROM, REF or an ALT is empty; correct the record")
            yield Record(number, columns, fixed[FIXED])
