"""A study and the project that it is run in -> Snakemake, started or asked for its jobs."""

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

from ecgwas.errors import UserError

SOURCE = Path(__file__).resolve().parents[2]  # of an installation that is a checkout


def project(given: Path | None = None) -> Path:
    """The folder that holds the workflow: the one given, else that of the working directory, else the checkout.

    Raises `UserError` where there is none.
    """
    places = [given.resolve()] if given else [Path.cwd(), *Path.cwd().parents, SOURCE]
    for folder in places:
        if (folder / "Snakefile").is_file() and (folder / "workflow" / "profiles").is_dir():
            return folder
    where = str(given) if given else f"{Path.cwd()} and the folders above it"
    raise UserError(
        f"{where}: no project of ecgwas, a folder with Snakefile, workflow/ and config/;"
        " go to a checkout, or name it with --project DIR"
    )


def study_file(name: str, root: Path) -> Path:
    """The file of a study, given as a path from here or from the project, or as its name in config/."""
    for path in (Path(name), root / name, root / "config" / f"{name}.yaml"):
        if path.is_file():
            return path.resolve()
    known = sorted(path.stem for path in (root / "config").glob("*.yaml"))
    near = difflib.get_close_matches(Path(name).stem, known, 1)
    hint = f"did you mean config/{near[0]}.yaml?" if near else f"studies of the project: {', '.join(known) or 'none'}"
    raise UserError(f"{name}: no such study file; {hint}")


def results(study: Path, root: Path) -> Path:
    """The folder of a study's results."""
    import yaml

    values = yaml.safe_load(study.read_text())
    if not isinstance(values, dict) or not isinstance(values.get("study"), str):
        raise UserError(f"{study}: no key `study`, the name of the study")
    return root / "results" / values["study"]


def snakemake(study: Path, root: Path, profile: str, overrides: list[str]) -> list[str]:
    """Command line of Snakemake for a study."""
    profiles = root / "workflow" / "profiles"
    chosen = profiles / profile if (profiles / profile).is_dir() else Path(profile)
    if not chosen.is_dir():
        known = ", ".join(sorted(path.name for path in profiles.iterdir()))
        raise UserError(f"--profile {profile}: no such folder, here or in workflow/profiles, which has {known}")
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    words += ["--configfile", str(study), "--profile", str(chosen)]
    return words + (["--config", *overrides] if overrides else [])


def run(study: str, given: Path | None, profile: str, overrides: list[str], more: list[str]) -> None:
    """Start or continue a study: Snakemake takes the place of this process.

    Snakemake itself holds the study while it runs and clears what a killed run left (`workflow/rules/run.smk`).
    """
    root = project(given)
    os.execv(sys.executable, [*snakemake(study_file(study, root), root, profile, overrides), *more])


def plan(study: str, given: Path | None, profile: str, overrides: list[str], more: list[str]) -> None:
    """Print how many jobs of each rule a run would start."""
    root = project(given)
    command = [*snakemake(study_file(study, root), root, profile, overrides), "--dry-run", *more]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    said = asked.stdout + asked.stderr
    if asked.returncode:
        fault = re.search(r"^error: .*", said, re.M | re.S)
        raise UserError(fault[0].removeprefix("error: ").strip() if fault else said.strip())
    jobs = counts(said)
    width = max(map(len, jobs), default=0)
    print(
        "\n".join(f"{rule:<{width}}  {number:>6}" for rule, number in jobs.items()) or "no job: every result is there"
    )


def counts(said: str) -> dict[str, int]:
    """Rule -> number of its jobs, of what a dry run of Snakemake printed; their `total` is last."""
    table = re.search(r"^Job stats:\n.*\n[- ]+\n((?:\S+ +\d+\n)+)", said, re.M)
    lines = table[1].splitlines() if table else []
    jobs = {rule: int(number) for rule, number in (line.split() for line in lines) if rule not in ("all", "total")}
    return jobs | ({"total": sum(jobs.values())} if jobs else {})
