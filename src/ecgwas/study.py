"""Configuration files -> one checked study: cohorts, models and settings, every path resolved."""

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import yaml

from ecgwas import config
from ecgwas.errors import UserError

BUILT_IN = {"intervals": config.Intervals(), "outcomes": config.Outcomes()}


@dataclass(frozen=True)
class Checked:
    """A study that can be built: settings, and its cohorts and models by name."""

    settings: config.Study
    cohorts: dict[str, config.Cohort]
    models: dict[str, config.Model]

    @property
    def report_model(self) -> str:
        """The model the report is about."""
        return self.settings.report.model or self.settings.models[0]

    @property
    def pretrained(self) -> list[str]:
        """The cohorts whose recordings encoders are trained on.

        Those that `pretrain` names; else every one, but with prediction the one that is learnt from: the others are
        external, and an encoder that has seen their recordings would make their scores too good.
        """
        external = self.settings.predict.outcomes and len(self.settings.cohorts) > 1
        return self.settings.pretrain or ([self.predict_train] if external else self.settings.cohorts)

    @property
    def predict_model(self) -> str:
        """The model whose encoder predicts diseases."""
        return self.settings.predict.model or self.report_model

    @property
    def predict_train(self) -> str:
        """The cohort that predictors are fitted to; all others are external."""
        return self.settings.predict.train or self.settings.cohorts[0]


def check(values: dict[str, Any], root: Path) -> Checked:
    """Check the keys of a study file and of every cohort and model file it names.

    `root` is the project's folder: it holds config/ and relative paths start there.
    Raises `UserError` that names the file, the key and what to write.
    """
    values = _with_montage(values, root)
    settings = _resolve(_validate(config.Study, values, "the study's config"), root)
    _check_files(settings, Path("the study's config"))
    _no_repeats(settings.cohorts, "cohorts")
    _no_repeats(settings.models, "models")
    _no_repeats(settings.pretrain, "pretrain")
    if others := [name for name in settings.pretrain if name not in settings.cohorts]:
        raise UserError(f"pretrain: '{others[0]}' is not among cohorts: {', '.join(settings.cohorts)}")
    cohorts = {name: load_cohort(name, root) for name in settings.cohorts}
    models = {name: load_model(name, root) for name in settings.models}
    unnamed = [name for name, cohort in cohorts.items() if not cohort.outcomes]
    if unnamed and any(model.kind == "outcomes" for model in models.values()):
        raise UserError(
            "models: outcomes needs 0/1 columns of the people table; write `outcomes: [...]` in"
            f" config/cohorts/{unnamed[0]}.yaml"
        )
    if settings.report.model and settings.report.model not in models:
        raise UserError(f"report.model: '{settings.report.model}' is not among models: {', '.join(models)}")
    checked = Checked(settings, cohorts, models)
    if settings.predict.outcomes:
        _check_predict(checked)
    return checked


def _check_predict(checked: Checked) -> None:
    """Stop where predictors cannot be fitted: another kind of model, no such cohort, an outcome without a source."""
    predict, models, model = checked.settings.predict, checked.models, checked.predict_model
    if model not in models or models[model].kind != "transformer":
        able = [name for name, m in models.items() if m.kind == "transformer"]
        hint = f"write one of {', '.join(able)}" if able else "add a transformer to models"
        raise UserError(f"predict.model: '{model}' is no transformer among models; {hint}")
    if checked.predict_train not in checked.cohorts:
        raise UserError(f"predict.train: '{predict.train}' is not among cohorts: {', '.join(checked.cohorts)}")
    for name, outcome in predict.outcomes.items():
        if bool(outcome.codes) == bool(outcome.column):
            raise UserError(f"predict.outcomes.{name}: write either codes or column")
        if outcome.column and outcome.kind == "incident":
            raise UserError(f"predict.outcomes.{name}: an incident outcome needs dates; write codes, not column")
        train = checked.cohorts[checked.predict_train]
        if outcome.codes and (train.labels is None or not (train.labels.statements or train.labels.diagnoses)):
            raise UserError(
                f"predict.outcomes.{name}: cohort {train.cohort} has no codes; write labels: {{statements: …}} or"
                f" labels: {{diagnoses: …}} in config/cohorts/{train.cohort}.yaml"
            )
    not_made = set(checked.settings.interpret.methods) - set(predict.methods)
    if not_made:
        raise UserError(f"interpret.methods: {', '.join(sorted(not_made))} is not among predict.methods")


