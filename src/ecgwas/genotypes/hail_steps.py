"""genotype files -> Hail: import, counts of genotypes per variant and per sample, the pruned MatrixTable."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.genotypes import contigs, sources

if TYPE_CHECKING:
    import hail as hl

DOSAGES = ("dosage_sum", "spread_sum", "called")
STATES = 4  # homozygous REF, heterozygous, homozygous ALT, missing


def _temporary(extension: str) -> Path:
    """A new name in Hail's temporary folder."""
    import hail as hl

    return Path(hl.utils.new_temp_file("ecgwas", extension))


def _reference_contig(build: str) -> pl.Expr:
    """Contig as Hail's reference genome names it."""
    return pl.lit("chr" if build == "GRCh38" else "") + pl.col("contig")


def import_files(files: sources.Files, threads: int) -> "hl.MatrixTable":
    """The files as a MatrixTable keyed by (locus, alleles) and sample id, with GT, and GP and dosage for BGEN."""
    import hail as hl

    names = contigs.recoding(files.found_contigs, files.build)
    common = {"reference_genome": files.build, "contig_recoding": names, "skip_invalid_loci": True}
    if files.format == "bgen":
        index = {str(path): str(_temporary("idx2")) for path in files.paths}
        try:
            hl.index_bgen(list(index), index_file_map=index, **common)
            mt = hl.import_bgen(
                list(index),
                ["GT", "GP", "dosage"],
                str(files.sample_file),
                n_partitions=4 * threads,
                index_file_map=index,
            )
            # Hail leaves entries without a genotype out, and aggregators then do not see them; as missing they count.
            return mt.filter_rows(hl.len(mt.alleles) == 2).unfilter_entries()
        except hl.utils.java.FatalError as error:
            raise _user_error(
                error, files.paths, "8-bit, diploid, unphased: plink2 --export bgen-1.2 ref-first bits=8"
            ) from error
    parts = [
        hl.import_plink(
            str(p), str(p.with_suffix(".bim")), str(p.with_suffix(".fam")), n_partitions=4 * threads, **common
        )
        for p in files.paths
    ]
    parts = [part.select_rows("rsid").select_cols() for part in parts]
    return parts[0] if len(parts) == 1 else hl.MatrixTable.union_rows(*parts)


