"""What genetic components are for: λGC of the stratified real null without and with them, from a study already run."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import yaml

from ecgwas import study
from ecgwas.config import Gwas, Phenotypes

PROJECT = Path(__file__).resolve().parents[1]
# Traits that measure what the null alters: QT, PR and T amplitude, 20 % of whose variance lies between populations.
PLANTED = ("qt_ms", "pr_ms", "t_frontal_mv")


def step(module: str, log: Path, **flags: object) -> None:
    """Run one step of the pipeline by its command line."""
    listed = {name: json.dumps([str(p) for p in v]) if isinstance(v, list) else str(v) for name, v in flags.items()}
    command = [sys.executable, "-m", f"ecgwas.{module}", *(w for name, v in listed.items() for w in (f"--{name}", v))]
    with log.open("a") as file:
        if subprocess.run(command, stdout=file, stderr=file, check=False).returncode:
            sys.exit(f"error: {module} failed:\n{log.read_text()[-3000:]}")


def lambdas(folder: Path, people: Path, model: str, phenotypes: Phenotypes, gwas: Gwas, out: Path) -> dict[str, float]:
    """λGC by trait of one model of the cohort whose results are in `folder`, with `phenotypes.pcs` components."""
    genotypes, embeddings = folder / "genotypes", folder / f"embeddings/{model}.parquet"
    values = embeddings if embeddings.exists() else folder / "ecg/intervals.parquet"
    made = {name: out / f"{name}.parquet" for name in ("traits", "covariates", "reliability", "excluded")}
    step(
        "phenotypes.traits",
        out / "log",
        values=values,
        whiten=str(embeddings.exists()).lower(),
        classical=str(not embeddings.exists()).lower(),
        people=people,
        samples=genotypes / "samples.parquet",
        pcs=genotypes / "pcs.parquet",
        settings=phenotypes.model_dump_json(),
        transform=out / "transform.npz",
        **made,
    )
    analysed = {
        "manifest": genotypes / "manifest.json",
        "variants": genotypes / "variants.parquet",
        "samples": genotypes / "samples.parquet",
        "traits": made["traits"],
        "covariates": made["covariates"],
        "settings": gwas.model_dump_json(),
        "threads": 2,
    }
    parts = [(out / f"part-{k:03d}.parquet", out / f"traits-{k:03d}.parquet") for k in range(gwas.parts)]
    for number, (sumstats, table) in enumerate(parts):
        step("gwas.scan", out / "log", part=number, sumstats=sumstats, traits_out=table, **analysed)
    step(
        "gwas.calibration",
        out / "log",
        sumstats=[sumstats for sumstats, _ in parts],
        trait_table=parts[0][1],
        calibration=out / "calibration.parquet",
        **analysed,
    )
    table = pl.read_parquet(out / "calibration.parquet").filter(variants="all", mac="any")
    return dict(table.select("trait", "lambda_gc").iter_rows())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=PROJECT / "results/realdata", help="folder of the study")
    parser.add_argument("--models", nargs="+", default=["intervals", "pca", "nano"])
    arguments = parser.parse_args()
    settings = study.check(yaml.safe_load((PROJECT / "config/realdata.yaml").read_text()), PROJECT).settings
    gwas = settings.gwas.model_copy(update={"permutations": 0})
    told: dict[str, dict[str, float]] = {}
    print(
        "| traits of | components | mean λGC, traits that carry the offset | mean λGC, all traits |",
        "|---|---|---|---|",
        sep="\n",
    )
    for model in arguments.models:
        for pcs in (0, settings.phenotypes.pcs):
            phenotypes = settings.phenotypes.model_copy(update={"pcs": pcs})
            with tempfile.TemporaryDirectory() as out:
                folder = arguments.results / "cohorts/realdata-null"
                people = arguments.results / "simulated/realdata-null/people.csv"
                found = lambdas(folder, people, model, phenotypes, gwas, Path(out))
            planted = [found[name] for name in PLANTED if name in found]
            mean = sum(planted) / len(planted) if planted else None
            told[f"{model}_{pcs}_pcs"] = {"mean": found["mean"], "planted": mean}
            shown = "" if mean is None else f"{mean:.3f} ({', '.join(f'{x:.2f}' for x in planted)})"
            print(f"| {model} | {pcs} | {shown} | {found['mean']:.3f} |", flush=True)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
