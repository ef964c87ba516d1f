"""VCF files -> PLINK 2 files (.pgen, .pvar, .psam) of their dosages, one each, in memory of one record."""

import collections
import concurrent.futures
import contextlib
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgwas.errors import UserError
from ecgwas.genotypes import vcf, vcf_entries

if TYPE_CHECKING:
    import pgenlib

DECIMALS = 4  # of which a .pgen, whose step is 1/16384, tells all values apart
SAID = {"DS": "dosages DS", "GP": "probabilities GP", "GT": "calls GT"}


@dataclass(frozen=True)
class Converted:
    """A .pgen and what its dosages were read of."""

    path: Path
    source: Path  # the user's
    kind: str  # VCF or MatrixTable
    decimals: int | None  # every dosage has as many decimals at most, so that rounding gives them back exactly
    records: dict[str, int]  # DS, GP or GT -> records
    withheld: frozenset[str] = frozenset()  # samples of the file that are not in it

    def said(self) -> str:
        """One line for the log."""
        kinds = [f"{SAID[name]} of {self.records[name]:,}" for name in SAID if self.records.get(name)]
        return f"{self.source}: {self.kind}, {sum(self.records.values()):,} records: {', '.join(kinds) or 'none'}"


def _info(row: vcf.Row) -> str:
    """INFO of a .pvar row: the imputation measure."""
    return f"{row.quality[0]}={row.quality[1]:.10g}" if row.quality else "."


@dataclass(frozen=True)
class _Survey:
    """What a first look at a VCF tells."""

    variants: int  # ALT alleles
    records: dict[str, int]

    @property
    def imputed(self) -> bool:
        """Whether some record has more than calls."""
        return bool(self.records.get("DS") or self.records.get("GP"))


def _write_pvar(source: Path, out: Path) -> _Survey:
    """The .pvar of a VCF: FILTER where it fails, and the imputation measure as INFO."""
    variants, kinds = 0, collections.Counter()
    with out.open("w") as stream:
        stream.write("##source=ecgwas\n#CHROM\tPOS\tID\tREF\tALT\tFILTER\tINFO\n")
        for record in vcf.records(source):
            name = vcf_entries.fields(record.form)[0][0]
            kinds[vcf_entries.MICRO.get(name, name)] += 1
            for row in record.rows():
                variants += 1
                fixed = (row.contig, str(row.position), row.rsid, row.ref, row.alt, row.filter or "PASS", _info(row))
                stream.write("\t".join(fixed) + "\n")
    if not variants:
        raise UserError(f"{source}: no records below its header; is it the right file, and whole?")
    return _Survey(variants, dict(kinds))


def _dosages(source: Path, names: list[str], kept: np.ndarray) -> Iterator[np.ndarray]:
    """ALT dosages float32 [sample] of the kept samples, an ALT at a time; NaN is missing."""
    for record in vcf.records(source):
        try:
            found = record.dosages(len(names))
        except vcf_entries.Malformed as error:
            where = f"{source}: line {record.line} ({record.columns[0]}:{record.columns[1]})"
            raise UserError(f"{where}: {error}; correct the record, or write the file again with bcftools") from None
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
    source: Path, build: str, out: Path, without: frozenset[str] = frozenset(), shown: Path | None = None
) -> Converted:
    """One VCF to `out`.pgen, .pvar and .psam, of its samples but those of `without`, in the file's order.

    Several ALT become a row each. Dosages are DS, else GP, else GT, entry by entry. `shown` is the user's file where
    `source` was made from it.
    """
    lines = vcf.header(source)
    vcf.check_header(source, lines, build)
    names = vcf.samples(lines)
    kept = np.flatnonzero([name not in without for name in names])
    if not len(kept):
        raise UserError(f"{shown or source}: none of its {len(names)} samples is left without the withdrawn ones")
    survey = _write_pvar(source, Path(f"{out}.pvar"))
    Path(f"{out}.psam").write_text("#IID\n" + "".join(f"{names[i]}\n" for i in kept))
    pgen = Path(f"{out}.pgen")
    rows = _dosages(source, names, kept)
    decimals = write_pgen(pgen, rows, survey.variants, len(kept), survey.imputed)
    kind = "VCF" if shown is None else "MatrixTable"
    withheld = frozenset(names) & without
    return Converted(pgen, shown or source, kind, decimals, survey.records, withheld)


def stems(paths: list[Path]) -> dict[Path, str]:
    """A file name for each without suffix; chr1/geno.vcf.gz and chr2/geno.vcf.gz are numbered apart."""
    found = {path: path.stem if path.suffix == ".mt" else path.name.split(".vcf")[0] for path in sorted(paths)}
    repeated = len(set(found.values())) < len(found)
    return {path: f"{stem}-{k}" if repeated else stem for k, (path, stem) in enumerate(found.items())}


def convert(
    paths: list[Path], build: str, folder: Path, threads: int, without: frozenset[str] = frozenset()
) -> list[Converted]:
    """VCF files -> .pgen in `folder`, one each, as many at a time as there are threads."""
    names = stems(paths)
    tasks = [(path, build, folder / names[path], without) for path in sorted(paths)]
    workers = min(threads, len(tasks))
    if workers < 2:
        return [convert_one(*task) for task in tasks]
    # Started anew: a fork of a process that talks to Java may hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        return list(pool.map(convert_one, *zip(*tasks, strict=True)))
