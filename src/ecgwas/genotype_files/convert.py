"""VCF files -> PLINK 2 files (.pgen, .pvar, .psam) of their dosages, one each, in memory of one record."""

import concurrent.futures
import contextlib
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgwas.config import Genotypes
from ecgwas.errors import UserError
from ecgwas.genotype_files import vcf, vcf_entries
from ecgwas.genotype_files.x_copies import Copies

if TYPE_CHECKING:
    import pgenlib

DECIMALS = 4  # of which a .pgen, whose step is 1/16384, tells all values apart
SAID = {
    "DS": "dosages DS",
    "HDS": "haplotypes' dosages HDS",
    "GP": "probabilities GP",
    "GT": "calls GT",
    None: "none of DS, HDS, GP, GT (missing)",
}
LIKELIHOODS = {"GL", "PL"}
DEFAULTS = Genotypes()


@dataclass(frozen=True)
class Wanted:
    """What of a VCF is converted."""

    without: frozenset[str] = frozenset()  # samples left out
    men: frozenset[str] = frozenset()  # samples of men, by the table of people
    settings: Genotypes = DEFAULTS  # dosages of records that they exclude whatever these are stay missing


EVERYTHING = Wanted()


@dataclass(frozen=True)
class Converted:
    """A .pgen and what its dosages were read of."""

    path: Path
    source: Path  # the user's
    kind: str  # VCF or MatrixTable
    decimals: int | None  # every dosage has as many decimals at most, so that rounding gives them back exactly
    records: dict[str | None, int]  # DS, HDS, GP, GT or none of them -> records
    called: list[int] | None  # rows on X that are calls where the file has imputed dosages; None where it has not
    withheld: frozenset[str] = frozenset()  # samples of the file that are not in it
    on_x: str = ""  # how DS of men on X was read, where the file does not say

    def said(self) -> str:
        """One line for the log."""
        kinds = [f"{SAID[name]} of {self.records[name]:,}" for name in SAID if self.records.get(name)]
        total = sum(self.records.values())
        return f"{self.source}: {self.kind}, {total:,} records: {', '.join(kinds) or 'none'}{self.on_x}"


def _info(row: vcf.Row) -> str:
    """INFO of a .pvar row: the imputation measure."""
    return f"{row.quality[0]}={row.quality[1]:.10g}" if row.quality else "."


@dataclass
class _Survey:
    """What a first look at the records of a VCF finds."""

    settings: Genotypes
    copies: Copies
    variants: int = 0  # ALT alleles
    records: Counter[str | None] = field(default_factory=Counter)
    unread: bytearray = field(default_factory=bytearray)  # of each record, whether its dosages stay missing
    imputed: bool = False  # whether some record that is read has more than calls
    called: list[int] = field(default_factory=list)  # rows on X that are calls
    without: vcf.Record | None = None  # the first that has no dosages, though nothing else excludes it

    def add(self, record: vcf.Record, rows: list[vcf.Row]) -> None:
        """Take in one record."""
        excluded = all(row.excluded(self.settings) for row in rows)
        self.records[record.best] += 1
        self.unread.append(excluded or record.best is None)
        if not excluded and record.best is None:
            self.without = self.without or record
        elif not excluded:
            self.imputed |= record.best != "GT"
            self.copies.add(record)
            if record.best == "GT" and record.on_x:
                self.called.extend(range(self.variants, self.variants + len(rows)))
        self.variants += len(rows)

    def check(self, source: Path) -> None:
        """There must be records, and one with dosages where one is fit for analysis."""
        if not self.variants:
            raise UserError(f"{source}: no records below its header; is it the right file, and whole?")
        if self.without and all(self.unread):
            at = self.without
            remedy = "write one of them"
            if LIKELIHOODS & set(at.form):  # a flat prior draws dosages of low coverage to 1
                remedy = "likelihoods GL and PL need a prior: impute them (Beagle, GLIMPSE), or write GP or GT of them"
            raise UserError(
                f"{source}: line {at.line} ({at.columns[0]}:{at.columns[1]}): FORMAT {at.columns[8]} has none of DS,"
                f" HDS, GP, GT, nor has any other record fit for analysis; {remedy}"
            )


@contextlib.contextmanager
def _at(source: Path, record: vcf.Record) -> Iterator[None]:
    """A UserError with the file and line of `record` where it cannot be read."""
    try:
        yield
    except vcf_entries.Malformed as error:
        where = f"{source}: line {record.line} ({record.columns[0]}:{record.columns[1]})"
        raise UserError(f"{where}: {error}; correct the record, or write the file again with bcftools") from None


def _write_pvar(source: Path, out: Path, found: _Survey) -> None:
    """The .pvar of a VCF: FILTER where it fails, and the imputation measure as INFO; `found` takes in the records."""
    with out.open("w") as stream:
        stream.write("##source=ecgwas\n#CHROM\tPOS\tID\tREF\tALT\tFILTER\tINFO\n")
        for record in vcf.records(source):
            rows = record.rows()
            with _at(source, record):
                found.add(record, rows)
            for row in rows:
                fixed = (row.contig, str(row.position), row.rsid, row.ref, row.alt, row.filter or "PASS", _info(row))
                stream.write("\t".join(fixed) + "\n")
    found.check(source)


