"""From a genotype file to what a reader derives from the sumstats: torch engine = Hail = statsmodels.

Each tool reads the PLINK file itself: ours through the scan's command line, Hail by import_plink, statsmodels what a
few lines of NumPy decode. Covariates go with genotypes, calls and trait values are missing, people are related.
"""

import gzip
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.reference import cohorts

from ecgwas.config import GenotypeSource, Step1
from ecgwas.genotype_files.variants import VARIANT, read_variants
from ecgwas.genotypes import qc_main
from ecgwas.hail_session import hail_session

pytestmark = pytest.mark.hail
REAL = [pytest.param(name, marks=pytest.mark.realdata) for name in ("phase1", "windows")]


def simulated(folder):
    """700 people, siblings among them, on 6 chromosomes: ALT frequencies 0.001 to 0.999."""
    rng = np.random.default_rng(21)
    calls = cohorts.simulated_calls(700, 36, rng)
    calls = calls[rng.permutation(len(calls))]
    contig, position = np.divmod(np.arange(len(calls)), len(calls) // 6)
    return cohorts.write(folder, calls, (contig + 1).astype(str).tolist(), (1 + 50_000 * position).tolist(), rng)


def real(folder, beds, every):
    """Some variants of 1000 Genomes and the 20 rarest; every second coded the other way."""
    rng = np.random.default_rng(22)
    read = [cohorts.read_bed(bed) for bed in beds]
    calls, bim = np.concatenate([g for g, _ in read]), pl.concat([b for _, b in read])
    chosen = np.union1d(np.arange(0, len(calls), every), calls.sum(axis=1).argsort()[:20])
    calls, bim = calls[chosen], bim[chosen]
    calls[::2] = 2 - calls[::2]
    return cohorts.write(folder, calls, bim["contig"].to_list(), bim["position"].to_list(), rng)


@pytest.fixture(scope="module", params=["simulated", *REAL])
def cohort(request, tmp_path_factory):
    """1,000 variants or so: simulated; 1,092 people of 14 populations, relatives among them; 489 Europeans."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "simulated":
        return simulated(folder)
    data = request.getfixturevalue("realdata")
    if request.param == "phase1":
        return real(folder, [data / "geno_1kg_phase1/1kg_phase1.bed"], 14)
    return real(folder, [data / f"geno_1kg_eur_windows/1000G.subset.{k}.bed" for k in (1, 7)], 8)


@pytest.fixture(scope="module")
def hail():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", cohorts.QUICK_JAVA)
        with hail_session(threads=2, memory_gb=1.5):
            yield


@pytest.fixture(scope="module")
def hails(cohort, hail):
    return cohorts.by_hail(cohort, cohort.y)


@pytest.fixture(scope="module")
def exact(cohort):
    """Our scan in float64."""
    return cohorts.by_us(cohort, "float64")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 1e-3)])
def test_ours_is_hails(cohort, hails, exact, dtype, tolerance):
    ours = exact if dtype == "float64" else cohorts.by_us(cohort, dtype)
    worst = cohorts.distance(ours, hails)
    print(f"{cohort.folder.name}, {len(ours.beta)} variants, {dtype}: {worst:.2g} SE")
    assert worst < tolerance
    np.testing.assert_allclose(ours.neg_log10_p, hails.neg_log10_p, atol=1e-8, rtol=10 * tolerance)


def test_ours_is_statsmodels(cohort, exact):
    rows = np.arange(0, len(cohort.calls), 4)
    some, theirs = exact.at(rows), cohorts.by_statsmodels(cohort, cohort.y, rows)
    assert cohorts.distance(some, theirs) < 1e-6
    np.testing.assert_allclose(some.neg_log10_p, theirs.neg_log10_p, rtol=1e-5)


def test_the_cohort_is_hard_enough(cohort):
    seen = cohort.calls >= 0
    af = np.where(seen, cohort.calls, 0).sum(1) / 2 / seen.sum(1)
    low = 0.0015 if "simulated" in cohort.folder.name else 0.0065
    assert af.min() < low
    assert af.max() > 1 - low
    assert 0.2 < (~cohort.complete).mean() < 0.4
    assert np.isnan(cohort.y).any(axis=0).tolist() == [False, False, True]


def test_with_predictions_of_step_1_each_chromosome_is_ols_of_the_trait_less_them(cohort, hail):
    loco = cohort.folder / "loco.parquet"
    given = {name: cohort.table(name) for name in cohorts.TABLES}
    settings = Step1(block=100, min_mac=20, dtype="float64").model_dump_json()
    cohorts.command("ecgwas.gwas.step1.predictions", **given, settings=settings, loco=loco)
    ours = cohorts.by_us(cohort, "float64", loco)
    order = pl.read_parquet(cohort.table("traits"))["sample_id"].to_list()
    place = [order.index(name) for name in cohort.ids]
    last = cohort.variants["contig"][-1]
    predicted = pl.read_parquet(loco).filter(contig=last).select(cohort.traits).to_numpy()[place]
    assert predicted.std(axis=0).min() > 0.01
    rows = np.flatnonzero(cohort.variants["contig"] == last)
    assert cohorts.distance(ours.at(rows), cohorts.by_hail(cohort, cohort.y - predicted, last)) < 1e-6
    some = rows[::9]
    assert cohorts.distance(ours.at(some), cohorts.by_statsmodels(cohort, cohort.y - predicted, some)) < 1e-6


@pytest.mark.realdata
def test_a_vcf_of_1000_genomes_with_variants_nobody_carries(realdata, hail, tmp_path):
    """Converted by the genotypes stage, SNPs and indels; Hail reads the VCF itself."""
    (path,) = (realdata / "geno_1kg_eas_chr7").glob("*.vcf.gz")
    with gzip.open(path, "rt") as stream:
        lines = stream.read().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("#CHROM"))
    ids = {name: f"s{i}" for i, name in enumerate(lines[start].split("\t")[9:])}
    head = lines[start].split("\t")[:9]
    rows = [line for line in lines[start + 1 :: 120] if "," not in line.split("\t")[4]]
    vcf = tmp_path / "eas.vcf"
    vcf.write_text("\n".join([*lines[:start], "\t".join([*head, *ids.values()]), *rows]) + "\n")
    calls = np.array([[field.count("1") for field in row.split("\t")[9:]] for row in rows], np.int8)
    nowhere, places = ["7"] * len(rows), list(range(1, len(rows) + 1))
    cohort = cohorts.write(tmp_path, calls, nowhere, places, np.random.default_rng(24))
    source = GenotypeSource(format="vcf", paths=[vcf], build="GRCh37")
    converted = qc_main.open_source(source, tmp_path / "converted", 2)
    cohorts.write_tables(cohort, source.model_copy(update={"format": "pgen", "paths": converted.paths}))
    variants = read_variants(cohort.table("variants")).select(VARIANT)
    assert variants.select(pl.col("ref").str.len_chars() > 1).sum().item() > 5
    cohort = replace(cohort, variants=variants)
    ours, theirs = cohorts.by_us(cohort, "float64"), cohorts.by_hail(cohort, cohort.y, vcf=vcf)
    tested = np.isfinite(ours.se).all(axis=1)
    assert 50 < tested.sum() < len(rows) - 50
    assert cohorts.distance(ours.at(tested), theirs.at(tested)) < 1e-6
    assert not np.isfinite(theirs.se[~tested]).all(axis=1).any()