def _with_montage(values: dict[str, Any], root: Path) -> dict[str, Any]:
    """`values` with the keys of the montage that `ingest.montage` names; keys of the study's own block come first."""
    ingest = values.get("ingest")
    if not isinstance(ingest, dict) or not isinstance(ingest.get("montage"), str):
        return values
    path = root / "config" / "montages" / f"{ingest['montage']}.yaml"
    _named_file(path, "ingest.montage", ingest["montage"])
    montage = _read_yaml(path)
    _validate(config.Ingest, montage, str(path))
    return values | {"ingest": montage | ingest}


def load_cohort(name: str, root: Path) -> config.Cohort:
    """Read config/cohorts/{name}.yaml, resolve its paths and check that its files exist."""
    folder = root / "config" / "cohorts"
    path = folder / f"{name}.yaml"
    _named_file(path, "cohorts", name)
    for other in sorted(folder.glob("*.yaml")):
        declared = _read_yaml(other).get("cohort")
        if declared == name and other != path:
            raise UserError(f"{other}: cohort '{name}' is also the cohort of {path}; give each file its own name")
    cohort = _validate(config.Cohort, _expand(_read_yaml(path)), str(path))
    if cohort.cohort != name:
        raise UserError(f"{path}: cohort is '{cohort.cohort}'; write 'cohort: {name}', the name of the file")
    cohort = _resolve(cohort, root)
    _check_files(cohort, path)
    _check_indices(cohort, path)
    return simulated(cohort) if cohort.simulate else _complete(cohort, path)


