"""How fast the kinship of every pair is found: ours, plink2 and Hail on the same calls and cores.

python benchmarks/kinship.py [--people 8192] [--variants 20000] [--hail-people 1024] [--threads 2]

Ours is what quality control runs: KING-robust above 0.0442 by a bound and exact counts of what passes it, and PC-Relate
of every pair. plink2 writes its KING table above the same limit; Hail's king runs on the first people only (its time
grows with people squared) and is warm: the same call was made before. Pairs and kinship are compared. The last line is
JSON; `*_50000_hours` are ours at 50,000 people and 100,000 variants, by people squared times variants.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the part below, when run as a script
from benchmarks.gwas import packed

from ecgwas.genotypes.structure import kinship

LIMIT = 0.0442
COMPONENTS = 3
TARGET = 50_000, 100_000  # people, variants


def simulate(n: int, n_variants: int, families: int, seed: int = 1) -> np.ndarray:
    """ALT counts int8 [variant, person] of unlinked variants; the first 2 x `families` people are pairs of siblings."""
    rng = np.random.default_rng(seed)
    calls = np.empty((n_variants, n), np.int8)
    for first in range(0, n_variants, 1000):
        af = rng.uniform(0.05, 0.95, (min(1000, n_variants - first), 1))
        parents = rng.random((2, 2, len(af), families)) < af  # parent, haplotype
        children = np.zeros((len(af), families, 2), np.int8)
        for parent in parents:
            for child in range(2):
                chosen = rng.random(parent[0].shape) < 0.5
                children[:, :, child] += np.where(chosen, *parent)
        calls[first : first + len(af), : 2 * families] = children.reshape(len(af), -1)
        others = (len(af), n - 2 * families)
        drawn = [(rng.random(others) < af).astype(np.int8) for _ in range(2)]
        calls[first : first + len(af), 2 * families :] = drawn[0] + drawn[1]
    return calls


def write_plink(calls: np.ndarray, path: Path) -> None:
    """.bed, .bim and .fam of ALT counts."""
    path.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + packed(calls, 0.0, np.random.default_rng(1)))
    lines = (f"{k % 22 + 1}\trs{k}\t0\t{k // 22 * 3000 + 1}\tA\tG\n" for k in range(len(calls)))
    ordered = sorted(lines, key=lambda line: int(line.split("\t")[0]))  # unlinked variants: any order is as good
    path.with_suffix(".bim").write_text("".join(ordered))
    path.with_suffix(".fam").write_text("".join(f"s{i}\ts{i}\t0\t0\t0\t-9\n" for i in range(calls.shape[1])))


def plink2(path: Path, threads: int) -> tuple[float | None, dict[tuple[int, int], float]]:
    """Seconds of plink2's KING table above the limit, and its pairs."""
    if shutil.which("plink2") is None:
        print("plink2 is not installed (apt-get install plink2): not compared", flush=True)
        return None, {}
    command = f"plink2 --bfile {path} --make-king-table --king-table-filter {LIMIT} --threads {threads} --out {path}"
    began = time.perf_counter()
    subprocess.run(command.split(), check=True, capture_output=True, text=True)
    seconds, rows = time.perf_counter() - began, path.with_suffix(".kin0").read_text().splitlines()
    names = rows[0].lstrip("#").split("\t")
    columns = [names.index(name) for name in ("IID1", "IID2", "KINSHIP")]
    found = ([row.split("\t")[k] for k in columns] for row in rows[1:])
    return seconds, {tuple(sorted((int(a[1:]), int(b[1:])))): float(phi) for a, b, phi in found}


