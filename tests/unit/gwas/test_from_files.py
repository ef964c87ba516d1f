"""From genotype files to sumstats, through quality control: each format has the numbers of the same calls as PLINK."""

import numpy as np
import polars as pl
import pysam
import pytest
from tests.unit.genotypes.conftest import write_plink

from ecgwas.config import Genotypes, GenotypeSource, Gwas
from ecgwas.files import write_json
from ecgwas.genotype_files import sources
from ecgwas.genotype_files.variants import VARIANT
from ecgwas.genotypes import results
from ecgwas.genotypes.qc.cohort import Cohort, quality_control
from ecgwas.gwas import scan

N, V, X = 160, 640, 40  # people; variants, the last of them on X
IDS = [f"s{i}" for i in range(N)]
CONTIG = ["1"] * 300 + ["2"] * 300 + ["X"] * X
POSITION = [100 + 60 * (i % 300) for i in range(V)]
MEN = np.arange(N) % 2 == 0
SETTINGS = Genotypes(heterozygosity_sd=50, min_mac=5)


@pytest.fixture(scope="module")
def calls():
    """ALT counts int8 [V, N]; men 0 or 2 on X."""
    rng = np.random.default_rng([51])
    found = rng.binomial(2, rng.uniform(0.2, 0.8, V)[:, None], (V, N)).astype(np.int8)
    found[-X:, MEN] = 2 * rng.binomial(1, 0.4, (X, MEN.sum()))
    return found


def sumstats(folder, source) -> pl.DataFrame:
    """Quality control and scan of the files, as the two stages do it, without Hail's part."""
    folder.mkdir(exist_ok=True)
    sex = np.where(MEN, "male", "female").tolist()
    people = pl.DataFrame({"sample_id": IDS, "person_id": IDS, "index": range(N), "sex_reported": sex})
    people = people.with_columns(pl.col("index").cast(pl.Int32), has_ecg=True, withdrawn=False)
    cohort = Cohort(sources.open_files(source), people, None, SETTINGS, source)
    related = quality_control(cohort)
    results.variant_table(cohort).write_parquet(folder / "variants.parquet")
    results.sample_table(cohort, related).write_parquet(folder / "samples.parquet")
    results.excluded_table(cohort, related).write_parquet(folder / "excluded.parquet")
    write_json(cohort.manifest(), folder / "manifest.json")
    rng = np.random.default_rng([52])
    who = pl.DataFrame({"person_id": IDS, "sample_id": IDS})
    who.hstack(pl.DataFrame(rng.normal(size=(N, 3)), schema=["a", "b", "c"])).write_parquet(folder / "traits.parquet")
    covariates = pl.DataFrame({"age": rng.normal(size=N), "sex": MEN.astype(float)})
    who.hstack(covariates).write_parquet(folder / "covariates.parquet")
    names = ("manifest.json", *(f"{x}.parquet" for x in ("variants", "samples", "traits", "covariates")))
    paths = [folder / name for name in names]
    scan.main(*paths, 0, Gwas(dtype="float64"), folder / "part.parquet", folder / "per-trait.parquet")
    return pl.read_parquet(folder / "part.parquet")