def _dosages(source: Path, n: int, kept: np.ndarray, survey: _Survey) -> Iterator[np.ndarray]:
    """ALT dosages float32 [sample] of the kept of `n` samples, an ALT at a time; NaN missing, as of records unread."""
    single = survey.copies.single()
    for record, skipped in zip(vcf.records(source), survey.unread, strict=True):
        men = single if record.haploid_in_males(survey.copies.build) else None
        with _at(source, record):
            found = record.missing(n) if skipped else record.dosages(n, men)
        yield from found[:, kept].astype(np.float32)


def _is_decimal(dosages: np.ndarray) -> bool:
    """Whether every dosage has DECIMALS decimals at most, as far as float32 tells."""
    scaled = np.nan_to_num(dosages).astype(np.float64) * 10**DECIMALS
    return bool((np.abs(scaled - np.rint(scaled)) < 0.01).all())


def write_pgen(out: Path, dosages: Iterator[np.ndarray], n_variants: int, n_samples: int, imputed: bool) -> int | None:
    """Write ALT dosages float32 [sample], NaN missing, as a .pgen; `Converted.decimals`."""
    import pgenlib

    writer = pgenlib.PgenWriter(
        str(out).encode(), n_samples, variant_ct=n_variants, nonref_flags=False, dosage_present=imputed
    )
    try:
        decimal = _append(writer, dosages, imputed)
    except BaseException:
        with contextlib.suppress(RuntimeError):  # it misses the variants not written
            writer.close()
        raise
    writer.close()
    return DECIMALS if decimal and imputed else None


def _append(writer: "pgenlib.PgenWriter", dosages: Iterator[np.ndarray], imputed: bool) -> bool:
    """Append every row; whether all of them are decimal."""
    decimal = True
    for row in dosages:
        filled = np.where(np.isnan(row), -9, row)
        if imputed:
            decimal &= _is_decimal(row)
            writer.append_dosages(np.ascontiguousarray(filled, np.float32))
        else:
            writer.append_biallelic(np.ascontiguousarray(filled, np.int8))
    return decimal


def convert_one(
    source: Path, build: str, out: Path, wanted: Wanted = EVERYTHING, shown: Path | None = None
) -> Converted:
    """One VCF to `out`.pgen, .pvar and .psam, of its samples but those `wanted.without`, in the file's order.

    Several ALT become a row each. Dosages are DS, else HDS, GP, GT, entry by entry; those of records that quality
    control by `wanted.settings` excludes whatever they are, and of records with none of these, are missing. `shown` is
    the user's file where `source` was made from it.
    """
    lines = vcf.header(source)
    vcf.check_header(source, lines, build)
    names = vcf.samples(lines)
    kept = np.flatnonzero([name not in wanted.without for name in names])
    if not len(kept):
        raise UserError(f"{shown or source}: none of its {len(names)} samples is left without the withdrawn ones")
    survey = _Survey(wanted.settings, Copies(np.isin(names, sorted(wanted.men)), build))
    _write_pvar(source, Path(f"{out}.pvar"), survey)
    Path(f"{out}.psam").write_text("#IID\n" + "".join(f"{names[i]}\n" for i in kept))
    pgen = Path(f"{out}.pgen")
    rows = _dosages(source, len(names), kept, survey)
    decimals = write_pgen(pgen, rows, survey.variants, len(kept), survey.imputed)
    kind = "VCF" if shown is None else "MatrixTable"
    withheld = frozenset(names) & wanted.without
    called = survey.called if survey.imputed else None
    on_x, records = survey.copies.said(), dict(survey.records)
    return Converted(pgen, shown or source, kind, decimals, records, called, withheld, on_x)


def stems(paths: list[Path]) -> dict[Path, str]:
    """A file name for each without suffix; chr1/geno.vcf.gz and chr2/geno.vcf.gz are numbered apart."""
    found = {path: path.stem if path.suffix == ".mt" else path.name.split(".vcf")[0] for path in sorted(paths)}
    repeated = len(set(found.values())) < len(found)
    return {path: f"{stem}-{k}" if repeated else stem for k, (path, stem) in enumerate(found.items())}


def convert(paths: list[Path], build: str, folder: Path, threads: int, wanted: Wanted = EVERYTHING) -> list[Converted]:
    """VCF files -> .pgen in `folder`, one each, as many at a time as there are threads."""
    names = stems(paths)
    tasks = [(path, build, folder / names[path], wanted) for path in sorted(paths)]
    workers = min(threads, len(tasks))
    if workers < 2:
        return [convert_one(*task) for task in tasks]
    # Started anew: a fork of a process that talks to Java may hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        return list(pool.map(convert_one, *zip(*tasks, strict=True)))