def hail(path: Path, n: int, threads: int) -> tuple[float, dict[tuple[int, int], float]]:
    """Seconds of Hail's king on the first n people, warm, and its pairs above the limit."""
    import hail as hl

    with tempfile.TemporaryDirectory() as folder:
        quiet = {"spark.ui.showConsoleProgress": "false"}
        hl.init(master=f"local[{threads}]", quiet=True, log=f"{folder}/hail.log", tmp_dir=folder, spark_conf=quiet)
        mt = hl.import_plink(*(str(path.with_suffix(end)) for end in (".bed", ".bim", ".fam")), min_partitions=8)
        mt = mt.filter_cols(hl.int(mt.s[1:]) < n)
        for _ in range(2):
            began = time.perf_counter()
            entries = hl.king(mt.GT).entries()
            found = entries.filter(entries.phi > LIMIT).select("phi").collect()
            seconds = time.perf_counter() - began
        hl.stop()
    pairs = {tuple(sorted((int(row.s_1[1:]), int(row.s[1:])))): row.phi for row in found}
    return seconds, {(i, j): phi for (i, j), phi in pairs.items() if i != j}


def difference(ours: dict, theirs: dict) -> tuple[int, float]:
    """Pairs that only one of both has, and the largest difference of kinship in those of both."""
    both = ours.keys() & theirs.keys()
    return len(ours.keys() ^ theirs.keys()), max((abs(ours[pair] - theirs[pair]) for pair in both), default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=8192)
    parser.add_argument("--variants", type=int, default=20_000)
    parser.add_argument("--hail-people", type=int, default=1024, help="0: not compared with Hail")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    n, m = arguments.people, arguments.variants
    threadpool_limits(arguments.threads)
    calls = simulate(n, m, n // 20)
    began = time.perf_counter()
    found = kinship.king_above(calls, LIMIT)
    king_s = time.perf_counter() - began
    pairs = {(i, j): float(phi) for (i, j), phi in zip(found.tuples(), found.phi, strict=True)}
    siblings = {(2 * k, 2 * k + 1) for k in range(n // 20)}
    missed, others = len(siblings - pairs.keys()), len(pairs.keys() - siblings)
    gflops = n * n / 2 * m * 2 / king_s / 1e9
    print(f"KING, {n} people x {m} variants: {king_s:.1f} s, {gflops:.0f} GFLOP/s of a half product", flush=True)
    print(f"{len(siblings)} pairs of siblings planted, {missed} missed, {others} others", flush=True)

    scores = np.random.default_rng(2).standard_normal((n, COMPONENTS))
    began = time.perf_counter()
    related, limit = kinship.pc_relate_above(calls, scores, np.arange(n) >= 2 * (n // 20), LIMIT)
    pc_relate_s = time.perf_counter() - began
    print(f"PC-Relate: {pc_relate_s:.1f} s, {len(related.i)} pairs above {limit:.4f}", flush=True)
    made = {"king_s": king_s, "king_gflops": gflops, "pc_relate_s": pc_relate_s, "siblings_missed": missed}
    scale = TARGET[0] ** 2 / n**2 * TARGET[1] / m
    made |= {"king_50000_hours": king_s * scale / 3600, "pc_relate_50000_hours": pc_relate_s * scale / 3600}

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls"
        write_plink(calls, path)
        seconds, theirs = plink2(path, arguments.threads)
        if seconds is not None:
            different, largest = difference(pairs, theirs)
            print(f"plink2: {seconds:.1f} s, {different} pairs differ, kinship by at most {largest:.1e}", flush=True)
            made |= {"plink2_s": seconds, "vs_plink2": seconds / king_s}
            made |= {"plink2_pairs_differ": different, "plink2_largest": largest}
        if arguments.hail_people:
            few = arguments.hail_people
            began = time.perf_counter()
            found = kinship.king_above(np.ascontiguousarray(calls[:, :few]), LIMIT)
            ours_few = time.perf_counter() - began
            pairs = {(i, j): float(phi) for (i, j), phi in zip(found.tuples(), found.phi, strict=True)}
            seconds, theirs = hail(path, few, arguments.threads)
            different, largest = difference(pairs, theirs)
            told = f"ours {ours_few:.2f} s, {different} pairs differ, kinship by at most {largest:.1e}"
            print(f"Hail's king, {few} people, warm: {seconds:.1f} s, {told}", flush=True)
            made |= {"hail_s": seconds, "vs_hail": seconds / ours_few}
            made |= {"hail_pairs_differ": different, "hail_largest": largest}
    print(json.dumps({name: round(value, 9) for name, value in made.items()}))


if __name__ == "__main__":
    main()
