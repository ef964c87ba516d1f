"""How long `make demo` takes from a fresh clone, and how much memory: environment, pipeline, second run."""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[1]


def peak_while(process: subprocess.Popen, period_s: float = 0.5) -> list[float]:
    """Sample the summed proportional memory (MB, shared pages counted once) of a process and its descendants."""
    peak = [0.0]

    def sample() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], tree_mb(process.pid))
            time.sleep(period_s)

    thread = threading.Thread(target=sample)
    thread.start()
    process.wait()
    thread.join()
    return peak


def tree_mb(pid: int) -> float:
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0.0
    for member in family:
        try:
            memory = member.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
        except psutil.Error:
            continue
    return total / 2**20


def measure(command: list[str], folder: Path, log: Path) -> tuple[float, float]:
    """Run a command; returns wall seconds and peak MB. Ends the program where the command fails."""
    started = time.monotonic()
    with open(log, "a") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        peak = peak_while(process)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} failed in {folder}; see {log}")
    return time.monotonic() - started, peak[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--here", action="store_true", help="run in this checkout instead of a fresh clone")
    options = parser.parse_args()
    folder = PROJECT if options.here else Path(tempfile.mkdtemp()) / "ecgwas"
    if not options.here:
        subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)
    log = folder / "demo-benchmark.log"
    setup_s, _ = measure(["make", ".venv/.installed"], folder, log)
    demo_s, demo_mb = measure(["make", "demo", f"SEED={options.seed}"], folder, log)
    again_s, _ = measure(["make", "demo", f"SEED={options.seed}"], folder, log)
    print(f"environment {setup_s:.0f} s, demo {demo_s:.0f} s at a peak of {demo_mb:.0f} MB, second run {again_s:.0f} s")
    print(f"results and log in {folder}")
    figures = {"setup_s": setup_s, "demo_s": demo_s, "total_s": setup_s + demo_s, "again_s": again_s}
    figures["peak_mb"] = demo_mb
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