def _user_error(error: Exception, paths: list[Path], remedy: str) -> UserError:
    """Hail's own message, shortened, with the files it was about."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return UserError(
        f"{', '.join(map(str, paths))}: Hail cannot read this: {lines[0] if lines else error}; expected {remedy}"
    )


def _code(mt: "hl.MatrixTable") -> "hl.Expression":
    """State of a genotype: 0, 1, 2 ALT alleles (a haploid call counts as homozygous), 3 missing."""
    import hail as hl

    alleles = hl.if_else(mt.GT.ploidy == 1, 2 * mt.GT.n_alt_alleles(), mt.GT.n_alt_alleles())
    return hl.or_else(alleles, 3)


def _rows_table(variants: pl.DataFrame, build: str, column: str | None = None) -> "hl.Table":
    """A Hail table of variants keyed by (locus, alleles), with an int32 column or none."""
    import hail as hl

    path = _temporary("tsv")
    columns = [] if column is None else [pl.col(column).cast(pl.Int32).alias("value")]
    variants.select(_reference_contig(build).alias("contig"), "position", "ref", "alt", *columns).write_csv(
        path, separator="\t"
    )
    types = {"position": hl.tint32, "ref": hl.tstr, "alt": hl.tstr, "contig": hl.tstr, "value": hl.tint32}
    table = hl.import_table(
        str(path), types={k: types[k] for k in ["contig", "position", "ref", "alt"] + ["value"] * bool(columns)}
    )
    table = table.key_by(locus=hl.locus(table.contig, table.position, build), alleles=[table.ref, table.alt])
    return table.select(*["value"] * bool(columns))


def _with_groups(mt: "hl.MatrixTable", group: np.ndarray) -> "hl.MatrixTable":
    """Columns annotated with their group and cut to those with a group of 0 or more, in file order."""
    import hail as hl

    mt = mt.add_col_index("_index")
    numbers = hl.literal(group.astype(int).tolist(), hl.tarray(hl.tint32))
    mt = mt.annotate_cols(_group=numbers[hl.int32(mt._index)])
    return mt.filter_cols(mt._group >= 0)


def _counts(code: "hl.Expression", n: int) -> "hl.Expression":
    """How often each of 0 to n-1 occurs, as text split by blanks."""
    import hail as hl

    counter = hl.agg.group_by(code, hl.agg.count())
    return hl.bind(lambda c: hl.delimit(hl.range(n).map(lambda i: hl.str(c.get(i, hl.int64(0)))), " "), counter)


def _read_counts(text: pl.Series, shape: tuple[int, ...]) -> np.ndarray:
    """Counts int64 [row, *shape] of text written by `_counts`."""
    flat = np.array(" ".join(text.to_list()).split(), np.int64) if len(text) else np.empty(0, np.int64)
    return flat.reshape(len(text), *shape)


def info_score() -> pl.Expr:
    """IMPUTE's INFO (Marchini & Howie 2010, doi:10.1038/nrg2796, box 2), in [0, 1]; 1 where the variant does not vary.

    1 - sum of var(dosage_i) / (2 n p (1 - p)), var(dosage_i) = f_i - e_i^2 (`spread_sum`). Not Hail's
    agg.info_score, which in 0.2.139 gives values above 1 for GP read from BGEN.
    """
    p = pl.col("dosage_sum") / (2 * pl.col("called"))
    info = 1 - pl.col("spread_sum") / (2 * pl.col("called") * p * (1 - p))
    return pl.when((p > 0) & (p < 1)).then(info.clip(0, 1)).when(p.is_finite()).then(1.0)


def variant_counts(
    mt: "hl.MatrixTable", variants: pl.DataFrame, group: np.ndarray, build: str
) -> tuple[np.ndarray, pl.DataFrame]:
    """Genotype counts int64 [variant, group, state] for rows of `variants`, and a table of dosage sum, calls and INFO.

    `group` (int [sample], -1 leaves a sample out) is in file order. Only whole numbers are summed across people, save
    for dosages, which Hail sums along one row in file order: so the result does not depend on the number of threads.
    The second table has nulls for hard calls.
    """
    import hail as hl

    n = int(group.max()) + 1
    mt = _with_groups(mt, group)
    fields = {"counts": _counts(mt._group * STATES + _code(mt), n * STATES)}
    if "GP" in mt.entry:
        exact = partial(hl.format, "%.15e")  # Hail's own export rounds to five digits
        spread = mt.GP[1] + 4 * mt.GP[2] - (mt.GP[1] + 2 * mt.GP[2]) ** 2
        fields |= {"dosage_sum": exact(hl.agg.sum(mt.dosage)), "spread_sum": exact(hl.agg.sum(spread))}
        fields["called"] = hl.agg.count_where(hl.is_defined(mt.dosage))
    rows = mt.select_rows(**fields).rows()
    path = _temporary("tsv")
    rows = rows.key_by()
    rows = rows.select(
        contig=rows.locus.contig,
        position=rows.locus.position,
        ref=rows.alleles[0],
        alt=rows.alleles[1],
        **{f: rows[f] for f in fields},
    )
    rows.export(str(path))
    types = {"contig": pl.String, "position": pl.Int32, "ref": pl.String, "alt": pl.String, "counts": pl.String}
    types |= {"dosage_sum": pl.Float64, "spread_sum": pl.Float64, "called": pl.Int64}
    found = pl.read_csv(path, separator="\t", schema_overrides=types, null_values=["NA", "NaN"])
    found = found.with_columns(contig=contigs.normalise(pl.col("contig")))
    keys = ["contig", "position", "ref", "alt"]
    joined = variants.select(keys).join(found, on=keys, how="left", maintain_order="left", coalesce=True)
    if joined.height != variants.height or joined["counts"].null_count():
        raise UserError("Hail did not return every variant of the files; are two rows the same?")
    absent = [pl.lit(None, types[name]).alias(name) for name in DOSAGES if name not in joined.columns]
    table = joined.with_columns(absent).select("dosage_sum", "called", info=info_score())
    return _read_counts(joined["counts"], (n, STATES)), table


def sample_counts(mt: "hl.MatrixTable", variants: pl.DataFrame, build: str, n_samples: int) -> np.ndarray:
    """Genotype counts int64 [sample, class, state] over `variants`; class 0 autosomes, 1 X outside the PARs."""
    kinds = variants.with_columns(kind=contigs.haploid_in_males(build))
    mt = mt.add_col_index("_index")  # cols() sorts by sample id; the index keeps file order
    mt = mt.annotate_rows(_kind=_rows_table(kinds, build, "kind")[mt.row_key].value)
    mt = mt.filter_rows(mt._kind >= 0)
    cols = mt.select_cols("_index", counts=_counts(mt._kind * STATES + _code(mt), 2 * STATES)).cols()
    path = _temporary("tsv")
    cols.key_by().select("_index", "counts").export(str(path))
    table = pl.read_csv(path, separator="\t").sort("_index")
    assert table.height == n_samples
    return _read_counts(table["counts"], (2, STATES))


def from_calls(calls: np.ndarray, variants: pl.DataFrame, sample_ids: list[str], build: str) -> "hl.MatrixTable":
    """The MatrixTable of calls int8 [variant, sample], -1 missing, through a .bed in Hail's temporary folder."""
    import hail as hl

    bed = _temporary("bed")
    bits = np.choose(calls + 1, [1, 3, 2, 0]).astype(np.uint8)  # two bits a call: 0 homozygous ALT, 1 missing
    bits = np.pad(bits, ((0, 0), (0, -calls.shape[1] % 4))).reshape(len(calls), -1, 4)
    packed = (bits << np.array([0, 2, 4, 6], np.uint8)).sum(2).astype(np.uint8)
    bed.write_bytes(sources.BED_MAGIC + packed.tobytes())
    bim = variants.select(
        _reference_contig(build).alias("contig"), "rsid", pl.lit("0").alias("cm"), "position", "alt", "ref"
    )
    bim.write_csv(bed.with_suffix(".bim"), separator="\t", include_header=False, quote_style="never")
    fam = "".join(f"0\t{name}\t0\t0\t0\t-9\n" for name in sample_ids)
    bed.with_suffix(".fam").write_text(fam)
    names = [str(bed.with_suffix(suffix)) for suffix in (".bed", ".bim", ".fam")]
    mt = hl.import_plink(*names, reference_genome=build, contig_recoding={}, skip_invalid_loci=True)
    return mt.select_rows("rsid").select_cols()


