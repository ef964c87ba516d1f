"""PLINK, PGEN, BGEN files -> one table of variants, one list of samples, with every check that needs no Hail."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ecgwas.config import GenotypeSource
from ecgwas.errors import UserError
from ecgwas.genotype_files import bgen_files, build_check, contigs, pgen, plink_files
from ecgwas.genotype_files.convert import Converted
from ecgwas.genotype_files.listing import must_exist, one_list_of_samples
from ecgwas.genotype_files.vcf_fields import FLAGS

COLUMNS = ["contig", "position", "ref", "alt", "rsid", "source", "source_index", *FLAGS]


@dataclass(frozen=True)
class Part:
    """One genotype file."""

    path: Path
    variants: pl.DataFrame
    sample_ids: list[str]
    said: str  # what is read of it, for the log
    reader: dict[str, Any]  # what the block reader must know besides
    by_hail: bool = True  # whether Hail imports it


@dataclass(frozen=True)
class Files:
    """Genotype files that a block reader can open: .bed, .pgen or .bgen, all with the same samples in one order."""

    parts: list[Part]
    format: str  # plink, pgen or bgen
    build: str
    sample_ids: list[str]
    variants: pl.DataFrame  # COLUMNS, in file order
    found_contigs: list[str]  # names of contigs as the files spell them
    withheld: frozenset[str] = frozenset()  # samples that were withdrawn before the files were converted

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [part.path for part in self.parts]

    @property
    def by_hail(self) -> bool:
        """Whether Hail imports every file."""
        return all(part.by_hail for part in self.parts)

    def manifest(self) -> dict[str, Any]:
        """What the block reader needs besides the table of variants."""
        n = len(self.sample_ids)
        sources = [
            {"path": str(part.path), "format": self.format, "n_variants": part.variants.height, "n_samples": n}
            | part.reader
            for part in self.parts
        ]
        return {"sources": sources, "sample_ids": self.sample_ids, "build": self.build}


def check_build(variants: pl.DataFrame, build: str, where: str) -> None:
    """Positions must lie within the contigs of `build`, and common SNPs where they are in it."""
    ends = pl.DataFrame({"contig": contigs.CONTIGS, "end": [contigs.LENGTHS[build][c] for c in contigs.CONTIGS]})
    beyond = variants.join(ends, on="contig").filter(pl.col("position") > pl.col("end")).sort("source", "source_index")
    if beyond.height:
        row = beyond.row(0, named=True)
        raise UserError(
            f"{where}: {beyond.height} variants lie beyond the end of their contig in {build}, the first "
            f"{row['rsid']} at {row['contig']}:{row['position']} (end {row['end']}); "
            f"`build` may have to be {contigs.OTHER[build]}"
        )
    build_check.check(variants, build, where)


def check_contigs(variants: pl.DataFrame, where: str) -> None:
    """Some variant must be on 1 to 22 or X, and no contig may stand in two files."""
    known = variants.filter(pl.col("contig").is_in(contigs.CONTIGS))
    if known.is_empty():
        names = ", ".join(variants["contig"].unique().sort().to_list()[:5])
        raise UserError(
            f"{where}: no variant on chromosomes 1 to 22 or X; contigs are named {names or '(there are none)'}"
        )
    twice = (
        known.group_by("contig")
        .agg(pl.col("source").n_unique())
        .filter(pl.col("source") > 1)["contig"]
        .sort()
        .to_list()
    )
    if twice:
        raise UserError(f"{where}: contig {twice[0]} stands in more than one file; merge these files or leave one out")


def _bgen(path: Path, number: int, source: GenotypeSource) -> Part:
    found = bgen_files.read(path, number, source.sample_file, source.build)
    reader = {"haploid": found.layout.ploidy[0] == 1}
    # Hail splits ids of its .sample file at blanks.
    by_hail = found.layout.by_hail and not any(len(name.split()) != 1 for name in found.sample_ids)
    return Part(path, found.variants, found.sample_ids, f"BGEN, {found.layout.said()}", reader, by_hail)


def _pgen(path: Path, number: int, made: Converted | None) -> Part:
    variants, samples = pgen.read(path, number)
    n = pgen.with_dosages(path)
    called = made and made.called
    said = {0: "calls", variants.height: "dosages"}.get(n, f"dosages of {n} variants, calls of the others")
    said = "dosages where it has them" if n is None else said
    reader = {"whole": n == 0 and called is None, "decimals": made and made.decimals, "called": called}
    return Part(path, variants, samples, f"PGEN, {said}", reader, by_hail=False)


def _plink(path: Path, number: int) -> Part:
    return Part(path, *plink_files.read(path, number), "PLINK, calls", {})


def open_files(source: GenotypeSource, converted: Sequence[Converted] = ()) -> Files:
    """Read variants and samples of PLINK, PGEN or BGEN files and check them; says what is read of each.

    `converted`: what the files, then .pgen, were made of; messages name the user's files.
    """
    paths = sorted(source.paths)
    where = ", ".join(str(path) for path in (sorted(one.source for one in converted) or paths))
    made = {one.path.name: one for one in converted}
    if source.sample_file is not None:
        must_exist(source.sample_file, ".sample file")
    opened = {
        "bgen": lambda path, i: _bgen(path, i, source),
        "pgen": lambda path, i: _pgen(path, i, made.get(path.name)),
        "plink": _plink,
    }[source.format]
    parts = [opened(path, i) for i, path in enumerate(paths)]
    for said in [one.said() for one in converted] or [f"{part.path}: {part.said}" for part in parts]:
        print(said, flush=True)
    variants = pl.concat([_with_flags(part.variants) for part in parts])
    found = variants["contig"].unique().sort().to_list()
    variants = variants.with_columns(contig=contigs.normalise(pl.col("contig")))
    check_contigs(variants, where)
    check_build(variants, source.build, where)
    of_user = [made[path.name].source if path.name in made else path for path in paths]
    samples = one_list_of_samples(of_user, [part.sample_ids for part in parts])
    return Files(parts, source.format, source.build, samples, variants, found)


def _with_flags(table: pl.DataFrame) -> pl.DataFrame:
    """The table's COLUMNS; FLAGS are null where the file has none."""
    empty = [pl.lit(None, dtype).alias(name) for name, dtype in FLAGS.items() if name not in table.columns]
    return table.with_columns(empty).select(COLUMNS)
