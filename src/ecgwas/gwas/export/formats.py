"""Sumstats -> files other tools read: GWAS-SSF v1, PheWeb, LDSC and REGENIE, one a trait, sorted and block-gzipped.

The effect allele is ALT in every format. p is given as -log10 p where the format has it, and else written from it, so
that nothing is 0. Variants without a test are not written.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pysam
import yaml

import ecgwas
from ecgwas.associations import scan_statistics
from ecgwas.cli import run
from ecgwas.config import Exports
from ecgwas.errors import UserError
from ecgwas.files import atomic
from ecgwas.genotype_files.variants import VARIANT, read_variants
from ecgwas.stats import tails
from ecgwas.tables import COVARIATES, SCAN_TRAITS, SUMSTATS

X_NUMBER = "23"
# t is stored in float32; plink2 and REGENIE print six digits. All of float64's would double the files.
DIGITS = 7
MODE = "wb2"  # of BGZF: level 6, the default, takes four times as long for 9 % less
SAME_STRANDS = ["AT", "TA", "CG", "GC"]  # alleles of ambiguous strand
MUNGE_INFO, MUNGE_MAF = 0.9, 0.01  # defaults of munge_sumstats.py of LDSC: --info-min and --maf-min


@dataclass(frozen=True)
class Format:
    """How one format is written."""

    suffix: str
    separator: str
    columns: Callable[[bool, bool], list[pl.Expr]]  # of the table of `statistics`; whether it has INFO, and a 0/1 trait
    keep: Callable[[], pl.Expr]  # rows that can be written
    indexed: bool  # by tabix, on its first two columns


def p_text() -> pl.Expr:
    """p with up to four digits from neg_log10_p, also where it is no normal number: 1.2345e-400."""
    exponent = pl.col("neg_log10_p").ceil()
    mantissa = (10 ** (exponent - pl.col("neg_log10_p"))).round(4)
    up = mantissa >= 10
    return pl.format("{}e-{}", pl.when(up).then(1.0).otherwise(mantissa), exponent.cast(pl.Int64) - up.cast(pl.Int64))


def number() -> pl.Expr:
    """Chromosomes as numbers, X as 23."""
    return pl.col("contig").replace({"X": X_NUMBER})


def gwas_ssf(imputed: bool, binary: bool) -> list[pl.Expr]:
    """Mandatory columns in their order, then variant_id, rsid, ref_allele, info, n and test (GWAS-SSF v1.0)."""
    optional, more = [pl.col("info")] if imputed else [], [pl.col("test")] if binary else []
    return [
        number().alias("chromosome"),
        pl.col("position").alias("base_pair_location"),
        pl.col("alt").alias("effect_allele"),
        pl.col("ref").alias("other_allele"),
        "beta",
        pl.col("se").alias("standard_error"),
        pl.col("af").alias("effect_allele_frequency"),
        pl.col("neg_log10_p").alias("neg_log_10_p_value"),
        pl.concat_str(number(), "position", "ref", "alt", separator="_").alias("variant_id"),
        pl.when(pl.col("rsid").str.contains(r"^rs\d+$")).then("rsid").otherwise(pl.lit("#NA")).alias("rsid"),
        # Elsewhere REF is the source's word (A2 of PLINK files), not looked up in a genome.
        pl.when("ref_checked").then(pl.lit("OA")).otherwise(pl.lit("#NA")).alias("ref_allele"),
        *optional,
        "n",
        *more,
    ]


def pheweb(*_: bool) -> list[pl.Expr]:
    """chrom, pos, ref, alt, pval, beta, sebeta, af, num_samples."""
    return [
        pl.col("contig").alias("chrom"),
        pl.col("position").alias("pos"),
        "ref",
        "alt",
        p_text().alias("pval"),
        "beta",
        pl.col("se").alias("sebeta"),
        "af",
        pl.col("n").alias("num_samples"),
    ]


def ldsc(*_: bool) -> list[pl.Expr]:
    """SNP, A1 (effect), A2, Z, N: what munge_sumstats.py makes and keeps (`_munged`)."""
    z = pl.col("t")  # LDSC's Z is signed and squared; t of thousands of degrees of freedom is one
    return [
        pl.col("rsid").alias("SNP"),
        pl.col("alt").alias("A1"),
        pl.col("ref").alias("A2"),
        z.alias("Z"),
        pl.col("n").alias("N"),
    ]


def regenie(_: bool, binary: bool) -> list[pl.Expr]:
    """The columns of REGENIE's step 2 (additive); EXTRA names the test of a 0/1 trait."""
    return [
        number().alias("CHROM"),
        pl.col("position").alias("GENPOS"),
        pl.when(pl.col("rsid") != ".").then("rsid")
        .otherwise(pl.concat_str("contig", "position", "ref", "alt", separator=":")).alias("ID"),
        pl.col("ref").alias("ALLELE0"),
        pl.col("alt").alias("ALLELE1"),
        pl.col("af").alias("A1FREQ"),
        pl.col("info").fill_null(1.0).alias("INFO"),
        pl.col("n").alias("N"),
        pl.lit("ADD").alias("TEST"),
        pl.col("beta").alias("BETA"),
        pl.col("se").alias("SE"),
        (pl.col("t") ** 2).alias("CHISQ"),
        pl.col("neg_log10_p").alias("LOG10P"),
        pl.col("test").alias("EXTRA") if binary else pl.lit("NA").alias("EXTRA"),
    ]  # fmt: skip


