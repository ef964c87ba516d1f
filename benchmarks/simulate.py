"""How many ECGs a second does the simulator make on one core, without and with writing WFDB?"""

import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings
from ecgwas.simulate.wfdb_files import write_wfdb

RECORDINGS = 512


def draw(n: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Parameters and rhythms of `n` independent people, 10 % of them not in plain sinus rhythm."""
    parameters = {k: np.clip(p.mean + p.sd * rng.standard_normal(n), p.low, p.high) for k, p in PARAMETERS.items()}
    rhythm = np.where(rng.random(n) < 0.9, "sinus", rng.choice(["af", "paced", "lbbb", "rbbb", "pvc"], n))
    return parameters, rhythm


def main() -> None:
    """Print recordings per second (median of three runs), and a line of JSON."""
    rng = np.random.default_rng(1)
    parameters, rhythm = draw(RECORDINGS, rng)
    names = [f"r{i:05d}" for i in range(RECORDINGS)]
    generate, write = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(3):
            start = time.perf_counter()
            signals = simulate_recordings(parameters, rhythm, rng)
            generate.append(time.perf_counter() - start)
            start = time.perf_counter()
            write_wfdb(Path(folder), names, signals, 500)
            write.append(time.perf_counter() - start)
    made, total = float(np.median(generate)), float(np.median(np.add(generate, write)))
    print(f"12 leads x 10 s x 500 Hz, one thread: {RECORDINGS / made:.0f} recordings/s generated,")
    print(f"{RECORDINGS / total:.0f} recordings/s generated and written")
    print(json.dumps({"generated_per_s": round(RECORDINGS / made, 1), "written_per_s": round(RECORDINGS / total, 1)}))


if __name__ == "__main__":
    main()
