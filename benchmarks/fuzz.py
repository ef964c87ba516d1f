"""Damaged and hostile files of every format -> how each ends: no crash, no hang, bounded memory, nothing else opened.

Each file is a real or written one with one mutation: cut, bits flipped, bytes moved or overwritten, a number of its
header replaced (also by 10 GB), or XML with entities, external files and addresses, a million elements. It is read
and processed as in the ingest job. Usage: python -m benchmarks.fuzz --n 2000 --seed 1
Prints a table of reasons by format; the last line is JSON.
"""

import argparse
import collections
import faulthandler
import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.unit.ingest.writers import WRITERS

from ecgwas.config import EcgSource, Ingest
from ecgwas.ecg.quality import Excluded
from ecgwas.ingest.process import process
from ecgwas.ingest.readers import open_source
from ecgwas.signals.recording import Unreadable
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

sys.dont_write_bytecode = True  # a module first imported by a reader must not look like a file it wrote
HANG_S, SLOW_S = 60, 5.0
FORBIDDEN = (
    "socket.",
    "urllib.",
    "http.",
    "ftplib.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.spawn",
    "os.posix_spawn",
)
REAL = {"ecg_ukb_cardiosoft": "cardiosoft", "ecg_muse_xml": "muse", "ecg_philips_xml": "philips"}
REAL |= {"ecg_hl7_aecg_fda": "aecg", "ecg_code15/org": "code15", "ecg_wfdb_samples": "wfdb", "ecg_cinc2021": "wfdb"}
LIES = ("0", "-1", "1", "10000000000", "2147483648", "1e308", "nan", "", "x", "99999999999999999999", "0.0000001")
WORDS = (
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\xe4\x0b\x54\x02\x00\x00\x00",
    b"\x00\x00\x00\x00",
    b"\x01\x00\x00\x80",
)
BAIT = Path("bait.txt")  # a file that hostile XML points to; main puts it in a folder of its own
Mutation = Callable[[bytes, np.random.Generator], bytes]


# --------------------------------------------------------------------------------------------- mutations


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """The beginning of the file."""
    return data[: rng.integers(0, len(data))]


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """1 to 64 bits changed, half the time all in the first 2 KB."""
    out = bytearray(data)
    stop = len(out) if rng.random() < 0.5 else min(len(out), 2048)
    for at in rng.integers(0, stop, rng.integers(1, 65)):
        out[at] ^= 1 << rng.integers(0, 8)
    return bytes(out)


def scramble(data: bytes, rng: np.random.Generator) -> bytes:
    """A stretch overwritten with noise, zeros, or another stretch, taken out, or repeated."""
    n = int(rng.integers(1, min(len(data), 4096) + 1))
    at, other = (int(k) for k in rng.integers(0, len(data) - n + 1, 2))
    kind = rng.integers(0, 5)
    middle = [rng.bytes(n), bytes(n), data[other : other + n], b"", data[at : at + n] * 3][kind]
    return data[:at] + middle + data[at + n :]


def lie(data: bytes, rng: np.random.Generator) -> bytes:
    """One number written in text replaced, mostly of the first 8 KB or next to a tag."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16") if wide else data.decode("latin-1")
    places = list(re.finditer(r"(?<=[>\"' =(/\n])-?\d+\.?\d*", text[:200_000] if rng.random() < 0.3 else text[:8192]))
    if not places:
        return number(data, rng)
    place = places[rng.integers(0, len(places))]
    text = text[: place.start()] + LIES[rng.integers(0, len(LIES))] + text[place.end() :]
    return text.encode("utf-16" if wide else "latin-1")


def number(data: bytes, rng: np.random.Generator) -> bytes:
    """One binary number of the first 2 KB, or anywhere, replaced by an extreme one."""
    word = WORDS[rng.integers(0, len(WORDS))]
    at = int(rng.integers(0, max(1, (min(len(data), 2048) if rng.random() < 0.7 else len(data)) - len(word))))
    return data[:at] + word + data[at + len(word) :]


def hostile(data: bytes, rng: np.random.Generator) -> bytes:
    """XML that expands, fetches, or is larger than anything."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = re.sub(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>", "", data.decode("utf-16") if wide else data.decode("latin-1"))
    root = re.search(r"<([A-Za-z]\w*)", text)[1]
    at = text.find(">", text.find(f"<{root}")) + 1
    laughs = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    outside = [f"file://{BAIT}", "http://127.0.0.1:9/x", f"{BAIT}"][rng.integers(0, 3)]
    kinds = [
        (f"<!DOCTYPE {root} [{laughs}]>", "&j;"),
        (f'<!DOCTYPE {root} [<!ENTITY a "{"x" * 100_000}">]>', "&a;" * 10_000),
        (f'<!DOCTYPE {root} [<!ENTITY a SYSTEM "{outside}">]>', "&a;"),
        (f'<!DOCTYPE {root} [<!ENTITY % a SYSTEM "{outside}"> %a;]>', ""),
        (f'<!DOCTYPE {root} SYSTEM "{outside}">', "&a;"),
        (f'<!DOCTYPE {root} PUBLIC "x" "{outside}" [<!ATTLIST {root} y CDATA "z">]>', ""),
        ("", "<a>" * 200_000),
        ("", "<a/>" * 1_000_000),
        ("", f'<a b="{"x" * 20_000_000}"/>'),
        (
            f'<?xml-stylesheet href="{outside}"?>',
            f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{outside}"/>',
        ),
    ]
    before, inside = kinds[rng.integers(0, len(kinds))]
    return (before + text[:at] + inside + text[at:]).encode("utf-8" if rng.random() < 0.7 else "utf-16", "replace")