def _tested() -> pl.Expr:
    return pl.col("t").is_not_null()


def _minor() -> pl.Expr:
    """Minor allele frequency in the people analysed."""
    return pl.min_horizontal("af", 1 - pl.col("af"))


def _bases() -> pl.Expr:
    """Tested, of bases alone: the standard has no *, no <DEL> and no N."""
    of_bases = [pl.col(name).str.contains("^[ACGT]+$") for name in ("ref", "alt")]
    return _tested() & pl.all_horizontal(of_bases)


def _munged() -> pl.Expr:
    """What munge_sumstats.py of LDSC keeps: SNPs with an rs number, once each, with alleles of unambiguous strand, of
    INFO >= 0.9 (calls have none and stay) and a minor allele frequency in the people analysed > 0.01.
    """
    pair = pl.concat_str("ref", "alt")
    unambiguous = pair.str.contains("^[ACGT]{2}$") & ~pair.is_in(SAME_STRANDS)
    sure = (pl.col("info") >= MUNGE_INFO).fill_null(True) & (_minor() > MUNGE_MAF)
    good = _tested() & unambiguous & sure & pl.col("rsid").str.contains(r"^rs\d+$").fill_null(False)
    return good & pl.when(good).then("rsid").is_first_distinct()


FORMATS = {
    "gwas-ssf": Format(".tsv.gz", "\t", gwas_ssf, _bases, True),
    "pheweb": Format(".pheweb.tsv.gz", "\t", pheweb, _tested, True),
    "ldsc": Format(".sumstats.gz", "\t", ldsc, _munged, False),
    "regenie": Format(".regenie.gz", " ", regenie, _tested, False),
}


def statistics(part: pl.DataFrame, trait: dict, yy: np.ndarray) -> pl.DataFrame:
    """Variant, af, info, n, beta, se, t and neg_log10_p of one trait from a sumstats part; null where not tested.

    The part has ref_checked as well. `yy` [V]: squared length of the residual trait tested at each variant.
    """
    group = trait["group"]
    own = {name: pl.col(name if group == "all" else f"{name}:{group}") for name in ("n", "af")}
    own |= {"gg": pl.col(scan_statistics.gg_name(trait)).cast(pl.Float64)}
    if scan_statistics.test_name(trait):
        own["test"] = pl.col(scan_statistics.test_name(trait)).replace_strict(
            dict(enumerate(scan_statistics.TESTS)), default=None
        )
    table = part.select(
        *VARIANT, "rsid", "info", "ref_checked", t=pl.col(f"t:{trait['trait']}").cast(pl.Float64), **own
    )
    t, df = table["t"].fill_null(float("nan")).to_numpy(), float(trait["df"] or np.inf)
    beta, se = scan_statistics.effects(t, table["gg"].fill_null(float("nan")).to_numpy(), yy, np.array(df))
    estimates = {"beta": beta, "se": se, "neg_log10_p": tails.from_t(t, df)}
    return table.with_columns(*(pl.Series(name, x) for name, x in estimates.items())).fill_nan(None)