def write_pruned(mt: "hl.MatrixTable", variants: pl.DataFrame, keep: np.ndarray, build: str, path: Path) -> None:
    """Write the MatrixTable of `variants` (the pruned ones) in the samples kept (bool [sample], file order)."""
    mt = _with_groups(mt, np.where(keep, 0, -1))
    mt = mt.semi_join_rows(_rows_table(variants, build)).select_cols().select_entries("GT")
    mt.naive_coalesce(4).write(str(path))


def _stems(paths: list[Path]) -> dict[Path, str]:
    """A file name for each without suffix; chr1/geno.vcf.gz and chr2/geno.vcf.gz are numbered apart."""
    stems = {path: path.stem if path.suffix == ".mt" else path.name.split(".vcf")[0] for path in sorted(paths)}
    repeated = len(set(stems.values())) < len(stems)
    return {path: f"{stem}-{k}" if repeated else stem for k, (path, stem) in enumerate(stems.items())}


def convert_vcf(paths: list[Path], build: str, folder: Path, threads: int) -> list[Path]:
    """VCF files -> PLINK in `folder`, one each: multi-allelic sites split, phase dropped, haploid calls doubled."""
    import hail as hl

    made, names = [], _stems(paths)
    for path in sorted(paths):
        header = sources.vcf_header(path)
        sources.check_vcf_header(path, header, build)
        out = folder / names[path]
        try:
            _convert_one(path, build, out, threads)
        except hl.utils.java.FatalError as error:
            chosen = ",".join(f"chr{c}" if build == "GRCh38" else c for c in contigs.CONTIGS)
            remedy = f"a VCF with GT on {build} and contigs that it knows; choose them: bcftools view -t {chosen}"
            raise _user_error(error, [path], remedy) from error
        made.append(folder / f"{out.name}.bed")
    return made


