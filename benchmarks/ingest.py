"""How fast recordings become shards: plain loops over the usual libraries and ours on the same files, one core each.

The loops read, resample to 100 Hz and write. Ours does that with its filters and checks (`signals`, what the ratios
compare), and then the whole of ingestion with beats and classical traits (`whole`, what the core-hours are made of).
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

PROJECT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("ECGWAS_REALDATA", PROJECT.parent / "shared" / "data"))
RATE_HZ, MODEL_RATE_HZ = 500, 100
TOLD = ("wfdb_ratio", "ukb_xml_ratio", "core_hours_100k", "core_hours_10m")
TOLD += ("peak_mb_1000", "peak_mb_50000", "quality_auroc")

INGEST = """
import importlib, json, resource, sys, time
from pathlib import Path
from ecgwas.config import EcgSource, Ingest
from ecgwas.ingest import shard
ecg, settings, out = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
names = ("recordings", "intervals", "excluded", "quality")
importlib.import_module(f"ecgwas.ingest.readers.{ecg['format']}")
began = time.perf_counter()
shard.main(EcgSource(**ecg), 0, Ingest(**settings), **{n: out / f"{n}.parquet" for n in names},
           strips=[out / "strip.npy"], beat=out / "beat.npy")
seconds = time.perf_counter() - began
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def ours(ecg: dict, settings: dict, out: Path) -> tuple[float, float]:
    """Seconds and peak MB of one shard's job, the start of Python not counted."""
    arguments = [sys.executable, "-c", INGEST, json.dumps(ecg, default=str), json.dumps({"shards": 1, **settings}), out]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"error: {done.stderr[-3000:]}")
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def plain_wfdb(folder: Path, names: list[str], out: Path) -> float:
    """Seconds of rdrecord, resample_poly and save over the records."""
    import scipy.signal
    import wfdb

    began = time.perf_counter()
    for name in names:
        record = wfdb.rdrecord(str(folder / name))
        strip = scipy.signal.resample_poly(record.p_signal, MODEL_RATE_HZ, RATE_HZ, axis=0)
        np.save(out / f"{name}.npy", np.rint(strip * 1000).astype(np.int16))
    return time.perf_counter() - began


def plain_xml(folder: Path, names: list[str], out: Path) -> float:
    """Seconds of xmltodict, resample_poly and save over CardioSoft files."""
    import scipy.signal
    import xmltodict

    began = time.perf_counter()
    for name in names:
        strip = xmltodict.parse((folder / f"{name}.xml").read_bytes())["CardiologyXML"]["StripData"]
        leads = [[float(x) for x in lead["#text"].split(",")] for lead in strip["WaveformData"]]
        strip = scipy.signal.resample_poly(np.array(leads) * 5, MODEL_RATE_HZ, RATE_HZ, axis=1)
        np.save(out / f"{name}.npy", np.rint(strip).astype(np.int16))
    return time.perf_counter() - began


def simulated(folder: Path, n: int) -> list[str]:
    """Names of n simulated recordings written as WFDB."""
    from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings
    from ecgwas.simulate.wfdb_files import write_wfdb

    rng, names = np.random.default_rng(1), [f"r{k:05d}" for k in range(n)]
    for first in range(0, n, 100):
        rows = names[first : first + 100]
        drawn = {p: np.clip(rng.normal(s.mean, s.sd, len(rows)), s.low, s.high) for p, s in PARAMETERS.items()}
        write_wfdb(folder, rows, simulate_recordings(drawn, np.array(["sinus"] * len(rows)), rng), RATE_HZ)
    return names


def links(source: Path, folder: Path, n: int) -> list[str]:
    """Names of n links to one file: what a reader meets is n files."""
    names = [f"u{k:05d}" for k in range(n)]
    for name in names:
        try:
            os.link(source, folder / f"{name}{source.suffix}")
        except OSError:  # another file system
            shutil.copy(source, folder / f"{name}{source.suffix}")
    return names


def table(path: Path, names: list[str], n: int) -> Path:
    """A table of n recordings over fewer files."""
    rows = (f"{k:06d},{k:06d},{names[k % len(names)]}" for k in range(n))
    path.write_text("recording_id,person_id,path\n" + "\n".join(rows) + "\n")
    return path


def compare(name: str, theirs: float, n: int, ecg: dict, work: Path) -> float:
    """Print rates of both; the ratio."""
    seconds, _ = ours(ecg, {"heart": False}, work / f"out-{name}")
    print(
        f"{name}: plain loop {n / theirs:.0f}/s, signals {n / seconds:.0f}/s, ratio {theirs / seconds:.2f}", flush=True
    )
    return theirs / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1000, help="WFDB records")
    parser.add_argument("--xml", type=int, default=1000, help="CardioSoft files")
    parser.add_argument("--large", type=int, default=50_000, help="recordings of the run that shows memory")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    told = dict.fromkeys(TOLD)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folders = {name: work / name for name in ("wfdb", "xml", "plain")}
        for folder in folders.values():
            folder.mkdir()
        names = simulated(folders["wfdb"], arguments.records)
        source = {"format": "wfdb", "path": folders["wfdb"]}
        theirs = plain_wfdb(folders["wfdb"], names, folders["plain"])
        told["wfdb_ratio"] = compare("wfdb", theirs, len(names), source, work)
        example = next(iter(sorted(DATA.glob("ecg_ukb_cardiosoft/*.xml"))), None)
        if example is not None:
            files = links(example, folders["xml"], arguments.xml)
            theirs = plain_xml(folders["xml"], files, folders["plain"])
            xml = {"format": "cardiosoft", "path": folders["xml"]}
            told["ukb_xml_ratio"] = compare("ukb_xml", theirs, len(files), xml, work)
        for n, key in ((1000, "peak_mb_1000"), (arguments.large, "peak_mb_50000")):
            listed = source | {"recordings": table(work / f"{n}.csv", names, n)}
            seconds, told[key] = ours(listed, {}, work / f"whole-{n}")
            print(f"whole, {n} recordings: {n / seconds:.0f}/s, peak {told[key]:.0f} MB", flush=True)
        told["core_hours_100k"], told["core_hours_10m"] = (count * seconds / n / 3600 for count in (1e5, 1e7))
    if DATA.is_dir():
        done = subprocess.run(
            [sys.executable, PROJECT / "benchmarks/quality.py"], capture_output=True, text=True, check=True
        )
        told["quality_auroc"] = json.loads(done.stdout.splitlines()[-1])["quality_auroc"]
    print(json.dumps({name: value and round(value, 4) for name, value in told.items()}))


if __name__ == "__main__":
    main()
