"""PLINK, PGEN, VCF, BGEN files -> one table of variants, one list of samples, with every check that needs no Hail."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ecgwas.config import GenotypeSource
from ecgwas.errors import UserError
from ecgwas.genotypes import bgen_layout, contigs

BED_MAGIC = b"\x6c\x1b\x01"
OTHER = {"GRCh37": "GRCh38", "GRCh38": "GRCh37"}


@dataclass(frozen=True)
class Files:
    """Genotype files that a block reader can open: .bed (PLINK) or .bgen, all with the same samples in one order."""

    paths: list[Path]
    format: str  # plink, pgen or bgen
    build: str
    sample_ids: list[str]
    variants: pl.DataFrame  # contig, position, ref, alt, rsid, source, source_index, in file order
    found_contigs: list[str]  # names of contigs as the files spell them
    sample_file: Path | None = None
    haploid: tuple[bool, ...] = ()  # by path, whether some samples have one copy (BGEN)

    def manifest(self) -> dict[str, Any]:
        """What the block reader needs besides the table of variants."""
        counts = self.variants.group_by("source").len().sort("source")["len"].to_list()
        n = len(self.sample_ids)
        sources = [
            {"path": str(path), "format": self.format, "n_variants": count, "n_samples": n}
            for path, count in zip(self.paths, counts, strict=True)
        ]
        for entry, haploid in zip(sources, self.haploid, strict=False):
            entry["haploid"] = haploid
        return {"sources": sources, "sample_ids": self.sample_ids, "build": self.build}


def must_exist(path: Path, what: str) -> Path:
    """`path`, or a UserError that names it."""
    if not path.is_file():
        raise UserError(f"{path}: no such {what}; check `genotypes` of the cohort")
    return path


def _text_table(path: Path, names: list[str]) -> pl.DataFrame:
    """The first columns of a .bim or .fam file, which may be split by tabs or by blanks, as text."""
    lines = pl.read_csv(
        path, has_header=False, new_columns=["line"], separator="\x01", quote_char=None, schema={"line": pl.String}
    )
    fields = lines.select(
        pl.col("line").str.strip_chars().str.replace_all(r"\s+", "\t").str.splitn("\t", len(names) + 1)
    )
    return fields.unnest("line").rename({f"field_{i}": name for i, name in enumerate(names)}).select(names)


def read_bim(path: Path, source: int) -> pl.DataFrame:
    """Variants of a .bim file; A1 (column 5) is taken as ALT and effect allele, A2 as REF, as Hail and pgenlib do."""
    table = _text_table(path, ["contig", "rsid", "cm", "position", "alt", "ref"])
    table = table.with_columns(pl.col("position").cast(pl.Int32, strict=False))
    bad = table.with_row_index("line", offset=1).filter(pl.any_horizontal(pl.all().is_null()))
    if bad.height:
        raise UserError(f"{path}: line {bad['line'][0]} is not a variant: six columns, the fourth a position")
    return table.with_columns(source=pl.lit(source, pl.Int32), source_index=pl.int_range(pl.len(), dtype=pl.Int32))


def _read_plink(path: Path, source: int) -> tuple[pl.DataFrame, list[str]]:
    """Variants and sample ids beside one .bed, whose size must be what they make it."""
    must_exist(path, ".bed file")
    bim, fam = must_exist(path.with_suffix(".bim"), ".bim file"), must_exist(path.with_suffix(".fam"), ".fam file")
    variants, samples = read_bim(bim, source), _text_table(fam, ["fid", "iid"])["iid"].to_list()
    expected = 3 + variants.height * ((len(samples) + 3) // 4)
    size = path.stat().st_size
    with path.open("rb") as stream:
        magic = stream.read(3)
    if magic != BED_MAGIC:
        raise UserError(f"{path}: not a variant-major PLINK 1 .bed file; convert it with plink2 --make-bed")
    if size != expected:
        raise UserError(
            f"{path}: {size} bytes, but {variants.height} variants x {len(samples)} samples take {expected}: "
            "the file is truncated or .bim/.fam belong to another; copy all three again"
        )
    return variants, samples


def _read_sample_file(path: Path) -> list[str]:
    """Sample ids (ID_2 as in Hail and UK Biobank) of an Oxford .sample file: two header lines, then one a sample."""
    table = _text_table(path, ["id_1", "id_2"])
    if table.height < 3 or table["id_1"][1] != "0":
        raise UserError(
            f"{path}: not an Oxford .sample file: two header lines, the second of zeros, then one line a sample"
        )
    return table["id_2"][2:].to_list()


def _read_bgen(path: Path, source: int, sample_file: Path) -> tuple[pl.DataFrame, list[str]]:
    """Variants of one BGEN file (first allele REF, second ALT) and the sample ids of its .sample file."""
    from bgen import BgenReader

    bgen_layout.check(must_exist(path, "BGEN file"))
    samples = _read_sample_file(sample_file)
    try:
        with BgenReader(str(path), delay_parsing=True) as stream:
            declared = stream.header.nsamples
            rows = [(v.chrom, v.pos, v.rsid or v.varid, v.alleles) for v in stream]
            expected = len(stream)
    except (ValueError, OSError, IndexError, EOFError) as error:
        raise UserError(
            f"{path}: cannot be read as BGEN ({error}); the file may be truncated: copy it again"
        ) from error
    if len(rows) != expected:
        raise UserError(f"{path}: {len(rows)} variants of {expected}: the file is truncated; copy it again")
    if declared != len(samples):
        raise UserError(
            f"{path}: {declared} samples, but {sample_file} lists {len(samples)}; give the .sample file of this BGEN"
        )
    table = pl.DataFrame(
        [(c, p, i, ",".join(a[1:]), a[0]) for c, p, i, a in rows],
        schema=["contig", "position", "rsid", "alt", "ref"],
        orient="row",
    )
    types = [pl.col("contig", "rsid", "alt", "ref").cast(pl.String), pl.col("position").cast(pl.Int32)]
    index = {"source": pl.lit(source, pl.Int32), "source_index": pl.int_range(pl.len(), dtype=pl.Int32)}
    return table.with_columns(*types, **index), samples


def _some_haploid(path: Path, variants: pl.DataFrame, build: str) -> bool:
    """Whether some sample has one copy of the first variant of a BGEN file, or of its first on X outside the PARs."""
    from bgen import BgenReader

    if bgen_layout.check(path):
        return True
    on_x = variants.filter(contigs.haploid_in_males(build) & ~pl.col("alt").str.contains(","))["source_index"]
    if on_x.is_empty():
        return False
    with BgenReader(str(path)) as stream:
        return bool((stream[int(on_x[0])].ploidy == 1).any())


def _one_list_of_samples(paths: list[Path], lists: list[list[str]]) -> list[str]:
    """The sample ids common to all files; the same in the same order, each once."""
    for path, ids in zip(paths, lists, strict=True):
        if ids != lists[0]:
            raise UserError(
                f"{path}: its {len(ids)} samples are not those of {paths[0]} ({len(lists[0])}) in the same order; "
                "write all files with one sample list"
            )
    repeated = pl.Series("id", lists[0], pl.String)
    repeated = repeated.filter(repeated.is_duplicated()).unique().sort().to_list()
    if repeated:
        raise UserError(
            f"{paths[0]}: {len(repeated)} sample ids stand more than once ({', '.join(repeated[:5])}); make them unique"
        )
    if not lists[0]:
        raise UserError(f"{paths[0]}: no samples")
    return lists[0]


def check_build(variants: pl.DataFrame, build: str, where: str) -> None:
    """Positions must lie within the contigs of `build`; beyond the end means another build."""
    ends = pl.DataFrame({"contig": contigs.CONTIGS, "end": [contigs.LENGTHS[build][c] for c in contigs.CONTIGS]})
    beyond = variants.join(ends, on="contig").filter(pl.col("position") > pl.col("end")).sort("source", "source_index")
    if beyond.height:
        row = beyond.row(0, named=True)
        raise UserError(
            f"{where}: {beyond.height} variants lie beyond the end of their contig in {build}, the first "
            f"{row['rsid']} at {row['contig']}:{row['position']} (end {row['end']}); "
            f"`build` may have to be {OTHER[build]}"
        )


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


def open_files(source: GenotypeSource) -> Files:
    """Read variants and samples of PLINK, PGEN or BGEN files (others are converted first) and check them."""
    paths, where = sorted(source.paths), ", ".join(str(path) for path in sorted(source.paths))
    if source.format == "bgen":
        if source.sample_file is None:
            raise UserError(f"{where}: BGEN without a .sample file; set `sample_file` beside `paths`")
        must_exist(source.sample_file, ".sample file")
        parts = [_read_bgen(path, i, source.sample_file) for i, path in enumerate(paths)]
    elif source.format == "pgen":
        from ecgwas.genotypes import pgen

        parts = [pgen.read(path, i) for i, path in enumerate(paths)]
    else:
        parts = [_read_plink(path, i) for i, path in enumerate(paths)]
    variants = pl.concat([table.select(sorted(table.columns)) for table, _ in parts])
    found = variants["contig"].unique().sort().to_list()
    variants = variants.with_columns(contig=contigs.normalise(pl.col("contig")))
    check_contigs(variants, where)
    check_build(variants, source.build, where)
    samples = _one_list_of_samples(paths, [ids for _, ids in parts])
    columns = ["contig", "position", "ref", "alt", "rsid", "source", "source_index"]
    bgen = paths if source.format == "bgen" else []
    haploid = tuple(_some_haploid(p, variants.filter(source=i), source.build) for i, p in enumerate(bgen))
    variants = variants.select(columns)
    return Files(paths, source.format, source.build, samples, variants, found, source.sample_file, haploid)


def vcf_header(path: Path) -> list[str]:
    """Header lines of a VCF, plain or compressed."""
    must_exist(path, "VCF file")
    compressed = path.open("rb").read(2) == b"\x1f\x8b"
    lines = []
    try:
        with gzip.open(path, "rt") if compressed else path.open() as stream:
            for line in stream:
                if not line.startswith("#"):
                    break
                lines.append(line.rstrip("\n"))
    except (EOFError, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); copy it again") from error
    if not lines or not lines[0].startswith("##fileformat=VCF") or not lines[-1].startswith("#CHROM"):
        raise UserError(f"{path}: not a VCF: no ##fileformat and #CHROM lines")
    return lines


def check_vcf_header(path: Path, lines: list[str], build: str) -> None:
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
    columns = lines[-1].split("\t")
    if len(columns) < 10:
        raise UserError(f"{path}: no samples in the #CHROM line")
    _one_list_of_samples([path], [columns[9:]])


def is_block_gzip(path: Path) -> bool | None:
    """True for BGZF, False for plain gzip (which cannot be read in parallel), None for text."""
    with path.open("rb") as stream:
        head = stream.read(14)
    return None if head[:2] != b"\x1f\x8b" else head[12:14] == b"BC"
