"""How fast every variant is tested against every trait: plink2 --glm, Hail and ours on the same files and cores.

All write their results. Ours runs all variants; the peers run all where that is quick, else some of the first ones,
and their time for all is a line through two numbers of variants, so that what they spend once is counted once.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

TRAITS = (1, 16, 64, 256, 1024)
HAIL_TRAITS = (1, 16, 64, 256)
COVARIATES = 12
HEADER = (
    "| traits | ours, s | in products | whole process | plink2 | Hail warm | Hail cold | vs plink2 | vs Hail warm |"
)
CHUNK = 2000  # variants simulated at a time

OURS = """
import json, resource, sys, time
from pathlib import Path
import torch
from ecgwas.config import Gwas, Step1
from ecgwas.gwas import scan
from ecgwas.gwas.step1 import predictions
work, out, kind, told = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
torch.set_num_threads(told["threads"])
def best_square(n=4096):
    a, b = torch.randn(n, n), torch.randn(n, n)
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - began)
    return 2 * n**3 / min(seconds) / 1e9
spent = [0.0, 0.0]
plain = torch.mm
def timed(a, b, **more):
    began = time.perf_counter()
    found = plain(a, b, **more)
    if a.is_cuda:
        torch.cuda.synchronize()
    spent[0] += time.perf_counter() - began
    spent[1] += 2 * a.shape[0] * a.shape[1] * b.shape[1]
    return found
peak = best_square() if told["peak"] else None
files = [work / name for name in ("manifest.json", told["variants"], "samples.parquet")]
files += [work / f"traits-{told['traits']}.parquet", work / "covariates.parquet"]
torch.mm = timed
began = time.perf_counter()
if kind == "scan":
    scan.main(*files, 0, Gwas(), out / "part.parquet", out / "per-trait.parquet", threads=told["threads"])
else:
    predictions.main(*files, Step1(), out / "loco.parquet", threads=told["threads"])
