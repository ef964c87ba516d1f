"""Is an association with imputed dosages the same through every format, and the right one? Each against statsmodels.

Haplotypes' posterior probabilities are drawn from Beta(ap, a(1 - p)), a = 1/R² - 1, and alleles from them: dosages
are then calibrated, of imputation r² R², and effects on true alleles are the slopes on dosages. The same dosages are
written as VCF with DS (3 decimals), VCF with GP (3 decimals), BGEN (8 bits) and PGEN, with variants planted to leave.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.cli import run
from ecgwas.config import Genotypes, GenotypeSource, Gwas

FORMATS = ("vcf-ds", "vcf-gp", "bgen", "pgen")
STEP = {
    "vcf-ds": 0.0005,
    "vcf-gp": 0.0015,
    "bgen": 1 / 255,
    "pgen": 0.5 / 16384,
}  # error of a dosage by its text or bits
PLANTED = {"filter": "filter: LOWQ", "r2": "info: R2"}  # of VCF; poor dosages leave every format for `info`
POOR_R2, POOR, N_PLANTED = 0.1, "info", 10
CONTIGS = 22
DECLARED = """##INFO=<ID=R2,Number=1,Type=Float,Description="planted">
##FORMAT=<ID=GT,Number=1,Type=String,Description="best guess">
##FORMAT=<ID=DS,Number=A,Type=Float,Description="dosage">
##FORMAT=<ID=GP,Number=G,Type=Float,Description="probabilities">
"""


@dataclass(frozen=True)
class Data:
    """Imputed genotypes of unrelated people, and traits that they bear on."""

    haplotypes: np.ndarray  # ALT probability [variant, 2, person]
    r2: np.ndarray  # imputation r² [variant]
    traits: np.ndarray  # [person, trait]
    covariates: np.ndarray  # [person, 2]
    effects: np.ndarray  # of an allele [variant, trait]

    @property
    def dosages(self) -> np.ndarray:
        """[variant, person]."""
        return self.haplotypes.sum(1)

    @property
    def probabilities(self) -> np.ndarray:
        """[variant, person, 3]."""
        a, b = self.haplotypes[:, 0], self.haplotypes[:, 1]
        return np.stack([(1 - a) * (1 - b), a * (1 - b) + b * (1 - a), a * b], 2)

    @property
    def ids(self) -> list[str]:
        """Sample ids."""
        return [f"s{i}" for i in range(self.haplotypes.shape[2])]

    @property
    def places(self) -> list[tuple[str, int]]:
        """Contig and position of each variant, 300 kb apart."""
        per = -(-len(self.r2) // CONTIGS)
        return [(str(i // per + 1), 14_000_000 + 300_000 * (i % per)) for i in range(len(self.r2))]


def simulate(n: int, variants: int, traits: int, seed: int) -> Data:
    """Unlinked variants of MAF 0.1 to 0.5 and R² 0.3 to 1 by equal steps, the last N_PLANTED poor; h² 0.5."""
    rng = np.random.default_rng([seed])
    r2 = np.linspace(0.3, 1, 8)[np.arange(variants) % 8]
    r2[-N_PLANTED:] = POOR_R2
    p = rng.uniform(0.1, 0.9, variants)
    a = np.maximum(1 / r2 - 1, 1e-9)[:, None, None]
    posterior = rng.beta(a * p[:, None, None], a * (1 - p[:, None, None]), (variants, 2, n))
    posterior = np.where(r2[:, None, None] == 1, np.rint(posterior), posterior)
    g = (rng.random(posterior.shape) < posterior).sum(1).astype(float)
    effects = rng.normal(size=(variants, traits)) * np.sqrt(0.5 / variants / (2 * p * (1 - p)))[:, None]
    c = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    y = g.T @ effects + rng.normal(0, 0.5**0.5, (n, traits)) + 0.3 * c.sum(1, keepdims=True)
    return Data(posterior, r2, y, c, effects)


def write_vcf(path: Path, data: Data, field: str) -> Path:
    """GT with DS or GP of three decimals; FILTER and R2 of the first variants are planted to fail."""
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *data.ids]
    dosages, probabilities = data.dosages, data.probabilities if field == "GP" else None
    with path.open("w") as stream:
        stream.write('##fileformat=VCFv4.2\n##FILTER=<ID=LOWQ,Description="planted">\n' + DECLARED)
        stream.write("".join(f"##contig=<ID={c + 1}>\n" for c in range(CONTIGS)) + "\t".join(columns) + "\n")
        for i, (contig, position) in enumerate(data.places):
            bad = "LOWQ" if i < N_PLANTED else "PASS"
            r2 = 0.02 if N_PLANTED <= i < 2 * N_PLANTED else 0.9
            x = dosages[i]
            texts = [f"{d:.3f}" for d in x]
            if probabilities is not None:
                texts = [",".join(f"{q:.3f}" for q in row) for row in probabilities[i]]
            calls = np.array(["0|0", "0|1", "1|1"])[np.rint(x).astype(int)]
            fields = "\t".join(f"{c}:{t}" for c, t in zip(calls, texts, strict=True))
            stream.write(f"{contig}\t{position}\tv{i}\tA\tG\t.\t{bad}\tR2={r2}\tGT:{field}\t{fields}\n")
    return path


def write_bgen(path: Path, data: Data) -> Path:
    """8 bits, unphased."""
    from bgen import BgenWriter

    with BgenWriter(str(path), n_samples=len(data.ids), samples=data.ids, compression="zlib") as stream:
        for i, ((contig, position), p) in enumerate(zip(data.places, data.probabilities, strict=True)):
            stream.add_variant(f"v{i}", f"v{i}", contig, position, ["A", "G"], p, bit_depth=8)
    return path


def write_pgen(path: Path, data: Data) -> Path:
    """PGEN with dosages."""
    import pgenlib

    given = {"variant_ct": len(data.r2), "nonref_flags": False, "dosage_present": True}
    with pgenlib.PgenWriter(str(path).encode(), len(data.ids), **given) as stream:
        for row in data.dosages.astype(np.float32):
            stream.append_dosages(row)
    rows = [f"{c}\t{p}\tv{i}\tA\tG\n" for i, (c, p) in enumerate(data.places)]
    path.with_suffix(".pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "".join(rows))
    path.with_suffix(".psam").write_text("#IID\n" + "".join(f"{name}\n" for name in data.ids))
    return path


def write(folder: Path, name: str, data: Data) -> GenotypeSource:
    """The data as format `name` in `folder`."""
    if name.startswith("vcf"):
        path = write_vcf(folder / f"{name}.vcf", data, name[-2:].upper())
    else:
        path = {"bgen": write_bgen, "pgen": write_pgen}[name](folder / f"imputed.{name}", data)
    return GenotypeSource(format=name.split("-")[0], paths=[path], build="GRCh37")


def own_dosages(name: str, source: GenotypeSource, rows: np.ndarray) -> np.ndarray:
    """ALT dosages [variant, person] that the file holds, read by its library alone: pysam, bgen or pgenlib."""
    path = str(source.paths[0])
    if name == "bgen":
        from bgen import BgenReader

        with BgenReader(path) as stream:
            return np.stack([stream[int(i)].probabilities @ [0.0, 1.0, 2.0] for i in rows])
    if name == "pgen":
        import pgenlib

        with pgenlib.PgenReader(path.encode()) as stream:
            found = np.empty((len(rows), stream.get_raw_sample_ct()), np.float64)
            stream.read_dosages_list(rows.astype(np.uint32), found)
        return found
    import pysam

    field, wanted = name[-2:].upper(), set(rows.tolist())
    with pysam.VariantFile(path) as stream:
        found = [
            [sample[field] for sample in record.samples.values()] for i, record in enumerate(stream) if i in wanted
        ]
    values = np.round(np.array(found, float), 3)  # pysam gives float32; the text has three decimals
    return values[..., 0] if field == "DS" else values @ [0.0, 1.0, 2.0]


def by_statsmodels(dosages: np.ndarray, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Effects and standard errors [variant, trait] of ordinary least squares with the covariates."""
    import statsmodels.api as sm

    fits = [
        [sm.OLS(y, sm.add_constant(np.column_stack([x, data.covariates]))).fit() for y in data.traits.T]
        for x in dosages
    ]
    return np.array([[f.params[1] for f in row] for row in fits]), np.array([[f.bse[1] for f in row] for row in fits])


