"""Versions, settings, seed and input files -> provenance.json: what made this study's results.

The content is a function of code, configuration and inputs alone: no times, hosts or absolute paths.
"""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic

import ecgwas
from ecgwas import config
from ecgwas.files import write_json

PACKAGES = (
    "bgen", "hail", "jinja2", "msprime", "numpy", "pgenlib", "polars", "pyarrow", "pydantic",
    "scipy", "snakemake", "torch", "wfdb",
)  # fmt: skip
WHOLE = 2**30
COMPANIONS = {".bed": (".bim", ".fam")}


def provenance(study: config.Study, cohorts: list[config.Cohort], root: Path) -> dict[str, Any]:
    """What made the study: `root` is where relative paths of the cohorts start."""
    settings = portable(study.model_dump(mode="json"))
    described = portable([cohort.model_dump(mode="json") for cohort in cohorts])
    return {
        "study": study.study,
        "seed": study.seed,
        "ecgwas": ecgwas.__version__,
        "git_commit": git_commit(Path(ecgwas.__file__).parent),
        "python": platform.python_version(),
        "packages": versions(PACKAGES),
        "config_sha256": hashlib.sha256(json.dumps([settings, described], sort_keys=True).encode()).hexdigest(),
        "settings": settings,
        "cohorts": described,
        "inputs": [fingerprint(path, root) for path in input_paths(cohorts)],
    }


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed version of each package; those not installed are left out."""
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_commit(folder: Path) -> str | None:
    """Commit of the checkout around `folder`, with "+changes" where its package differs; None without one."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changed else "")


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True).stdout.strip()


def portable(value: Any) -> Any:
    """`value` with every absolute path cut to its last two parts."""
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [portable(item) for item in value]
    if isinstance(value, str) and value.startswith("/"):
        return "/".join(Path(value).parts[1:][-2:])
    return value


def input_paths(cohorts: list[config.Cohort]) -> list[Path]:
    """Every file and folder that the cohorts name, with the companions of PLINK files, each once, sorted."""
    named = {path for cohort in cohorts for path in _paths(cohort)}
    named |= {path.with_suffix(other) for path in named for other in COMPANIONS.get(path.suffix, ())}
    return sorted(named)


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item)
    elif isinstance(value, pydantic.BaseModel):
        for name in type(value).model_fields:
            yield from _paths(getattr(value, name))


def fingerprint(path: Path, root: Path) -> dict[str, Any]:
    """Name, bytes and hash of a file or folder.

    Up to 1 GiB the hash is of the whole content; beyond, of the first and last MiB of a file, or of the names and
    sizes of a folder.
    """
    name, place = portable(str(path)), root / path
    if place.is_dir():
        files = sorted(p for p in place.rglob("*") if p.is_file() and not p.name.startswith("."))
        size = sum(p.stat().st_size for p in files)
        lines = (f"{p.relative_to(place)} {p.stat().st_size} {_hash(p) if size <= WHOLE else ''}\n" for p in files)
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        key = "sha256_of_listing" if size <= WHOLE else "sha256_of_names_and_sizes"
        return {"path": name, "files": len(files), "bytes": size, key: digest}
    if not place.is_file():
        return {"path": name, "bytes": None}
    size = place.stat().st_size
    return {"path": name, "bytes": size, "sha256" if size <= WHOLE else "sha256_of_ends": _hash(place)}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        if path.stat().st_size <= WHOLE:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256(file.read(2**20))
        file.seek(-(2**20), 2)
        digest.update(file.read())
        return digest.hexdigest()


def write(study: config.Study, cohorts: list[config.Cohort], root: Path, path: Path) -> dict[str, Any]:
    """Write provenance.json to `path` and return its content."""
    content = provenance(study, cohorts, root)
    write_json(content, path)
    return content