seconds = time.perf_counter() - began
torch.mm = plain
peak = max(peak, best_square()) if told["peak"] else None
print(json.dumps({"seconds": seconds, "gemm_s": spent[0], "gemm_gflops": spent[1] / max(spent[0], 1e-9) / 1e9,
                  "peak_gflops": peak, "device": "cuda" if torch.cuda.is_available() else "cpu",
                  "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""

HAIL = """
import json, sys, time
import hail as hl
work, out, sets, threads = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
began = time.perf_counter()
hl.init(master=f"local[{threads}]", quiet=True, log=f"{out}/hail.log", tmp_dir=out,
        spark_conf={"spark.driver.memory": "6g"})
start = time.perf_counter() - began
def one(name, traits):
    began = time.perf_counter()
    files = [f"{work}/{name}.{end}" for end in ("bed", "bim", "fam")]
    mt = hl.import_plink(*files, reference_genome="GRCh37", min_partitions=8)
    columns = open(f"{work}/people-{traits}.tsv").readline().split()[1:]
    people = hl.import_table(f"{work}/people-{traits}.tsv", key="IID", types={x: "float64" for x in columns})
    mt = mt.annotate_cols(p=people[mt.s])
    y = [mt.p[f"y{j}"] for j in range(traits)]
    c = [1.0, *(mt.p[f"c{j}"] for j in range(int(sys.argv[5])))]
    found = hl.linear_regression_rows(y, mt.GT.n_alt_alleles(), c, block_size=64)
    found.write(f"{out}/{name}-{traits}.ht", overwrite=True)
    return time.perf_counter() - began
found = {}
for traits, names in sets:
    found[traits] = [one(name, traits) for name in names]
print(json.dumps({"start": start, "seconds": found}))
"""


def simulate(work: Path, n: int, n_variants: int, missing: float) -> None:
    """PLINK files of `n` people and what quality control would leave of them, traits and covariates.

    Neighbours are in LD: of each eight variants seven copy a part of the haplotypes of the one before. Frequencies are
    skewed to the rare, down to 1 %.
    """
    rng = np.random.default_rng(1)
    with open(work / "all.bed", "wb") as bed:
        bed.write(b"\x6c\x1b\x01")
        for first in range(0, n_variants, CHUNK):
            bed.write(packed(calls(rng, min(CHUNK, n_variants - first), n), missing, rng))
    ids = [f"s{i}" for i in range(n)]
    contig = np.sort(np.arange(n_variants) % 22 + 1)
    position = np.concatenate([np.arange(k) * 3000 + 10_000 for k in np.bincount(contig)[1:]])
    table = pl.DataFrame({"contig": contig, "rsid": [f"rs{i}" for i in range(n_variants)], "position": position})
    names = table.select("contig", "rsid", cm=pl.lit(0), position="position", a1=pl.lit("A"), a2=pl.lit("G"))
    names.write_csv(work / "all.bim", separator="\t", include_header=False)
    fam = pl.DataFrame({"f": ids, "i": ids}).with_columns(a=pl.lit(0), b=pl.lit(0), sex=pl.lit(1), y=pl.lit(-9))
    fam.write_csv(work / "all.fam", separator="\t", include_header=False)
    source = {"path": str(work / "all.bed"), "format": "plink", "n_variants": n_variants, "n_samples": n}
    (work / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    typed = table.select(
        pl.col("contig").cast(pl.String), pl.col("position").cast(pl.Int32), ref=pl.lit("G"), alt=pl.lit("A"),
        rsid="rsid", source=pl.lit(0, pl.Int32), source_index=pl.int_range(pl.len(), dtype=pl.Int32),
        af=pl.lit(0.2), mac=pl.lit(2000.0), info=pl.lit(None, pl.Float64), pruned=pl.lit(True),
    )  # fmt: skip
    typed.write_parquet(work / "variants-all.parquet")
    typed[: n_variants // 2].write_parquet(work / "variants-half.parquet")
    typed[:: max(n_variants // 20_000, 1)].write_parquet(work / "variants-step1.parquet")
    pl.DataFrame({"sample_id": ids, "index": np.arange(n)}).write_parquet(work / "samples.parquet")
    write_people(work, ids, rng)


def write_people(work: Path, ids: list[str], rng: np.random.Generator) -> None:
    """Covariates, and traits that share factors and depend on the covariates, for ours, plink2 and Hail."""
    n = len(ids)
    c = rng.normal(size=(n, COVARIATES))
    y = rng.normal(size=(n, max(TRAITS))) + rng.normal(size=(n, 20)) @ rng.normal(size=(20, max(TRAITS))) / 5
    y += c @ rng.normal(size=(COVARIATES, max(TRAITS))) / 10
    who, names = pl.DataFrame({"person_id": ids, "sample_id": ids}), [f"c{j}" for j in range(COVARIATES)]
    covariates = pl.DataFrame(c, schema=names)
    who.hstack(covariates).write_parquet(work / "covariates.parquet")
    of_plink = pl.DataFrame({"#FID": ids, "IID": ids})
    of_plink.hstack(covariates).write_csv(work / "covariates.tsv", separator="\t")
    for k in TRAITS:
        traits = pl.DataFrame(y[:, :k], schema=[f"y{j}" for j in range(k)])
        who.hstack(traits).write_parquet(work / f"traits-{k}.parquet")
        of_plink.hstack(traits).write_csv(work / f"traits-{k}.tsv", separator="\t")
        of_plink.select("IID").hstack([*traits, *covariates]).write_csv(work / f"people-{k}.tsv", separator="\t")


def calls(rng: np.random.Generator, n_variants: int, n: int) -> np.ndarray:
    """ALT counts int8 [variant, person]."""
    af = np.repeat(rng.beta(0.6, 1.6, -(-n_variants // 8)).clip(0.01, 0.99), 8)[:n_variants].astype(np.float32)
    u = rng.random((n_variants, n), dtype=np.float32)
    for j in range(n_variants):
        if j % 8:
            kept = n * 3 // 4
            u[j, :kept] = u[j - 1, :kept]
    return (u > ((1 - af) ** 2)[:, None]).view(np.int8) + (u > (1 - af**2)[:, None]).view(np.int8)


def packed(calls: np.ndarray, missing: float, rng: np.random.Generator) -> bytes:
    """Counts of A1 [variant, person] as rows of a .bed."""
    codes = np.array([3, 2, 0], np.uint8)[calls]
    codes.ravel()[rng.integers(0, codes.size, int(codes.size * missing))] = 1
    codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)))
    return (codes[:, 0::4] | codes[:, 1::4] << 2 | codes[:, 2::4] << 4 | codes[:, 3::4] << 6).tobytes()


def first(work: Path, name: str, n_variants: int, n: int) -> str:
    """A file set of the first variants."""
    size = -(-n // 4)
    with open(work / "all.bed", "rb") as bed:
        (work / f"{name}.bed").write_bytes(bed.read(3 + n_variants * size))
    with open(work / "all.bim") as bim:
        (work / f"{name}.bim").write_text("".join(line for line, _ in zip(bim, range(n_variants), strict=False)))
    shutil.copy(work / "all.fam", work / f"{name}.fam")
    return name


def child(program: str, *arguments: object, threads: int) -> dict:
    """What a Python program of ours prints last, and the seconds of its process."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        sys.exit(f"error: {done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1]) | {"process_s": time.perf_counter() - began}


def ours(work: Path, kind: str, traits: int, variants: str, threads: int, peak: bool = False) -> dict:
    """Seconds of the step without the start of Python, of its products, and its peak memory."""
    told = {"traits": traits, "variants": variants, "threads": threads, "peak": peak}
    with tempfile.TemporaryDirectory(dir=work) as out:
        return child(OURS, work, out, kind, json.dumps(told), threads=threads)


def plink2(work: Path, name: str, traits: int, threads: int) -> float:
    """Seconds of plink2 --glm."""
    with tempfile.TemporaryDirectory(dir=work) as out:
        arguments = f"--bfile {work}/{name} --glm omit-ref hide-covar --threads {threads} --out {out}/glm"
        arguments += f" --pheno {work}/traits-{traits}.tsv --covar {work}/covariates.tsv --covar-variance-standardize"
        began = time.perf_counter()
        done = subprocess.run(["plink2", *arguments.split()], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"error: plink2: {done.stderr[-2000:]}")
        return time.perf_counter() - began


def line(few: float, many: float, n_few: int, n_many: int, n: int) -> float:
    """Seconds at `n` variants on the line through two measurements; never less than the longer one."""
    return max(few + (many - few) / (n_many - n_few) * (n - n_few), many)


def time_plink2(work: Path, arguments: argparse.Namespace) -> dict[int, float | None]:
    """Seconds for all variants, by number of traits."""
    if shutil.which("plink2") is None:
        print("plink2 is not installed (apt-get install plink2): not compared", flush=True)
        return dict.fromkeys(TRAITS)
    found = dict.fromkeys(TRAITS)
    for k in (k for k in TRAITS if k <= arguments.traits_peer):
        if k <= arguments.traits_whole:
            found[k], how = plink2(work, "all", k, arguments.threads), "measured"
        else:
            few, many = (plink2(work, name, k, arguments.threads) for name in ("few", "some"))
            found[k] = line(few, many, arguments.variants_few, arguments.variants_peer, arguments.variants)
            how = f"from {few:.1f} s at {arguments.variants_few} and {many:.1f} s at {arguments.variants_peer} variants"
        print(f"plink2, {k} traits: {found[k]:.1f} s ({how})", flush=True)
    return found


def time_hail(work: Path, arguments: argparse.Namespace) -> tuple[dict[int, float | None], dict[int, float | None]]:
    """Warm and cold seconds for all variants, by number of traits; each number has a fresh Java."""
    warm, cold = dict.fromkeys(TRAITS), dict.fromkeys(TRAITS)
    for k in () if arguments.no_hail else (k for k in HAIL_TRAITS if k <= arguments.traits_peer):
        with tempfile.TemporaryDirectory(dir=work) as out:
            sets = json.dumps([[k, ["some", "few", "some", "few", "some"]]])
            told = child(HAIL, work, out, sets, arguments.threads, COVARIATES, threads=arguments.threads)
        first_time, *again = told["seconds"][str(k)]
        few, many = min(again[0::2]), min(again[1::2])
        warm[k] = line(few, many, arguments.variants_few, arguments.variants_peer, arguments.variants)
        cold[k] = told["start"] + first_time - many + warm[k]
        told = f"warm {warm[k]:.0f} s (from {few:.1f} s and {many:.1f} s), cold {cold[k]:.0f} s"
        print(f"Hail, {k} traits: {told}", flush=True)
    return warm, cold


def ratio(theirs: float | None, seconds: float) -> float | None:
    """How many times ours fits into theirs."""
    return None if theirs is None else theirs / seconds


def shown(value: float | None, digits: int = 1) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--variants", type=int, default=200_000)
    parser.add_argument("--variants-peer", type=int, default=20_000, help="variants of the peers where all take long")
    parser.add_argument("--traits-whole", type=int, default=16, help="up to so many traits plink2 runs all variants")
    parser.add_argument("--traits-peer", type=int, default=max(TRAITS), help="most traits that the peers run with")
    parser.add_argument("--missing", type=float, default=0.0, help="share of missing calls; plink2 is fastest without")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-hail", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "ecgwas-benchmark-gwas")
    arguments = parser.parse_args()
    arguments.variants_few = arguments.variants_peer // 5
    work = arguments.work / f"{arguments.people}-{arguments.variants}-{arguments.variants_peer}-{arguments.missing:g}"
    if not (work / "done").exists():
        work.mkdir(parents=True, exist_ok=True)
        simulate(work, arguments.people, arguments.variants, arguments.missing)
        first(work, "some", arguments.variants_peer, arguments.people)
        first(work, "few", arguments.variants_few, arguments.people)
        (work / "done").touch()
    report(work, arguments)


def report(work: Path, arguments: argparse.Namespace) -> None:
    """Time everybody; print the table and the line of JSON."""
    threads, told = arguments.threads, {}
    scans = {k: ours(work, "scan", k, "variants-all.parquet", threads, k == max(TRAITS)) for k in TRAITS}
    half = ours(work, "scan", 256, "variants-half.parquet", threads)
    for k, found in scans.items():
        print(f"ours, {k} traits: {found['seconds']:.2f} s, process {found['process_s']:.1f} s", flush=True)
    step1 = {k: ours(work, "step1", k, "variants-step1.parquet", threads)["seconds"] for k in (64, 256)}
    print(f"step 1, 64 and 256 traits: {step1[64]:.1f} and {step1[256]:.1f} s", flush=True)
    theirs, (warm, cold) = time_plink2(work, arguments), time_hail(work, arguments)
    device = scans[1]["device"]
    size = f"{arguments.people} people, {arguments.variants} variants, {arguments.missing:.1%} of calls missing"
    print(f"\n{size}, {COVARIATES} covariates, {threads} threads, {device}")
    print(HEADER + "\n" + "|---" * HEADER.count("| ") + "|")
    for k, found in scans.items():
        told[f"vs_plink2_{k}"] = ratio(theirs[k], found["seconds"])
        told[f"vs_hail_{k}"] = ratio(warm[k], found["seconds"])
        cells = [found["seconds"], found["gemm_s"], found["process_s"], theirs[k], warm[k], cold[k]]
        cells += [told[f"vs_plink2_{k}"], told[f"vs_hail_{k}"]]
        print(f"| {k} | " + " | ".join(shown(cell, 2 if cell and cell < 10 else 1) for cell in cells) + " |")
    most = scans[max(TRAITS)]
    del told[f"vs_hail_{max(TRAITS)}"]
    told |= {"vs_plink2_1_process": ratio(theirs[1], scans[1]["process_s"])}
    told |= {"gemm_share_1024": most["gemm_gflops"] / most["peak_gflops"], "peak_gflops": most["peak_gflops"]}
    told |= {"scan_share_1024": most["gemm_s"] / most["seconds"]}
    told |= {"step1_64_s": step1[64], "step1_256_over_64": step1[256] / step1[64]}
    told |= {"peak_mb": scans[256]["mb"], "peak_mb_half": half["mb"], "peak_mb_1024": most["mb"]}
    print(json.dumps({name: value if value is None else round(value, 3) for name, value in told.items()}))


if __name__ == "__main__":
    main()
