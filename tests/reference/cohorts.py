"""Genotypes, traits and covariates as files, the whole of step 2 on them, and other people's answers."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tests.unit.genotypes.conftest import write_plink

from ecgwas.associations import scan_statistics
from ecgwas.config import GenotypeSource, Gwas
from ecgwas.files import write_json
from ecgwas.genotype_files import sources
from ecgwas.genotype_files.variants import VARIANT
from ecgwas.stats import tails

AF = (0.001, 0.004, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.996, 0.999)
BED_CALLS = np.array([2, -1, 1, 0], np.int8)  # the two bits of a call -> A1 alleles, -1 missing
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # for programs of seconds: compiles once, and plainly
TABLES = ("manifest", "variants", "samples", "traits", "covariates")


@dataclass(frozen=True)
class Estimates:
    """Effect of the ALT allele, standard error and -log10 p [V, T], rows in the order of `variants`."""

    beta: np.ndarray
    se: np.ndarray
    neg_log10_p: np.ndarray

    def at(self, rows: np.ndarray) -> "Estimates":
        """Of some variants."""
        return Estimates(self.beta[rows], self.se[rows], self.neg_log10_p[rows])


@dataclass(frozen=True)
class Cohort:
    """ALT calls int8 [V, n] (-1 missing) as they stand in `bed`, traits [n, T] (NaN missing), covariates [n, c]."""

    bed: Path
    calls: np.ndarray
    variants: pl.DataFrame
    y: np.ndarray
    c: np.ndarray

    @property
    def folder(self) -> Path:
        return self.bed.parent

    @property
    def ids(self) -> list[str]:
        return [f"s{i}" for i in range(self.calls.shape[1])]

    @property
    def traits(self) -> list[str]:
        return [f"trait{j}" for j in range(self.y.shape[1])]

    @property
    def complete(self) -> np.ndarray:
        """[V] variants that everyone has a call of."""
        return (self.calls >= 0).all(axis=1)

    def table(self, name: str) -> Path:
        return self.folder / f"{name}.{'json' if name == 'manifest' else 'parquet'}"


def read_bed(bed: Path) -> tuple[np.ndarray, pl.DataFrame]:
    """A1 counts int8 [V, n] and the .bim of a PLINK 1 file, by the format's text: no reader of the project."""
    names = ["contig", "rsid", "cm", "position", "alt", "ref"]
    bim = pl.read_csv(
        bed.with_suffix(".bim"),
        separator="\t",
        has_header=False,
        new_columns=names,
        schema_overrides={"contig": pl.String},
    )
    n = len(bed.with_suffix(".fam").read_text().splitlines())
    packed = np.frombuffer(bed.read_bytes()[3:], np.uint8).reshape(bim.height, -1)
    return BED_CALLS[np.stack([packed >> s & 3 for s in (0, 2, 4, 6)], -1).reshape(bim.height, -1)[:, :n]], bim


def simulated_calls(n: int, repeat: int, rng: np.random.Generator) -> np.ndarray:
    """Calls [V, n] at the frequencies of AF, everyone's ancestors unrelated save for siblings: a third of people."""
    frequencies = np.repeat(AF, repeat)
    haplotypes = rng.random((2, 2, len(frequencies), n)) < frequencies[:, None]  # parent, copy
    for child in range(1, n, 6):
        haplotypes[..., child] = haplotypes[..., child - 1]  # the same two parents as the person before
    calls = np.zeros((len(frequencies), n), np.int8)
    for parent in haplotypes:
        calls += np.take_along_axis(parent, rng.integers(0, 2, (1, *calls.shape)), 0)[0]
    early = int(0.85 * n)  # people with every trait: a variant nobody of them carries has no test
    alone = np.flatnonzero((calls[:, :early] == calls[:, :1]).all(axis=1))
    calls[alone, rng.integers(0, early, len(alone))] = 1
    return calls


