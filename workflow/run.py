"""Study file -> results: start or continue a study with Snakemake, whose place this process takes.

Snakemake itself holds the study while it runs and clears what a killed run left (`workflow/rules/run.smk`); this
script finds the profile by its name. Further arguments go to Snakemake.
"""

import argparse
import os
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


def command(options: argparse.Namespace, more: list[str]) -> list[str]:
    profile = PROFILES / options.profile if (PROFILES / options.profile).is_dir() else Path(options.profile)
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    words += ["--configfile", str(options.config), "--profile", str(profile)]
    words += ["--config", *options.overrides] if options.overrides else []
    return [*words, *more]


if __name__ == "__main__":
    os.execv(sys.executable, command(*arguments()))