def tables(sumstats: list[Path], lengths: pl.DataFrame, checked: pl.Series, trait: dict) -> Iterator[pl.DataFrame]:
    """`statistics` of one trait, part by part; `checked` [V]: ref_checked of all their variants."""
    group, first = trait["group"], 0
    own = ["n", "af"] if group == "all" else [f"n:{group}", f"af:{group}"]
    own += [name for name in (scan_statistics.gg_name(trait), scan_statistics.test_name(trait)) if name]
    for path in sumstats:
        part = SUMSTATS.read(path, [*VARIANT, "rsid", "info", *own, f"t:{trait['trait']}"])
        part = part.with_columns(ref_checked=checked[first : first + part.height])
        first += part.height
        yield statistics(part, trait, scan_statistics.lengths_at(lengths, part, trait["trait"]))


@dataclass(frozen=True)
class Written:
    """What `write` wrote of one trait."""

    lines: dict[Path, int]
    min_maf: float  # smallest minor allele frequency of a line, in the people analysed; NaN without lines


def write(tables: Iterator[pl.DataFrame], files: dict[Path, Format], imputed: bool, binary: bool = False) -> Written:
    """Write one trait in every format and, where that has it, its tabix index."""
    lines, rarest = dict.fromkeys(files, 0), float("nan")
    with contextlib.ExitStack() as stack:
        opened = {path: stack.enter_context(pysam.BGZFile(str(path), MODE)) for path in files}
        for number, table in enumerate(tables):
            rarest = np.fmin(rarest, table.filter(_bases()).select(_minor().min()).item() or np.nan)
            for path, kind in files.items():
                wanted = table.lazy().filter(kind.keep()).select(kind.columns(imputed, binary))
                rows = wanted.with_columns(pl.selectors.float().round_sig_figs(DIGITS)).collect()
                text = rows.write_csv(
                    separator=kind.separator, include_header=number == 0, null_value="#NA", quote_style="never"
                )
                opened[path].write(text.encode())
                lines[path] += rows.height
    for path, kind in files.items():
        if kind.indexed and lines[path]:
            pysam.tabix_index(str(path), force=True, seq_col=0, start_col=1, end_col=1, line_skip=1)
    return Written(lines, float(rarest))


def ref_checked(variants: pl.DataFrame, sumstats: list[Path]) -> pl.Series:
    """Whether REF of each variant is known to be the reference's; the parts must hold these `variants`, row by row."""
    first = 0
    for path in sumstats:
        part = SUMSTATS.read(path, VARIANT)
        scan_statistics.same_rows(variants[first : first + part.height], part)
        first += part.height
    scan_statistics.same_rows(variants, variants[:first])
    return (
        variants["ref_checked"] if "ref_checked" in variants.columns else pl.repeat(False, variants.height, eager=True)
    )


def md5(path: Path) -> str:
    """MD5 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def file_names(traits: list[str]) -> dict[str, str]:
    """Trait -> name of its files without suffix: letters, digits, '.', '+' and '-', the rest as '_'."""
    stems = {trait: re.sub(r"[^A-Za-z0-9.+-]", "_", trait) for trait in traits}
    first: dict[str, str] = {}
    for trait, stem in stems.items():
        if (other := first.setdefault(stem, trait)) != trait:
            raise UserError(f"exports: traits '{other}' and '{trait}' would both be files {stem}.*; rename one")
    return stems


def pheno_list(traits: dict[str, str]) -> list[dict]:
    """PheWeb's pheno-list.json: code, name and file of each trait, from its folder."""
    suffix = FORMATS["pheweb"].suffix
    return [{"phenocode": s, "phenostring": t, "assoc_files": [f"{s}{suffix}"]} for t, s in traits.items()]