def step(module: str, **flags: object) -> None:
    """Run one step of the pipeline by its command line."""
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", f"ecgwas.{module}", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"error: {module} failed:\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
    print(done.stdout, end="", flush=True)


def quality_control(folder: Path, source: GenotypeSource, data: Data) -> None:
    """The genotypes stage, Hail and all, as its rule runs it."""
    pl.DataFrame({"person_id": data.ids, "sex": "female"}).write_csv(folder / "people.csv")
    pl.DataFrame({"recording_id": data.ids, "person_id": data.ids}).write_parquet(folder / "recordings.parquet")
    tables = ("samples", "variants", "excluded", "pcs", "kinship")
    given = {"source": source.model_dump_json(), "settings": Genotypes(pcs=4).model_dump_json()}
    given |= {name: folder / f"{name}.parquet" for name in tables}
    given |= {"people": folder / "people.csv", "recordings": folder / "recordings.parquet", "hail_log": folder / "hail"}
    given |= {"converted": folder / "converted", "manifest": folder / "manifest.json", "pruned": folder / "pruned.mt"}
    step("genotypes.qc_main", **given)


def without_hail(folder: Path, source: GenotypeSource, data: Data) -> None:
    """The genotypes stage in this process, but for Hail's part: the block reader counts, which it does for BGEN too."""
    from ecgwas.files import write_json
    from ecgwas.genotypes import qc_main, results
    from ecgwas.genotypes.qc.cohort import Cohort
    from ecgwas.genotypes.qc.cohort import quality_control as steps

    people = pl.DataFrame({"sample_id": data.ids, "person_id": data.ids}).with_row_index("index")
    people = people.with_columns(pl.col("index").cast(pl.Int32), sex_reported=pl.lit("female"))
    people = people.with_columns(has_ecg=True, withdrawn=False)
    files = qc_main.open_source(source, folder / "converted", 1)
    cohort = Cohort(files, people, None, Genotypes(pcs=4), source)
    related = steps(cohort)
    results.variant_table(cohort).write_parquet(folder / "variants.parquet")
    results.sample_table(cohort, related).write_parquet(folder / "samples.parquet")
    results.excluded_table(cohort, related).write_parquet(folder / "excluded.parquet")
    write_json(cohort.manifest(), folder / "manifest.json")


