"""genotype files -> Hail: import, counts of genotypes per variant and per sample, the pruned MatrixTable."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.genotype_files import contigs, plink_files, sources
from ecgwas.genotype_files.vcf_fields import QUALITY
from ecgwas.hail_session import reading_by_hail

if TYPE_CHECKING:
    import hail as hl

DOSAGES = ("dosage_sum", "spread_sum", "called", "men_sum", "men_called")
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
        hl.index_bgen(list(index), index_file_map=index, **common)
        mt = hl.import_bgen(
            list(index),
            ["GT", "GP", "dosage"],
            str(_write_sample_file(files.sample_ids)),
            n_partitions=4 * threads,
            index_file_map=index,
        )
        # Hail leaves entries without a genotype out, and aggregators then do not see them; as missing they count.
        return mt.filter_rows(hl.len(mt.alleles) == 2).unfilter_entries()
    fam = str(_write_fam(files.sample_ids))
    parts = [
        hl.import_plink(str(p), str(p.with_suffix(".bim")), fam, delimiter="\t", n_partitions=4 * threads, **common)
        for p in files.paths
    ]
    parts = [part.select_rows("rsid").select_cols() for part in parts]
    return parts[0] if len(parts) == 1 else hl.MatrixTable.union_rows(*parts)


def _write_fam(sample_ids: list[str]) -> Path:
    """A .fam of the ids alone, in Hail's temporary folder: sex and phenotype of the user's are not ours to read."""
    fam = _temporary("fam")
    fam.write_text("".join(f"0\t{name}\t0\t0\t0\t-9\n" for name in sample_ids))
    return fam


def _write_sample_file(sample_ids: list[str]) -> Path:
    """An Oxford .sample file of the ids, in Hail's temporary folder."""
    path = _temporary("sample")
    path.write_text("ID_1 ID_2 missing\n0 0 0\n" + "".join(f"{name} {name} 0\n" for name in sample_ids))
    return path


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


def _with_groups(mt: "hl.MatrixTable", group: np.ndarray, men: np.ndarray | None = None) -> "hl.MatrixTable":
    """Columns annotated with their group (and `_man`) and cut to those with a group of 0 or more, in file order."""
    import hail as hl

    mt = mt.add_col_index("_index")
    numbers = hl.literal(group.astype(int).tolist(), hl.tarray(hl.tint32))
    mt = mt.annotate_cols(_group=numbers[hl.int32(mt._index)])
    if men is not None:
        mt = mt.annotate_cols(_man=hl.literal(men.tolist(), hl.tarray(hl.tbool))[hl.int32(mt._index)])
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


def info_score(haploid: pl.Expr | None = None) -> pl.Expr:
    """IMPUTE's INFO (Marchini & Howie 2010, doi:10.1038/nrg2796, box 2), in [0, 1]; 1 where the variant does not vary.

    1 - sum of var(dosage_i) / (2 n p (1 - p)), var(dosage_i) = f_i - e_i^2 (`spread_sum`). Not Hail's
    agg.info_score, which in 0.2.139 gives values above 1 for GP read from BGEN. Where a variant is `haploid` in men,
    whose calls are 0 and 2, they count 4 p (1 - p), with the p of their sex. Null where every probability is 0 or 1.
    """

    def expected(total: pl.Expr, n: pl.Expr) -> pl.Expr:
        p = total / (2 * n)
        return pl.when(n > 0).then(2 * n * p * (1 - p)).otherwise(0.0)

    women = expected(pl.col("dosage_sum") - pl.col("men_sum"), pl.col("called") - pl.col("men_called"))
    of_men = expected(pl.col("men_sum"), pl.col("men_called"))
    together = expected(pl.col("dosage_sum"), pl.col("called"))
    variance = together if haploid is None else pl.when(haploid).then(women + 2 * of_men).otherwise(together)
    info = pl.when(variance > 1e-9).then((1 - pl.col("spread_sum") / variance).clip(0, 1)).otherwise(1.0)
    return pl.when((pl.col("called") > 0) & (pl.col("spread_sum") > 1e-9)).then(info)


