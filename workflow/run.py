"""Study file -> results: start or continue a study with Snakemake, one process per study at a time.

A killed run leaves Snakemake's lock behind. The lock taken here ends with its process, so a stale lock can be
told from a live run: a stale one is cleared, a live one is left alone. Further arguments go to Snakemake.
"""

import argparse
import fcntl
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROFILES = ROOT / "workflow" / "profiles"


def arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path, help="study file, such as config/demo.yaml")
    parser.add_argument("--profile", default="local", help="name of a folder of workflow/profiles, or a path")
    parser.add_argument("--config", dest="overrides", nargs="+", default=[], metavar="KEY=VALUE", help="override keys")
    return parser.parse_known_args()


def snakemake(options: argparse.Namespace, *more: str) -> int:
    profile = PROFILES / options.profile if (PROFILES / options.profile).is_dir() else Path(options.profile)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(options.config), "--profile", str(profile)]
    command += ["--config", *options.overrides] if options.overrides else []
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run([*command, *more], env=environment, check=False).returncode


def study_name(options: argparse.Namespace) -> str:
    """The study's name: the override where there is one, else the file's key, else the file's stem."""
    lines = options.config.read_text().splitlines() if options.config.is_file() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("study:")]
    named += [item.split("=", 1)[1] for item in options.overrides if item.startswith("study=")]
    return named[-1] if named else options.config.stem


def main() -> int | str:
    options, more = arguments()
    locks = ROOT / "results" / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    with open(locks / study_name(options), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"error: study '{study_name(options)}' is being run by another process; wait for it or stop it"
        if (status := snakemake(options, "--unlock")) != 0:
            return status
        return snakemake(options, *more)


if __name__ == "__main__":
    sys.exit(main())