MUTATIONS: tuple[Mutation, ...] = (cut, flip, scramble, lie, number, hostile)


# ------------------------------------------------------------------------------------------------- files


def written(folder: Path, rng: np.random.Generator) -> dict[str, list[Path]]:
    """Format of the settings (`files` by suffix) -> files of one recording each, written here."""
    parameters = {name: np.array([p.mean]) for name, p in PARAMETERS.items()}
    counts = simulate_recordings(parameters, np.array(["sinus"]), rng, 500.0)[0][:, :2500]
    out = {}
    for kind, (_, write, _) in WRITERS.items():
        (folder / kind).mkdir(parents=True)
        write(folder / kind, "7_x", counts)
        out[kind] = sorted((folder / kind).iterdir())
    return out


def real(folder: Path | None) -> list[tuple[str, list[Path]]]:
    """Format and files of the recordings of the public data folder."""
    found = []
    for name, fmt in REAL.items() if folder else ():
        for path in sorted((folder / name).rglob("*.*")):
            if path.suffix == ".hea":
                found.append((fmt, [path, *sorted(p for p in path.parent.glob(f"{path.stem}*") if p.suffix != ".hea")]))
            elif path.suffix.lower() in (".xml", ".mat") and fmt != "wfdb":
                found.append((fmt, [path]))
    return [(fmt, files) for fmt, files in found if sum(file.stat().st_size for file in files) < 4 * 2**20]


def mutated(files: list[Path], into: Path, rng: np.random.Generator) -> str:
    """Copies of `files`, one of them mutated, below `into`; the name of the mutation."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    for file in files:
        shutil.copyfile(file, into / file.name)
    victim = into / files[rng.integers(0, len(files))].name
    data = victim.read_bytes()
    choices = [m for m in MUTATIONS if m is not hostile or victim.suffix.lower() == ".xml"]
    mutation = choices[rng.integers(0, len(choices))]
    victim.write_bytes(mutation(data, rng) if data else b"")
    return mutation.__name__


# --------------------------------------------------------------------------------------------------- run


class Watch:
    """Counts what is opened outside the allowed folders, and any network or process, while `armed`."""

    def __init__(self, allowed: list[Path]):
        self.armed, self.seen = False, []
        self.allowed = tuple(
            str(path)
            for path in [*allowed, sys.prefix, sys.base_prefix, "/dev/null", "/usr", "/proc", "/etc/localtime"]
        )
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple) -> None:
        """Called by the interpreter for every audited event."""
        if not self.armed:
            return
        if event.startswith(FORBIDDEN):
            self.seen.append(event)
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith(self.allowed):
                self.seen.append(f"open {path}")


def outcome(kind: str, folder: Path) -> str:
    """'kept', or the reason for the exclusion; anything else that is raised is a crash."""
    fmt, _, settings = WRITERS[kind]
    settings = dict(settings) | ({"unit": "mV"} if fmt == "code15" else {})
    try:
        reader = open_source(EcgSource(format=fmt, path=folder, **settings), 10.0)
        with np.errstate(all="ignore"):
            process(reader.read(reader.entries["key"][0]), Ingest())
    except (Unreadable, Excluded) as fault:
        return fault.reason
    except Exception as error:
        return f"CRASH {type(error).__name__}: {error}"
    return "kept"


def main() -> None:
    """Mutate, read, count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=2000, help="files")
    parser.add_argument("--seed", type=int, default=1)
    shared = os.environ.get("ECGWAS_REALDATA", Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument(
        "--data", type=Path, default=Path(shared), help="public data folder; left out where it is absent"
    )
    options = parser.parse_args()
    data = options.data if options.data.is_dir() else None
    global BAIT
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        BAIT = folder / "bait.txt"
        BAIT.write_text("5," * 100)
        own = written(folder / "written", np.random.default_rng(options.seed))
        sources = [(kind, files) for kind, files in own.items() for _ in range(4)] + real(data)
        work, watch, counted = (
            folder / "work",
            Watch([folder / "work", Path(__file__).parents[1]]),
            collections.Counter(),
        )
        for kind, files in own.items():  # libraries are loaded, and each undamaged file is read
            outcome(kind, files[0].parent)
        before, slowest, crashes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, (0.0, ""), []
        for k in range(options.n):
            rng = np.random.default_rng([options.seed, k])
            kind, files = sources[rng.integers(0, len(sources))]
            mutation = mutated(files, work, rng)
            faulthandler.dump_traceback_later(HANG_S, exit=True)
            watch.armed, start = True, time.perf_counter()
            ended = outcome(kind, work)
            watch.armed, seconds = False, time.perf_counter() - start
            faulthandler.cancel_dump_traceback_later()
            slowest = max(slowest, (seconds, f"{kind} {mutation} {k}"))
            if ended.startswith("CRASH"):
                crashes.append(f"{k} {kind} {mutation} {files[0].name}: {ended}")
            counted[kind, "crash" if ended.startswith("CRASH") else ended] += 1
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for (kind, reason), n in sorted(counted.items()):
        print(f"{kind:12} {reason:24} {n}")
    print(*crashes, *watch.seen, sep="\n")
    reasons = collections.Counter()
    for (_, reason), n in counted.items():
        reasons[reason] += n
    print(
        json.dumps(
            {
                "files": options.n,
                "crashes": len(crashes),
                "outside": len(watch.seen),
                "slowest_s": round(slowest[0], 2),
                "slowest": slowest[1],
                "memory_growth_mb": round((after - before) / 1024),
                "reasons": dict(sorted(reasons.items())),
            }
        )
    )


if __name__ == "__main__":
    main()