def scan(folder: Path, data: Data, dtype: str) -> pl.DataFrame:
    """Effects and standard errors of every variant kept: position, beta and se of each trait."""
    who = pl.DataFrame({"person_id": data.ids, "sample_id": data.ids})
    names = [f"y{k}" for k in range(data.traits.shape[1])]
    who.hstack(pl.DataFrame(data.traits, schema=names)).write_parquet(folder / "traits.parquet")
    who.hstack(pl.DataFrame(data.covariates, schema=["c1", "c2"])).write_parquet(folder / "covariates.parquet")
    given = {name: folder / f"{name}.parquet" for name in ("variants", "samples", "traits", "covariates")}
    given |= {"sumstats": folder / "part.parquet", "traits_out": folder / "scanned.parquet", "part": "000"}
    step("gwas.scan", manifest=folder / "manifest.json", settings=Gwas(dtype=dtype).model_dump_json(), **given)
    part, lengths = pl.read_parquet(folder / "part.parquet"), pl.read_parquet(folder / "scanned.parquet")
    known = {row["trait"]: row for row in lengths.iter_rows(named=True)}
    columns = {}
    for name in names:
        t = pl.col(f"t:{name}").cast(pl.Float64)
        se = (known[name]["yy"] / (pl.col("gg") * (known[name]["df"] + t**2))).sqrt()
        columns |= {f"se:{name}": se, f"beta:{name}": t * se}
    return part.select("contig", "position", **columns)