def same(found, expected):
    assert found.select(VARIANT).equals(expected.select(VARIANT))
    assert found.height > 600
    for name in ("n", "af", "gg", "t:a", "t:b", "t:c", "joint_neg_log10_p"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.fixture(scope="module")
def plain(calls, tmp_path_factory):
    """The sumstats of the calls as PLINK, A the reference allele and G the other."""
    folder = tmp_path_factory.mktemp("plain")
    bed = write_plink(folder / "g", calls, CONTIG, POSITION, IDS)
    return sumstats(folder, GenotypeSource(format="plink", paths=[bed], build="GRCh37"))


def test_haploid_bgen_on_x(calls, plain, tmp_path):
    from bgen import BgenWriter

    path = tmp_path / "g.bgen"
    with BgenWriter(str(path), n_samples=N, samples=IDS, compression="zlib") as stream:
        for i, row in enumerate(calls):
            p, more = np.eye(3)[row], {}
            if CONTIG[i] == "X":
                p[MEN] = np.column_stack([np.eye(2)[row[MEN] // 2], np.full(MEN.sum(), np.nan)])
                more = {"ploidy": np.where(MEN, 1, 2).astype(np.uint8)}
            stream.add_variant(f"v{i}", f"v{i}", CONTIG[i], POSITION[i], ["A", "G"], p, bit_depth=8, **more)
    path.with_suffix(".sample").write_text("ID_1 ID_2 missing\n0 0 0\n" + "".join(f"{i} {i} 0\n" for i in IDS))
    source = GenotypeSource(format="bgen", paths=[path], sample_file=path.with_suffix(".sample"), build="GRCh37")
    same(sumstats(tmp_path / "out", source), plain)


def test_pgen_with_dosages(calls, plain, tmp_path):
    import pgenlib

    path = tmp_path / "g.pgen"
    kept = {"variant_ct": V, "nonref_flags": False, "dosage_present": True}
    with pgenlib.PgenWriter(str(path).encode(), N, **kept) as stream:
        for row in calls:
            stream.append_dosages(row.astype(np.float32))
    rows = [f"{c}\t{p}\tv{i}\tA\tG" for i, (c, p) in enumerate(zip(CONTIG, POSITION, strict=True))]
    path.with_suffix(".pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "\n".join(rows) + "\n")
    path.with_suffix(".psam").write_text("#IID\n" + "\n".join(IDS) + "\n")
    same(sumstats(tmp_path / "out", GenotypeSource(format="pgen", paths=[path], build="GRCh37")), plain)


def test_a_fasta_turns_aligns_and_drops_and_leaves_the_numbers(calls, plain, tmp_path):
    """Of 640 rows each third stands the other way round, 8 fit nowhere, 5 are indels of a run of T not at its left
    end, and two share a position with a third allele."""
    sequences = {c: np.random.default_rng([53, i]).choice(list("CGT"), 20_000) for i, c in enumerate(["1", "2", "X"])}
    for c, p in zip(CONTIG, POSITION, strict=True):
        sequences[c][p - 1] = "A"
    ref, alt, position = ["A"] * V, ["G"] * V, list(POSITION)
    for i in range(10, 15):  # AT…T: the deletion of its last T is that of its first
        sequences["1"][POSITION[i] - 1 : POSITION[i] + 6] = list("ATTTTTC")
        ref[i], alt[i], position[i] = "TT", "T", POSITION[i] + 4
    for i in range(20, 28):
        ref[i], alt[i] = "C", "G"
        sequences["1"][POSITION[i] - 1] = "A"
    position[31], alt[31] = position[30], "C"
    given = calls.copy()
    for i in range(32, V, 3):
        ref[i], alt[i], given[i] = alt[i], ref[i], 2 - given[i]
    path = tmp_path / "r.fa"
    path.write_text("".join(f">{c}\n{''.join(s)}\n" for c, s in sequences.items()))
    pysam.faidx(str(path))
    bed = write_plink(tmp_path / "g", given, CONTIG, position, IDS)
    rows = zip(CONTIG, position, alt, ref, strict=True)
    bed.with_suffix(".bim").write_text("".join(f"{c}\tv{i}\t0\t{p}\t{a}\t{r}\n" for i, (c, p, a, r) in enumerate(rows)))
    found = sumstats(tmp_path / "out", GenotypeSource(format="plink", paths=[bed], build="GRCh37", fasta=path))
    lost = pl.read_parquet(tmp_path / "out/excluded.parquet").filter(kind="variant")
    assert lost.filter(reason="ref_mismatch").height == 8
    at = found.filter(pl.col("rsid").is_in([f"v{i}" for i in range(10, 15)])).sort("position")
    assert at.select("position", "ref", "alt").rows() == [(POSITION[i], "AT", "A") for i in range(10, 15)]
    assert found.filter(position=POSITION[30], contig="1")["alt"].sort().to_list() == ["C", "G"]
    both = found.join(plain, on="rsid", suffix="_plain")
    assert both.height == found.height > 600
    for name in ("af", "gg", "t:a", "t:b", "t:c"):
        np.testing.assert_allclose(both[name], both[f"{name}_plain"], rtol=1e-5, atol=1e-6, err_msg=name)