def convert_matrix_table(paths: list[Path], build: str, folder: Path) -> list[Path]:
    """Hail MatrixTables with GT -> PLINK in `folder`, one each."""
    import hail as hl

    made, names = [], _stems(paths)
    for path in sorted(paths):
        try:
            mt = hl.read_matrix_table(str(path))
        except hl.utils.java.FatalError as error:
            raise _user_error(error, [path], "a MatrixTable written by this or an older version of Hail") from error
        if mt.locus.dtype.reference_genome.name != build or "GT" not in mt.entry:
            found = f"{mt.locus.dtype.reference_genome.name}, entries {', '.join(mt.entry)}"
            raise UserError(f"{path}: expected GT on {build}, found {found}; correct `build` or write GT")
        mt = mt.key_cols_by(s=mt.col_key[0])
        mt = mt if "rsid" in mt.row else mt.annotate_rows(rsid=hl.missing(hl.tstr))
        mt = mt.select_entries("GT").select_rows("rsid")
        _export_plink(mt, folder / names[path])
        made.append(folder / f"{names[path]}.bed")
    return made


def _convert_one(path: Path, build: str, out: Path, threads: int) -> None:
    """One VCF to one PLINK trio. Variants without a name are called contig:position:ref:alt."""
    import hail as hl

    prefix = "chr" if build == "GRCh38" else ""
    spelled = {name: prefix + name for name in contigs.CONTIGS} | {
        "chr" + name: prefix + name for name in contigs.CONTIGS
    }
    other = {"X": "X", "23": "X", "XY": "X", "25": "X", "Y": "Y", "24": "Y"}  # Y is left out later, with a row
    spelled |= {start + name: prefix + kept for name, kept in other.items() for start in ("", "chr")}
    mitochondrion = "chrM" if build == "GRCh38" else "MT"
    spelled |= {start + name: mitochondrion for name in ("M", "MT", "26") for start in ("", "chr")}
    blocked = sources.is_block_gzip(path)
    mt = hl.import_vcf(
        str(path),
        force_bgz=blocked is True,
        force=blocked is False,
        reference_genome=build,
        contig_recoding={a: b for a, b in spelled.items() if a != b},
        skip_invalid_loci=False,
        array_elements_required=False,
        n_partitions=4 * threads,
    )
    if "GT" not in mt.entry:
        raise UserError(f"{path}: no GT among the formats ({', '.join(mt.entry)}); for dosages give BGEN files")
    _export_plink(mt.select_entries("GT").select_rows("rsid"), out)


def _export_plink(mt: "hl.MatrixTable", out: Path) -> None:
    """Rows rsid and entries GT to a PLINK trio: sites split, phase dropped, haploid calls doubled, all named."""
    import hail as hl

    mt = mt.filter_rows(hl.len(mt.alleles) > 1)
    mt = hl.split_multi_hts(mt)
    mt = mt.annotate_entries(GT=hl.if_else(mt.GT.ploidy == 1, hl.call(mt.GT[0], mt.GT[0]), mt.GT.unphase()))
    name = hl.delimit([mt.locus.contig, hl.str(mt.locus.position), mt.alleles[0], mt.alleles[1]], ":")
    named = hl.if_else(hl.is_defined(mt.rsid) & (mt.rsid != ".") & (mt.rsid != ""), mt.rsid, name)
    hl.export_plink(mt, str(out), ind_id=mt.s, fam_id=mt.s, varid=named)
