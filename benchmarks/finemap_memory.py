"""How much memory fine-mapping and the finding of loci take, and whether it grows with the number of loci.

python benchmarks/finemap_memory.py [--loci 300] [--few 30] [--people 2801] [--variants 1000] [--traits 16]

Simulates regions of `--variants` variants in LD (haplotypes cut from a Gaussian process along the genome), each with
one cause of two of the traits, writes what the stages before write, and runs `ecgwas.gwas.loci` and
`ecgwas.finemap.finemap` as the workflow does: on the first `--few` loci, then on all. Peak resident memory is what the
system counted for each process. The last line is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the part below, when run as a script
from benchmarks.gwas import packed

from ecgwas import config
from ecgwas.gwas import trait_groups
from ecgwas.stats import linear
from ecgwas.stats.linear import unit_residuals

STEP_BP, GAP_BP = 500, 3_000_000  # between variants, and between regions
LENGTH = 25  # variants after which the correlation of haplotypes has fallen to 1/e
PER_CONTIG = 15  # regions


def region(rng: np.random.Generator, variants: int, people: int) -> np.ndarray:
    """ALT counts int8 [variant, person] with LD that falls off with distance."""
    keep, noise = np.exp(-1 / LENGTH), np.sqrt(1 - np.exp(-2 / LENGTH))
    state, out = rng.standard_normal((2, people)), np.empty((variants, people), np.int8)
    limit = rng.uniform(-0.8, 0.8, variants)
    for row in range(variants):
        state = keep * state + noise * rng.standard_normal((2, people))
        out[row] = (state > limit[row]).sum(axis=0)
    return out


def statistics(calls: np.ndarray, traits: list[int], cause: int, group: trait_groups.Group, rng: np.random.Generator):
    """t [variant, trait] of noise, `traits` with the effect of variant `cause`."""
    residuals = unit_residuals(calls.astype(np.float32), group.q)
    y = rng.standard_normal((calls.shape[1], group.unit.shape[1]))
    y[:, traits] += 0.2 * np.sqrt(len(y)) * residuals[cause][:, None]
    y = linear.project_out(group.q, y)
    r = residuals @ (y / np.linalg.norm(y, axis=0))
    return r * np.sqrt(group.df / (1 - r**2))


def write_cohort(folder: Path, args: argparse.Namespace) -> dict[str, int]:
    """Everything the two steps read; the variants of the first `few` and of all regions."""
    rng = np.random.default_rng(1)
    ids, names = [f"s{i}" for i in range(args.people)], [f"axis{k + 1:03d}" for k in range(args.traits)]
    who, y = pl.DataFrame({"person_id": ids, "sample_id": ids}), rng.standard_normal((args.people, args.traits))
    c = rng.standard_normal((args.people, 15))
    who.hstack(pl.DataFrame(y, schema=names)).write_parquet(folder / "traits.parquet")
    who.hstack(pl.DataFrame(c, schema=[f"c{k}" for k in range(15)])).write_parquet(folder / "covariates.parquet")
    pl.DataFrame({"sample_id": ids, "index": np.arange(args.people)}).write_parquet(folder / "samples.parquet")
    group, tables = trait_groups.build(y, c)[0], []
    with open(folder / "g.bed", "wb") as bed:
        bed.write(b"\x6c\x1b\x01")
        for number in range(args.loci):
            calls = region(rng, args.variants, args.people)
            bed.write(packed(calls, 0.0, rng))
            traits = rng.choice(args.traits, 2, replace=False)
            t = statistics(calls, list(traits), args.variants // 2, group, rng)
            start = 1 + (number % PER_CONTIG) * GAP_BP
            head = {"contig": str(number // PER_CONTIG + 1), "position": start + STEP_BP * np.arange(args.variants)}
            head |= {"ref": "A", "alt": "G", "rsid": ".", "n": args.people, "af": calls.mean(axis=1) / 2}
            head |= {"gg": 1.0, "reason": None, "joint_neg_log10_p": 0.1}
            tables.append(pl.DataFrame(head | {f"t:{name}": t[:, k] for k, name in enumerate(names)}))
    table = pl.concat(tables).cast({"position": pl.Int32, "reason": pl.String, **{f"t:{n}": pl.Float32 for n in names}})
    sizes = {"few": args.few * args.variants, "all": table.height}
    for name, size in sizes.items():
        table[:size].write_parquet(folder / f"part-{name}.parquet", row_group_size=8192)
        places = table[:size].select("contig", "position", "ref", "alt", "rsid")
        places = places.with_columns(source=pl.lit(0), source_index=pl.int_range(pl.len()))
        places.write_parquet(folder / f"variants-{name}.parquet")
    scanned = {"trait": names, "group": "all", "n": args.people, "df": group.df, "contig": None, "yy": 1.0}
    pl.DataFrame(scanned).cast({"contig": pl.String}).write_parquet(folder / "per-trait.parquet")
    source = {"path": str(folder / "g.bed"), "format": "plink", "n_variants": table.height, "n_samples": args.people}
    (folder / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    return sizes


def measured(module: str, *arguments: str) -> tuple[float, float]:
    """Peak resident memory, MB, and seconds of a step in a process of its own."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{module} failed")
    return used.ru_maxrss / 1024, time.perf_counter() - began


def steps(folder: Path, name: str, threads: int) -> dict[str, float]:
    """Both steps on the first regions or on all: peak memory and time."""
    files = {key: folder / f"{key}.parquet" for key in ("samples", "traits", "covariates")}
    files |= {"manifest": folder / "manifest.json", "variants": folder / f"variants-{name}.parquet"}
    files |= {"trait_table": folder / "per-trait.parquet"}
    shared = [word for key, path in files.items() for word in (f"--{key}", str(path))]
    shared += ["--sumstats", json.dumps([str(folder / f"part-{name}.parquet")])]
    found = folder / f"loci-{name}.parquet"
    given = [*shared, "--settings", config.Gwas().model_dump_json(), "--loci", str(found)]
    loci_mb, loci_s = measured("ecgwas.gwas.loci", *given)
    out = [f"--{key}={folder}/{key}.parquet" for key in ("credible_sets", "pips", "diagnostics")]
    given = [*shared, "--settings", config.Finemap().model_dump_json(), "--loci", str(found), *out]
    mb, seconds = measured("ecgwas.finemap.finemap", *given, "--threads", str(threads))
    mapped = pl.read_parquet(folder / "diagnostics.parquet")
    counts = {"loci": pl.read_parquet(found).height, "mapped": mapped["reason"].null_count()}
    return counts | {"finemap_mb": mb, "finemap_s": seconds, "loci_mb": loci_mb, "loci_s": loci_s}


def main() -> None:
    """Simulate, run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"loci": 300, "few": 30, "people": 2801, "variants": 1000, "traits": 16, "threads": 1}
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = write_cohort(Path(folder), args)
        told = {
            f"{key}_{name}": value for name in sizes for key, value in steps(Path(folder), name, args.threads).items()
        }
    print(json.dumps(vars(args) | {key: round(value, 1) for key, value in told.items()}))


if __name__ == "__main__":
    main()