def load_model(name: str, root: Path) -> config.Model:
    """Read config/models/{name}.yaml; `intervals` and `outcomes` are built in."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    path = root / "config" / "models" / f"{name}.yaml"
    _named_file(path, "models", name)
    model = _validate(pydantic.TypeAdapter(config.Model), _read_yaml(path), str(path))
    if model.kind == "table" and not model.path.startswith("simulated/"):
        return model.model_copy(update={"path": os.path.normpath(root / model.path)})
    return model


def simulated(cohort: config.Cohort) -> config.Cohort:
    """The cohort with its files, and `labels`, at the paths its simulation writes, relative to the results."""
    folder = Path("simulated") / cohort.cohort
    ecg = config.EcgSource(format="wfdb", path=folder / "ecg", recordings=folder / "recordings.csv")
    if cohort.simulate.kind == "spike":
        genotypes = cohort.simulate.genotypes
    elif cohort.simulate.genotype_format == "none":
        genotypes = None
    else:
        stem, suffixes = folder / "genotypes", {"plink": ".bed", "vcf": ".vcf.gz", "bgen": ".bgen"}
        kind = cohort.simulate.genotype_format
        genotypes = config.GenotypeSource(
            format=kind,
            paths=[stem.with_suffix(suffixes[kind])],
            sample_file=stem.with_suffix(".sample") if kind == "bgen" else None,
            build="GRCh37",
        )
    tables = {"people": folder / "people.csv", "id_bridge": folder / "id_bridge.csv" if genotypes else None}
    if cohort.simulate.kind == "cohort" and cohort.labels is None:
        dated = {name: folder / f"{name}.csv" for name in ("statements", "diagnoses", "followup")}
        tables["labels"] = config.Labels(codes_column="codes", time_column="time", **dated)
    return cohort.model_copy(update={"ecg": ecg, "genotypes": genotypes, **tables})


def _validate(kind: Any, values: dict[str, Any], where: str) -> Any:
    adapter = kind if isinstance(kind, pydantic.TypeAdapter) else pydantic.TypeAdapter(kind)
    try:
        return adapter.validate_python(values)
    except pydantic.ValidationError as error:
        raise UserError(f"{where}:\n" + "\n".join("  " + _explain(e, kind) for e in error.errors())) from None


def _explain(error: dict[str, Any], kind: Any) -> str:
    """One pydantic error as `key: what is wrong; what to write`."""
    key = ".".join(str(part) for part in error["loc"]) or "(top)"
    if error["type"] == "extra_forbidden":
        known = _known_keys(kind)
        near = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
        return f"{key}: there is no such key" + (f"; did you mean '{near[0]}'?" if near else "; see config/README.md")
    if error["type"] == "missing":
        return f"{key}: this key is required; see config/README.md"
    return f"{key}: {error['msg']}; got {error['input']!r}"


def _known_keys(kind: Any) -> list[str]:
    schema = kind.json_schema() if isinstance(kind, pydantic.TypeAdapter) else kind.model_json_schema()
    blocks = [schema, *schema.get("$defs", {}).values()]
    return sorted({name for block in blocks for name in block.get("properties", {})})


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected keys and values, got {type(values).__name__}")
    return values


def _named_file(path: Path, key: str, name: str) -> None:
    if path.is_file():
        return
    known = sorted(p.stem for p in path.parent.glob("*.yaml"))
    known += list(BUILT_IN) if key == "models" else []
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known) or 'none'}"
    raise UserError(f"{key}: '{name}' has no file {path}; {hint}")


def _no_repeats(names: list[str], key: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(f"{key}: {', '.join(repeated)} stands more than once; name each once")


def _expand(value: Any) -> Any:
    """Replace ${NAME} and ${NAME:-default} in every string by the environment's value."""
    if isinstance(value, dict):
        return {key: _expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item) for item in value]
    if not isinstance(value, str):
        return value
    variable = r"\$\{(\w+)(?::-([^}]*))?\}"
    return re.sub(variable, lambda m: os.environ.get(m[1], m[0] if m[2] is None else m[2]), value)


def _resolve(block: Any, root: Path) -> Any:
    """Make every relative path of a block absolute, from `root`: jobs run in the results folder."""
    if isinstance(block, pydantic.BaseModel):
        resolved = {name: _resolve(getattr(block, name), root) for name in type(block).model_fields}
        return block.model_copy(update=resolved)
    if isinstance(block, list):
        return [_resolve(item, root) for item in block]
    return Path(os.path.normpath(root / block)) if isinstance(block, Path) else block


def _check_files(block: Any, where: Path, key: str = "") -> None:
    if isinstance(block, pydantic.BaseModel):
        for name in type(block).model_fields:
            _check_files(getattr(block, name), where, f"{key}.{name}" if key else name)
    elif isinstance(block, list):
        for item in block:
            _check_files(item, where, key)
    elif isinstance(block, Path) and not block.exists():
        raise UserError(f"{where}: {key}: no such file: {block}; correct the path or put the file there")


def _check_indices(cohort: config.Cohort, where: Path) -> None:
    """A FASTA must have its index: one made in passing would be a new input, and the stage would run twice."""
    for path in cohort.genotypes.indices() if cohort.genotypes else []:
        if not path.exists():
            run = f"run samtools faidx {cohort.genotypes.fasta}"
            raise UserError(f"{where}: genotypes.fasta: no such index: {path}; {run}")


def _complete(cohort: config.Cohort, path: Path) -> config.Cohort:
    needed = ("ecg", "people") if cohort.genotypes else ("ecg",)
    missing = [key for key in needed if getattr(cohort, key) is None]
    if missing:
        raise UserError(f"{path}: {', '.join(missing)} required unless the cohort is simulated; see config/README.md")
    return cohort
