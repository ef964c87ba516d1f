"""Our exports against plink2 --glm omit-ref, to the digits it prints.

plink2 drops missing calls and ours imputes them, so that variants everyone has a call of are compared.
"""

import gzip
import shutil
import subprocess

import numpy as np
import polars as pl
import pytest
from tests.reference import cohorts
from tests.reference.test_gwas_files import real, simulated
from tests.unit.genotypes.conftest import write_bgen

from ecgwas.config import Exports, GenotypeSource
from ecgwas.genotype_files import convert
from ecgwas.gwas.export import formats

PLINK2 = shutil.which("plink2")
pytestmark = pytest.mark.skipif(PLINK2 is None, reason="plink2 is not installed (Debian: apt-get install plink2)")
LAST_DIGIT = 6e-6  # plink2 prints six digits: half a unit of the last is 5e-6 at most


@pytest.fixture(
    scope="module", params=["simulated", *(pytest.param(n, marks=pytest.mark.realdata) for n in ("phase1", "windows"))]
)
def cohort(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "simulated":
        return simulated(folder)
    data = request.getfixturevalue("realdata")
    if request.param == "phase1":
        return real(folder, [data / "geno_1kg_phase1/1kg_phase1.bed"], 5)
    return real(folder, sorted((data / "geno_1kg_eur_windows").glob("*.bed")), 15)


def tab_separated(path, ids, columns, values):
    table = pl.DataFrame({"#FID": ids, "IID": ids}).hstack(pl.DataFrame(values, schema=columns))
    table.fill_nan(None).write_csv(path, separator="\t", null_value="NA")
    return str(path)


def glm(cohort, *genotypes: str) -> list[pl.DataFrame]:
    """plink2's report of each trait: CHROM, POS, REF, ALT, A1, A1_FREQ, OBS_CT, BETA, SE, T_STAT, LOG10_P."""
    given = ["--pheno", tab_separated(cohort.folder / "y.tsv", cohort.ids, cohort.traits, cohort.y)]
    given += ["--covar", tab_separated(cohort.folder / "c.tsv", cohort.ids, list("abcde"), cohort.c)]
    wanted = "cols=chrom,pos,ref,alt,a1freq,nobs,beta,se,tz,p,err"
    # Its limit on variance inflation, 50, and ours on collinearity are not those of the estimates.
    model = ["--glm", "omit-ref", "hide-covar", "log10", wanted, "--vif", "1000000", "--max-corr", "1"]
    out = cohort.folder / "plink2"
    command = [PLINK2, *genotypes, *given, *model, "--threads", "1", "--memory", "1000", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = [cohort.folder / f"plink2.{trait}.glm.linear" for trait in cohort.traits]
    return [pl.read_csv(file, separator="\t", null_values="NA", infer_schema_length=None) for file in files]


@pytest.fixture(scope="module")
def exported(cohort):
    """The scan's REGENIE and GWAS-SSF files of each trait."""
    sumstats, trait_table = cohorts.scan(cohort, "float64")
    given = [cohort.table(name) for name in ("variants", "covariates", "manifest")]
    wanted = Exports(formats=["regenie", "gwas-ssf"])
    formats.main([sumstats], trait_table, *given, wanted, "toy", cohort.folder / "exports")

    def read(name, suffix, separator):
        files = [cohort.folder / "exports" / name / f"{trait}{suffix}" for trait in cohort.traits]
        return [
            pl.read_csv(gzip.decompress(file.read_bytes()), separator=separator, null_values="#NA") for file in files
        ]

    return read("regenie", ".regenie.gz", " "), read("gwas-ssf", ".tsv.gz", "\t")


def same(ours, theirs, tolerance=LAST_DIGIT):
    """Equal to the digits plink2 prints."""
    np.testing.assert_allclose(ours.to_numpy(), theirs.to_numpy(), rtol=tolerance, atol=0)


def test_regenie_and_ssf_files_hold_plink2s_numbers(cohort, exported):
    complete = cohort.variants.filter(cohort.complete).select("contig", "position")
    complete = complete.cast({"contig": pl.Int64, "position": pl.Int64})
    for regenie, ssf, theirs in zip(*exported, glm(cohort, "--bfile", str(cohort.bed.with_suffix(""))), strict=True):
        keys = {"CHROM": "#CHROM", "GENPOS": "POS", "ALLELE0": "REF", "ALLELE1": "ALT"}
        joined = regenie.join(theirs, left_on=list(keys), right_on=list(keys.values()), suffix=":plink2")
        assert joined.height == cohort.variants.height  # REF and ALT are the same ones
        assert (joined["ALLELE1"] == joined["A1"]).all()  # and ALT is the effect allele of both
        joined = joined.join(complete, left_on=["CHROM", "GENPOS"], right_on=["contig", "position"], how="semi")
        assert joined.height == cohort.complete.sum()
        assert joined["ERRCODE"].unique().to_list() == ["."]
        same(joined["SE"], joined["SE:plink2"])
        same(joined["BETA"], joined["BETA:plink2"])
        same(joined["LOG10P"], joined["LOG10_P"])
        same(joined["CHISQ"], joined["T_STAT"] ** 2, 2 * LAST_DIGIT)
        same(joined["N"], joined["OBS_CT"])
        side = {"CHROM": "chromosome", "GENPOS": "base_pair_location", "ALLELE1": "effect_allele"}
        both = joined.join(ssf, left_on=list(side), right_on=list(side.values()))
        assert both.height == joined.height
        same(both["beta"], both["BETA:plink2"])
        same(both["standard_error"], both["SE:plink2"])
        same(both["neg_log_10_p_value"], both["LOG10_P"])


def test_dosages_of_bgen_are_plink2s_to_its_rounding(tmp_path):
    """plink2 keeps a dosage in steps of 1/16384, 8-bit BGEN has steps of 1/255."""
    cohort = simulated(tmp_path)
    rng = np.random.default_rng(23)
    kept = 0.8 * np.eye(3)[np.maximum(cohort.calls, 0)] + 0.2 * rng.dirichlet([1, 1, 1], cohort.calls.shape)
    places = cohort.variants["contig"].to_list(), cohort.variants["position"].to_list()
    bgen = write_bgen(tmp_path / "g.bgen", kept, *places, cohort.ids)
    sample = bgen.with_suffix(".sample")
    cohorts.write_tables(cohort, GenotypeSource(format="bgen", paths=[bgen], sample_file=sample, build="GRCh37"))
    ours = cohorts.by_us(cohort, "float64")
    for j, theirs in enumerate(glm(cohort, "--bgen", str(bgen), "ref-first", "--sample", str(sample))):
        assert (theirs["A1"] == "G").all()
        se = theirs["SE"].to_numpy()
        assert np.max(np.abs(ours.beta[:, j] - theirs["BETA"].to_numpy()) / se) < 2e-3
        assert np.max(np.abs(ours.se[:, j] - se) / se) < 2e-3


def test_dosages_of_a_vcf_are_plink2s(tmp_path):
    """DS, by our converter and scan, and by plink2 --vcf dosage=DS: both keep them in steps of 1/16384.

    Here and there they round to neighbouring steps: 1e-4 SE of an effect, within what a step of every dosage can do.
    """
    cohort = simulated(tmp_path)
    rng = np.random.default_rng(24)
    dosages = 0.8 * np.maximum(cohort.calls, 0) + 0.2 * rng.uniform(0, 2, cohort.calls.shape)
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *cohort.ids]
    form = (
        "##FORMAT=<ID=DS,Number=1,Type=Float,Description='d'>\n##FORMAT=<ID=GT,Number=1,Type=String,Description='g'>\n"
    )
    lines = ["##fileformat=VCFv4.2\n" + form.replace("'", '"') + "\t".join(columns) + "\n"]
    for i, (contig, position) in enumerate(cohort.variants.select("contig", "position").iter_rows()):
        fields = [f"{('0/0', '0/1', '1/1')[round(x)]}:{x:.6f}" for x in dosages[i]]
        lines.append("\t".join([contig, str(position), f"v{i}", "A", "G", ".", ".", ".", "GT:DS", *fields]) + "\n")
    vcf = tmp_path / "g.vcf"
    vcf.write_text("".join(lines))
    made = convert.convert([vcf], "GRCh37", tmp_path, 1)
    assert made[0].records == {"DS": len(dosages)}
    cohorts.write_tables(cohort, GenotypeSource(format="pgen", paths=[made[0].path], build="GRCh37"))
    ours = cohorts.by_us(cohort, "float64")
    for j, theirs in enumerate(glm(cohort, "--vcf", str(vcf), "dosage=DS", "--double-id")):
        assert (theirs["A1"] == "G").all()
        np.testing.assert_allclose(ours.se[:, j], theirs["SE"].to_numpy(), rtol=LAST_DIGIT)
        assert np.max(np.abs(ours.beta[:, j] - theirs["BETA"].to_numpy()) / ours.se[:, j]) < 1e-4