def variant_counts(
    mt: "hl.MatrixTable", variants: pl.DataFrame, group: np.ndarray, build: str, men: np.ndarray | None = None
) -> tuple[np.ndarray, pl.DataFrame]:
    """Genotype counts int64 [variant, group, state] for rows of `variants`, and a table of dosage sum, calls and INFO.

    `group` (int [sample], -1 leaves a sample out) and `men` (bool [sample]; None: sex does not matter) are in file
    order. Only whole numbers are summed across people, save for dosages, which Hail sums along one row in file order:
    so the result does not depend on the number of threads.
    The second table has nulls for hard calls.
    """
    import hail as hl

    n = int(group.max()) + 1
    mt = _with_groups(mt, group, np.zeros(len(group), bool) if men is None else men)
    fields = {"counts": _counts(mt._group * STATES + _code(mt), n * STATES)}
    if "GP" in mt.entry:
        exact = partial(hl.format, "%.15e")  # Hail's own export rounds to five digits
        spread = mt.GP[1] + 4 * mt.GP[2] - (mt.GP[1] + 2 * mt.GP[2]) ** 2
        fields |= {"dosage_sum": exact(hl.agg.sum(mt.dosage)), "spread_sum": exact(hl.agg.sum(spread))}
        fields["men_sum"] = exact(hl.agg.filter(mt._man, hl.agg.sum(mt.dosage)))
        fields["called"] = hl.agg.count_where(hl.is_defined(mt.dosage))
        fields["men_called"] = hl.agg.count_where(mt._man & hl.is_defined(mt.dosage))
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
    types |= {"men_sum": pl.Float64, "men_called": pl.Int64}
    found = pl.read_csv(path, separator="\t", schema_overrides=types, null_values=["NA", "NaN"])
    found = found.with_columns(contig=contigs.normalise(pl.col("contig")))
    keys = ["contig", "position", "ref", "alt"]
    joined = variants.select(keys).join(found, on=keys, how="left", maintain_order="left", coalesce=True)
    if joined.height != variants.height or joined["counts"].null_count():
        raise UserError("Hail did not return every variant of the files; are two rows the same?")
    absent = [pl.lit(None, types[name]).alias(name) for name in DOSAGES if name not in joined.columns]
    haploid = None if men is None else contigs.haploid_in_males(build)
    table = joined.with_columns(absent).select("dosage_sum", "called", info=info_score(haploid))
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
    bed.write_bytes(plink_files.BED_MAGIC + packed.tobytes())
    bim = variants.select(
        _reference_contig(build).alias("contig"), "rsid", pl.lit("0").alias("cm"), "position", "alt", "ref"
    )
    bim.write_csv(bed.with_suffix(".bim"), separator="\t", include_header=False, quote_style="never")
    names = [str(bed), str(bed.with_suffix(".bim")), str(_write_fam(sample_ids))]
    mt = hl.import_plink(*names, delimiter="\t", reference_genome=build, contig_recoding={}, skip_invalid_loci=True)
    return mt.select_rows("rsid").select_cols()


def write_pruned(mt: "hl.MatrixTable", variants: pl.DataFrame, keep: np.ndarray, build: str, path: Path) -> None:
    """Write the MatrixTable of `variants` (the pruned ones) in the samples kept (bool [sample], file order)."""
    mt = _with_groups(mt, np.where(keep, 0, -1))
    mt = mt.semi_join_rows(_rows_table(variants, build)).select_cols().select_entries("GT")
    mt.naive_coalesce(4).write(str(path))


def export_matrix_table(path: Path, build: str, folder: Path) -> Path:
    """A Hail MatrixTable with DS, HDS, GP or GT as a block-gzipped VCF in `folder`, dosages in whole millionths."""
    import hail as hl

    with reading_by_hail([path], "a MatrixTable; write it with this or an older version of Hail"):
        mt = hl.read_matrix_table(str(path))
    found = [name for name in ("GT", "DS", "HDS", "GP") if name in mt.entry]
    reference = getattr(mt.locus.dtype, "reference_genome", None) if "locus" in mt.row else None
    if getattr(reference, "name", None) != build or not found or "alleles" not in mt.row:
        raise UserError(
            f"{path}: expected locus on {build}, alleles, and entries DS, HDS, GP or GT; found"
            f" {getattr(reference, 'name', 'no reference genome')}, rows {', '.join(mt.row)}, entries"
            f" {', '.join(mt.entry)}; correct `build` or write these"
        )
    out = folder / "converted.vcf.bgz"
    with reading_by_hail([path], "a MatrixTable; write it again"):
        hl.export_vcf(_for_vcf(mt, found), str(out))
    return out


def _for_vcf(mt: "hl.MatrixTable", found: list[str]) -> "hl.MatrixTable":
    """What of a MatrixTable goes into the VCF: name, FILTER, imputation measure, GT, and dosages as integers."""
    import hail as hl

    def millionths(x: "hl.Expression") -> "hl.Expression":
        return hl.or_missing(~hl.is_nan(x), hl.int32(hl.floor(x * 1e6 + 0.5)))  # NaN as an integer is 0

    made = {} if "GT" not in found else {"GT": mt.GT}
    for name in ("DS", "HDS", "GP"):
        if name in found:
            x = mt[name]
            made[name + "U"] = hl.map(millionths, x) if isinstance(x.dtype, hl.tarray) else millionths(x)
    mt = mt.select_entries(**made).select_globals()
    info = mt.info if "info" in mt.row and isinstance(mt.info.dtype, hl.tstruct) else hl.struct()
    measures = {name: info[name] if name in info else mt[name] for name in QUALITY if name in info or name in mt.row}
    row = {"rsid": mt.rsid if "rsid" in mt.row else hl.missing(hl.tstr), "info": hl.struct(**measures)}
    if "filters" in mt.row:
        row["filters"] = mt.filters
    mt = mt.select_rows(**row)
    return mt.key_cols_by(s=hl.str(mt.col_key[0])).select_cols()
