"""`ecgwas`, or `python -m ecgwas`: a study by one word, a step by its stage and name, and what there is.

Nothing but the standard library is imported before the command is known: help has to come at once.
"""

import argparse
import difflib
import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from ecgwas.errors import UserError

# Stage -> step -> its module, which ends in `run(main)`. In the order of the data.
STAGES: dict[str, dict[str, str]] = {
    "simulate": {"cohort": "ecgwas.simulate.cohort", "spike": "ecgwas.simulate.spike"},
    "people": {"table": "ecgwas.people.make", "consent": "ecgwas.people.report"},
    "ingest": {
        "entries": "ecgwas.ingest.entries",
        "shard": "ecgwas.ingest.shard",
        "collect": "ecgwas.ingest.collect",
        "survey": "ecgwas.ingest.survey",
    },
    "pretrain": {"train": "ecgwas.pretrain.train", "pca": "ecgwas.pretrain.pca"},
    "embed": {
        "cohort": "ecgwas.embed.embed",
        "distribution": "ecgwas.embed.distribution",
        "probe": "ecgwas.embed.probing",
        "release": "ecgwas.embed.release",
    },
    "genotypes": {"qc": "ecgwas.genotypes.qc_main"},
    "phenotypes": {"covariates": "ecgwas.phenotypes.check_covariates", "traits": "ecgwas.phenotypes.traits"},
    "gwas": {
        "step1": "ecgwas.gwas.step1.predictions",
        "scan": "ecgwas.gwas.scan",
        "loci": "ecgwas.gwas.loci",
        "calibration": "ecgwas.gwas.calibration",
        "crosscheck": "ecgwas.gwas.crosscheck",
        "export": "ecgwas.gwas.export.formats",
        "check-ssf": "ecgwas.gwas.export.validate_ssf",
    },
    "finemap": {"loci": "ecgwas.finemap.finemap"},
    "predict": {
        "labels": "ecgwas.predict.labels.labels",
        "fit": "ecgwas.predict.fit",
        "score": "ecgwas.predict.score",
        "evaluate": "ecgwas.predict.evaluate.evaluate_study",
        "survival": "ecgwas.predict.survival.survival",
        "auroc": "ecgwas.predict.evaluate.evaluate",
        "bundle": "ecgwas.predict.release.bundle",
    },
    "interpret": {
        "explain": "ecgwas.interpret.predictors.explain",
        "traversal": "ecgwas.interpret.loci.traversal",
        "alleles": "ecgwas.interpret.loci.allele_effects",
    },
    "recovery": {"loci": "ecgwas.recovery.recovery"},
    "study": {"page": "ecgwas.report.page", "summary": "ecgwas.report.summary"},
    "develop": {"docs": "ecgwas.docs"},
}
# Verbs: what a user does with a study or with a model.
OF_STUDY = {
    "run": "start a study, or continue one that was interrupted",
    "check": "check the configuration of a study and the covariates of its cohorts; nothing is computed",
    "plan": "list the jobs that a run would start, by rule and number",
    "report": "print the findings of a finished study, and where its report is",
    "withdrawn": "prove that the results of a study hold no id of a list of withdrawn people",
}
CHECK, WITHDRAWN = "ecgwas.phenotypes.check_study", "ecgwas.people.withdrawn"
OF_MODEL = {"encode": "ecgwas.embed.encode", "apply": "ecgwas.predict.release.apply"}
OF_MODEL_HELP = {
    "encode": "a trained encoder and a folder of ECG files -> their embeddings",
    "apply": "a bundle of a predictor and a folder of ECG files -> probabilities of disease",
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command line; an error of its user ends the process with status 1 and one line."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        command(words)
    except UserError as error:
        sys.exit(f"error: {error}")


def command(words: list[str]) -> None:
    """The command that the words name: a verb, a step, or what there is."""
    first, rest = (words[0], words[1:]) if words else ("--help", [])
    if first in ("-h", "--help"):
        print(overview())
    elif first == "--version":
        from ecgwas import __version__

        print(__version__)
    elif first in OF_STUDY:
        of_study(first, rest)
    elif first in OF_MODEL:
        start(f"ecgwas {first}", OF_MODEL[first], rest)
    elif first in STAGES:
        of_stage(first, rest)
    else:
        steps = [f"{stage} {first}" for stage in STAGES if first in STAGES[stage]]
        hint = f"it is a step of a stage: ecgwas {', ecgwas '.join(steps)}" if steps else ""
        raise UserError(unknown("command", first, [*OF_STUDY, *OF_MODEL, *STAGES], hint))


def of_stage(stage: str, words: list[str]) -> None:
    """A step of a stage, or the list of them."""
    steps = STAGES[stage]
    if not words or words[0] in ("-h", "--help"):
        print(
            "\n".join([f"usage: ecgwas {stage} STEP --flag VALUE …; ecgwas {stage} STEP --help explains the flags", ""])
        )
        print("\n".join(step_lines(stage)))
    elif words[0] in steps:
        start(f"ecgwas {stage} {words[0]}", steps[words[0]], words[1:])
    else:
        raise UserError(unknown(f"step of {stage}", words[0], steps))


def start(program: str, module: str, words: list[str]) -> None:
    """Run a step: `main` of a module, its flags from the words."""
    from ecgwas import cli

    sys.argv = [program, *words]
    cli.run(importlib.import_module(f"ecgwas.{module.removeprefix('ecgwas.')}").main)


def of_study(verb: str, words: list[str]) -> None:
    """A verb on a study: its file, the project that it is run in, and what else Snakemake or the step is given."""
    from ecgwas import runner

    parser = argparse.ArgumentParser(f"ecgwas {verb}", description=OF_STUDY[verb], allow_abbrev=False)
    parser.add_argument(
        "study", metavar="STUDY", help="study file, such as config/demo.yaml, or its name, such as demo"
    )
    parser.add_argument("--project", type=Path, help="folder of the project; by default the one that you are in")
    if verb in ("run", "plan"):
        parser.epilog = "Further arguments go to Snakemake."
        parser.add_argument("--profile", default="local", help="name of a folder of workflow/profiles, or a path")
        parser.add_argument(
            "--config", nargs="+", default=[], metavar="KEY=VALUE", help="keys that differ from the file"
        )
        options, more = parser.parse_known_args(words)
        what: Callable[..., None] = getattr(runner, verb)
        return what(options.study, options.project, options.profile, [*options.config], more)
    if verb == "withdrawn":
        parser.epilog = "--results DIR: its results, where they are not in results/STUDY of the project."
        options, more = parser.parse_known_args(words)
    else:
        options, more = parser.parse_args(words), []
    if verb == "report" and Path(options.study).is_dir():
        return start("ecgwas report", STAGES["study"]["summary"], ["--root", options.study])
    root = runner.project(options.project)
    study = runner.study_file(options.study, root)
    if verb == "report":
        return start("ecgwas report", STAGES["study"]["summary"], ["--root", str(runner.results(study, root))])
    flags = ["--study", str(study), "--root", str(root), *more]
    return start(f"ecgwas {verb}", CHECK if verb == "check" else WITHDRAWN, flags)


def overview() -> str:
    """Every verb and every step, a line each."""
    width = max(map(len, [*OF_STUDY, *OF_MODEL])) + 2
    lines = ["usage: ecgwas COMMAND …", "", "A study (ecgwas COMMAND STUDY; --help explains more):"]
    lines += [f"  {verb:<{width}}{text}" for verb, text in OF_STUDY.items()]
    lines += ["", "A trained model (ecgwas COMMAND --help explains the flags):"]
    lines += [f"  {verb:<{width}}{OF_MODEL_HELP[verb]}" for verb in OF_MODEL]
    lines += ["", "Steps of the stages, as the workflow calls them (ecgwas STAGE STEP --help explains the flags):"]
    for stage in STAGES:
        lines += [f"  {stage}", *(f"  {line}" for line in step_lines(stage))]
    return "\n".join(lines)


def step_lines(stage: str) -> list[str]:
    """A step of a stage a line: its name and what its module says first of itself."""
    width = max(len(step) for steps in STAGES.values() for step in steps) + 2
    return [f"  {step:<{width}}{first_line(module)}" for step, module in STAGES[stage].items()]


def first_line(module: str) -> str:
    """First line of the docstring of one of our modules, which is not imported."""
    path = Path(__file__).parents[1].joinpath(*module.split("."))
    with path.with_suffix(".py").open(encoding="utf-8") as file:
        return file.readline().strip().strip('"')


def unknown(kind: str, word: str, known: Iterable[str], hint: str = "") -> str:
    """There is no such thing, and what may be meant."""
    near = difflib.get_close_matches(word, list(known), 3, 0.5)
    hint = hint or (f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}")
    return f"there is no {kind} '{word}'; {hint}"


if __name__ == "__main__":
    main()