def write(folder: Path, calls: np.ndarray, contig: list[str], position: list[int], rng: np.random.Generator) -> Cohort:
    """A cohort of these calls: a third of the variants with missing calls, three traits (the last with missing
    values, the second with an effect), covariates that go with the genotypes."""
    n = calls.shape[1]
    whole = calls.astype(float)
    scaled = (whole - whole.mean(1, keepdims=True)) / np.maximum(whole.std(1, keepdims=True), 1e-9)
    axes = np.linalg.eigh(scaled.T @ scaled)[1][:, -3:] * n**0.5
    c = np.column_stack([rng.normal(55, 8, n), rng.integers(0, 2, n), axes])
    y = rng.normal(size=(n, 3)) + (c / [8, 1, 1, 1, 1]) @ rng.normal(size=(5, 3))
    y[:, 1] += 0.3 * scaled[len(calls) // 2] + 0.3 * scaled[len(calls) // 3]
    y[int(0.85 * n) :: 2, 2] = np.nan
    calls = calls.copy()
    some = (np.arange(len(calls)) % 3 == 1)[:, None] & (calls != 1)
    calls[some & (rng.random(calls.shape) < 0.02)] = -1
    bed = write_plink(folder / "g", calls, contig, position, [f"s{i}" for i in range(n)])
    variants = pl.DataFrame({"contig": contig, "position": position, "ref": "A", "alt": "G"})
    made = Cohort(bed, calls, variants.cast({"position": pl.Int32}), y, c)
    write_tables(made, GenotypeSource(format="plink", paths=[bed], build="GRCh37"))
    return made


def write_tables(cohort: Cohort, source: GenotypeSource) -> None:
    """What the genotypes and phenotypes stages would hand on; people in another order than in the files."""
    files = sources.open_files(source)
    called = np.maximum((cohort.calls >= 0).sum(1), 1)
    af = np.where(cohort.calls >= 0, cohort.calls, 0).sum(1) / 2 / called
    table = files.variants.with_columns(
        af=af, mac=2 * called * np.minimum(af, 1 - af), info=pl.lit(None, pl.Float64), pruned=pl.lit(True)
    )
    table.write_parquet(cohort.table("variants"))
    write_json(files.manifest(), cohort.table("manifest"))
    pl.DataFrame({"sample_id": cohort.ids, "index": range(len(cohort.ids))}).write_parquet(cohort.table("samples"))
    people = pl.DataFrame({"person_id": cohort.ids, "sample_id": cohort.ids})
    for name, values, columns in (("traits", cohort.y, cohort.traits), ("covariates", cohort.c, list("abcde"))):
        shuffled = people.hstack(pl.DataFrame(values, schema=columns)).sample(fraction=1, shuffle=True, seed=5)
        shuffled.fill_nan(None).write_parquet(cohort.table(name))


def command(module: str, **flags: object) -> None:
    """Run a step as a rule does."""
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    done = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def scan(cohort: Cohort, dtype: str, loco: Path | None = None) -> tuple[Path, Path]:
    """Sumstats and trait table of the whole scan, by its command line."""
    out = cohort.folder / f"{dtype}.parquet", cohort.folder / f"{dtype}-traits.parquet"
    given = {name: cohort.table(name) for name in TABLES} | ({"loco": loco} if loco else {})
    settings = Gwas(dtype=dtype, block=256, min_mac=0).model_dump_json()
    command("ecgwas.gwas.scan", **given, part=0, settings=settings, sumstats=out[0], traits_out=out[1])
    return out


def by_us(cohort: Cohort, dtype: str, loco: Path | None = None) -> Estimates:
    """What a reader of the sumstats derives from them."""
    sumstats, trait_table = scan(cohort, dtype, loco)
    found = scan_statistics.read_scan([sumstats], trait_table)
    assert found.variants.select(VARIANT).equals(cohort.variants)
    df = found.traits["df"].to_numpy().astype(float)
    beta, se = scan_statistics.effects(found.t, found.gg(), found.yy(np.arange(cohort.variants.height)), df)
    return Estimates(beta, se, tails.from_t(found.t, df))


def by_statsmodels(cohort: Cohort, y: np.ndarray, rows: np.ndarray) -> Estimates:
    """Ordinary least squares of traits y [n, T] on the calls of some variants, missing ones at their mean."""
    import statsmodels.api as sm

    shape = len(rows), y.shape[1]
    beta, se, p = np.empty(shape), np.empty(shape), np.empty(shape)
    for v, row in enumerate(cohort.calls[rows].astype(float)):
        row[row < 0] = np.nan
        for j in range(shape[1]):
            seen = np.isfinite(y[:, j])
            g = np.where(np.isnan(row), np.nanmean(row[seen]), row)
            found = sm.OLS(y[seen, j], np.column_stack([g, np.ones(len(g)), cohort.c])[seen]).fit()
            beta[v, j], se[v, j], p[v, j] = found.params[0], found.bse[0], found.pvalues[0]
    return Estimates(beta, se, -np.log10(p))


def by_hail(cohort: Cohort, y: np.ndarray, contig: str | None = None, vcf: Path | None = None) -> Estimates:
    """linear_regression_rows on the .bed, or a VCF, as Hail imports it; Hail must be running. Rows of `contig`."""
    import hail as hl

    paths = [str(cohort.bed.with_suffix(s)) for s in (".bed", ".bim", ".fam")]
    if vcf:
        mt = hl.import_vcf(str(vcf), reference_genome="GRCh37")
    else:
        mt = hl.import_plink(*paths, reference_genome="GRCh37", n_partitions=2)
    if contig:
        mt = mt.filter_rows(mt.locus.contig == contig)
    columns = hl.literal({s: row.tolist() for s, row in zip(cohort.ids, np.column_stack([y, cohort.c]), strict=True)})
    mt = mt.annotate_cols(v=columns[mt.s])
    covariates = [1.0, *(mt.v[y.shape[1] + j] for j in range(cohort.c.shape[1]))]
    wanted, made = cohort.variants, []
    for j in range(y.shape[1]):
        trait = hl.or_missing(~hl.is_nan(mt.v[j]), mt.v[j])
        rows = hl.linear_regression_rows(trait, mt.GT.n_alt_alleles(), covariates)
        rows = rows.select("beta", "standard_error", "p_value").collect()
        table = {(r.locus.contig, r.locus.position, *r.alleles): (r.beta, r.standard_error, r.p_value) for r in rows}
        made.append([table[key] for key in wanted.rows() if contig in (None, key[0])])
    beta, se, p = np.array(made, dtype=float).transpose(2, 1, 0)
    with np.errstate(divide="ignore"):
        return Estimates(beta, se, -np.log10(p))


def distance(ours: Estimates, theirs: Estimates) -> float:
    """Largest |difference| of beta and of SE, in their standard errors; both must be there everywhere."""
    assert np.isfinite(theirs.se).all()
    return float(max(np.max(np.abs(getattr(ours, n) - getattr(theirs, n)) / theirs.se) for n in ("beta", "se")))