def case_counts(trait: dict) -> dict:
    """Of a 0/1 trait, the fields of GWAS-SSF metadata about its cases."""
    if trait["df"] is not None:
        return {}
    cases = int(trait["cases"])
    return {"case_control_study": True, "case_count": cases, "control_count": int(trait["n"]) - cases}


def metadata(trait: dict, path: Path, build: str, covariates: list[str], min_maf: float, cohort: str) -> dict:
    """The fields of a GWAS-SSF metadata file that the run knows; ancestry and technology are the submitter's to add."""
    return {
        "file_type": "GWAS-SSF v1.0",
        "data_file_name": path.name,
        "data_file_md5sum": md5(path),
        "is_harmonised": False,
        "is_sorted": True,
        "genome_assembly": build,
        "coordinate_system": "1-based",
        "trait_description": [trait["trait"]],
        "samples": [{"sample_size": int(trait["n"]), "cohort": [cohort]} | case_counts(trait)],
        "minor_allele_freq_lower_limit": None if np.isnan(min_maf) else float(min_maf),
        "adjusted_covariates": covariates,
        "analysis_software": f"ecgwas {ecgwas.__version__}",
    }


def main(
    sumstats: list[Path],
    trait_table: Path,
    variants: Path,
    covariates: Path,
    manifest: Path,
    settings: Exports,
    cohort: str,
    exports: Path,
) -> None:
    """Write every trait in each format of `exports.formats` into the folder `exports`; _SUCCESS names the files.

    Args:
        sumstats: The scan's sumstats/part-*.parquet, in order.
        trait_table: sumstats/traits-000.parquet: what was scanned of each trait.
        variants: variants.parquet of the genotypes.
        covariates: covariates.parquet of the model, named in the metadata.
        manifest: manifest.json of the genotypes.
        settings: The `exports` block of the study.
        cohort: Name of the cohort, for the metadata.
        exports: Written: a folder with one folder per format.
    """
    lengths = SCAN_TRAITS.read(trait_table)
    table, build = read_variants(variants), json.loads(manifest.read_text())["build"]
    adjusted = [name for name in COVARIATES.scan(covariates).collect_schema() if name not in ("person_id", "sample_id")]
    stems = file_names(lengths["trait"].unique(maintain_order=True).to_list())
    formats, checked = list(dict.fromkeys(settings.formats)), ref_checked(table, sumstats)
    written, imputed = {}, table["info"].count() > 0
    with atomic(exports) as folder:
        for name in formats:
            (folder / name).mkdir(parents=True)
        for trait in lengths.unique("trait", keep="first", maintain_order=True).iter_rows(named=True):
            stem = stems[trait["trait"]]
            files = {folder / name / f"{stem}{FORMATS[name].suffix}": FORMATS[name] for name in formats}
            done = write(tables(sumstats, lengths, checked, trait), files, imputed, trait["df"] is None)
            written |= {f"{path.parent.name}/{path.name}": n for path, n in done.lines.items()}
            if "gwas-ssf" in formats:
                path = folder / "gwas-ssf" / f"{stem}{FORMATS['gwas-ssf'].suffix}"
                about = metadata(trait, path, build, adjusted, done.min_maf, cohort) | settings.metadata
                path.with_name(f"{path.name}-meta.yaml").write_text(yaml.safe_dump(about, sort_keys=False))
        if "pheweb" in formats:
            (folder / "pheweb" / "pheno-list.json").write_text(json.dumps(pheno_list(stems), indent=1) + "\n")
        print(f"{len(written)} files of {len(stems)} traits: {', '.join(formats)}", flush=True)
        (folder / "_SUCCESS").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    run(main)