def law(
    data: Data,
    folder: Path,
    checked: int,
    qc: Callable[[Path, GenotypeSource, Data], None] = quality_control,
) -> dict[str, float | int | bool]:
    """Every format through `qc` and the scan, measured; `checked`: how many variants statsmodels fits too."""
    found: dict[str, float | int | bool] = {}
    names = [f"y{k}" for k in range(data.traits.shape[1])]
    index = pl.DataFrame({"contig": [c for c, _ in data.places], "position": [p for _, p in data.places]})
    index = index.with_columns(pl.col("position").cast(pl.Int32)).with_row_index("row")
    effects = {}
    for name in FORMATS:
        inside, started = folder / name, time.time()
        inside.mkdir()
        source = write(inside, name, data)
        qc(inside, source, data)
        made = scan(inside, data, "float64").join(index, on=["contig", "position"]).sort("row")
        single = scan(inside, data, "float32").join(index, on=["contig", "position"]).sort("row")
        rows = made["row"].to_numpy().astype(np.int64)
        chosen = np.linspace(0, len(rows) - 1, min(checked, len(rows))).astype(int)
        dosages = own_dosages(name, source, rows[chosen])
        beta, se = by_statsmodels(dosages, data)
        ours, errors = (made.select([f"{what}:{y}" for y in names]).to_numpy() for what in ("beta", "se"))
        effects[name] = (rows, ours, errors)
        found[f"{name}_vs_statsmodels_se"] = float(np.abs((ours[chosen] - beta) / se).max())
        in_single = single.select([f"beta:{y}" for y in names]).to_numpy()[chosen]
        found[f"{name}_float32_vs_statsmodels_se"] = float(np.abs((in_single - beta) / se).max())
        found[f"{name}_se_ratio"] = float(np.abs(errors[chosen] / se - 1).max())
        found[f"{name}_dosage_error"] = float(np.abs(dosages - data.dosages[rows[chosen]]).max())
        found[f"{name}_within_step"] = (
            found[f"{name}_dosage_error"] <= STEP[name] + 3e-7
        )  # float32 writes and reads them
        weight = 1 / errors**2
        found[f"{name}_slope"] = float(
            (weight * ours * data.effects[rows]).sum() / (weight * data.effects[rows] ** 2).sum()
        )
        found[f"{name}_slope_se"] = float(1 / np.sqrt((weight * data.effects[rows] ** 2).sum()))
        reasons = pl.read_parquet(inside / "excluded.parquet").filter(kind="variant")["reason"].value_counts()
        found |= {f"{name}_excluded {reason}": n for reason, n in reasons.sort("reason").iter_rows()}
        found[f"{name}_seconds"] = round(time.time() - started, 1)
        print(f"{name}: {json.dumps({k: v for k, v in found.items() if k.startswith(name)})}", flush=True)
    return found | between(effects, data)


def between(effects: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], data: Data) -> dict[str, float | bool]:
    """Largest difference of effects from PGEN's, in standard errors, and over the bound that their rounding computes.

    Dosages x and x + e: to first order |β(x + e) - β(x)| <= |e| |y| / |x|² + |β| |e| / |x|, all less the covariates, so
    that in standard errors it is at most (|e| / |x|) (sqrt(df) + |t|) sqrt(1 + t²/df); |e| <= sqrt(n) (both steps).
    """
    rows, first, se = effects["pgen"]
    n, base = len(data.ids), np.column_stack([np.ones(len(data.ids)), data.covariates])
    q = np.linalg.qr(base)[0]
    found: dict[str, float | bool] = {}
    for name in FORMATS[:3]:
        others, second, _ = effects[name]
        both, i, j = np.intersect1d(rows, others, return_indices=True)
        x = data.dosages[both] - (data.dosages[both] @ q) @ q.T
        length = np.sqrt((x**2).sum(1))[:, None]
        t, df = np.abs(first[i] / se[i]), n - base.shape[1] - 1
        bound = np.sqrt(n) * (STEP[name] + STEP["pgen"]) / length * (np.sqrt(df) + t) * np.sqrt(1 + t**2 / df)
        difference = np.abs(first[i] - second[j]) / se[i]
        found[f"{name}_vs_pgen_se"] = float(difference.max())
        found[f"{name}_vs_pgen_of_bound"] = float((difference / bound).max())
    return found


def main(
    people: int = 10_000, variants: int = 1000, traits: int = 8, checked: int = 100, seed: int = 1, hail: bool = True
) -> None:
    """Run the four formats, each scanned in both arithmetics.

    Args:
        people: people.
        variants: variants.
        traits: traits.
        checked: variants fitted by statsmodels too.
        seed: seed.
        hail: run the genotypes stage as its rule does; false: in this process, without Hail.
    """
    data = simulate(people, variants, traits, seed)
    with tempfile.TemporaryDirectory() as folder:
        found = law(data, Path(folder), checked, quality_control if hail else without_hail)
    print(json.dumps({"people": people, "variants": variants, "traits": traits, **found}))


if __name__ == "__main__":
    run(main)
