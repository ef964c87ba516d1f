"""A fitted predictor and its evaluation -> one folder that scores ECG files: weights, settings, model card."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import safetensors
import safetensors.torch
import torch

import ecgwas
from ecgwas import config, tables
from ecgwas.checkpoints import checkpoint as files
from ecgwas.checkpoints.released import checksum
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import atomic
from ecgwas.predict.methods import networks

FORMAT = 1  # of the folder; another one is refused
MODEL, CONFIG, CARD_FILE = "model.safetensors", "config.json", "README.md"

CARD = """---
license: {licence}
library_name: ecgwas
tags: [electrocardiogram, prediction, {method}]
---
# {name}

Logits and probabilities of {outcomes} from an electrocardiogram:

```
python -m ecgwas.predict.release.apply --bundle FOLDER --ecgs FOLDER_OF_FILES --out scores.csv
```

**Not a medical device.** For research: nothing here was tested for the diagnosis or care of a patient.

| | |
|---|---|
| method | {method} |
| training recordings | {train} |
| fewest leads | {min_leads} |
| made by | ecgwas {version} |
| licence | {licence} |
| sha256 of the tensors | `{sha256}` |

## Outcomes

{definitions}

## Discrimination and calibration

{performance}

## At the threshold, the same for every cohort

{thresholds}

## Subgroups: the widest gaps

{subgroups}

**Intended use.** Research on recordings like those it was trained on: resting ECGs of adults, in mV.
**Limits.** Device, site and population shift scores; a threshold carried to another population has another sensitivity
and specificity, as above; probabilities follow the prevalence of the training cohort. Labels are those of the records,
with their errors.
"""


def flatten(value: Any, at: str = "") -> tuple[dict[str, torch.Tensor], Any]:
    """Tensors by path, parts joined with '/', and the rest, dictionaries of tensors emptied of them."""
    if not isinstance(value, dict):
        return {}, value
    tensors, rest = {}, {}
    for name, x in value.items():
        if isinstance(x, torch.Tensor):
            tensors[f"{at}{name}"] = x.contiguous()
        else:
            below, rest[name] = flatten(x, f"{at}{name}/")
            tensors |= below
    return tensors, rest


def unflatten(tensors: dict[str, torch.Tensor], rest: dict[str, Any]) -> dict[str, Any]:
    """Inverse of `flatten`."""
    for path, x in tensors.items():
        *above, name = path.split("/")
        place = rest
        for part in above:
            place = place.setdefault(part, {})
        place[name] = x
    return rest


def save(predictor: dict[str, Any], path: Path) -> str:
    """Write the predictor as safetensors; the header's one entry holds all that is no tensor. Returns the checksum."""
    tensors, rest = flatten(predictor)
    sha256 = checksum(tensors)
    about = json.dumps({"sha256": sha256, "predictor": rest}, sort_keys=True)  # one entry: their order is not fixed
    safetensors.torch.save_file(tensors, path, {"ecgwas": about})
    return sha256


def load(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Predictor and settings of a bundle; raises `UserError` where it is damaged, or of another version."""
    try:
        settings = json.loads((folder / CONFIG).read_text())
        with safetensors.safe_open(folder / MODEL, "pt") as file:
            about = json.loads((file.metadata() or {})["ecgwas"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: not a readable bundle ({type(error).__name__}: {error}); fetch it again") from None
    if settings.get("format") != FORMAT:
        raise UserError(f"{folder}: a bundle of format {settings.get('format')}, this ecgwas reads {FORMAT}; use ecgwas"
                        f" {settings.get('ecgwas')}")  # fmt: skip
    if not checksum(tensors) == about["sha256"] == settings["sha256"]:
        raise UserError(f"{folder}: its tensors do not have the sha256 {settings['sha256']} it states; fetch it again")
    return unflatten(tensors, about["predictor"]), settings


def of_method(entry: tables.Table, path: Path | None, method: str) -> pl.DataFrame | None:
    """Rows of a table of the evaluation that are of the method; None where there is no table."""
    if path is None:
        return None
    table = entry.read(path).filter(pl.col("method") == method)
    return table.filter(pl.col("label_share") == 1.0) if "label_share" in table.columns else table


def value_of(table: pl.DataFrame | None, outcome: str, column: str, **wanted: str) -> float | None:
    """The first number of an outcome, where there is one."""
    if table is None or table.is_empty():
        return None
    found = table.filter(pl.col("outcome") == outcome, *(pl.col(k) == v for k, v in wanted.items()))[
        column
    ].drop_nulls()
    return float(found[0]) if len(found) else None


def outcome_entry(predictor: dict[str, Any], name: str, performance: Any, thresholds: Any) -> dict[str, Any]:
    """Entry of one outcome in config.json."""
    platt = [value_of(performance, name, "value", metric=f"platt_{part}") for part in ("slope", "intercept")]
    return {
        "name": name,
        "definition": predictor["settings"]["outcomes"][name],
        "threshold": value_of(thresholds, name, "threshold"),
        "calibration": None if None in platt else {"slope": platt[0], "intercept": platt[1]},
    }


def markdown(table: pl.DataFrame | None, columns: list[str]) -> str:
    """A table of the card; "Not evaluated." without one."""
    if table is None or table.is_empty():
        return "Not evaluated."
    cells = [["" if x is None else f"{x:.3f}" if isinstance(x, float) else str(x) for x in row]
             for row in table.select(columns).rows()]  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in [columns, ["---"] * len(columns), *cells])


def widest(table: pl.DataFrame | None) -> pl.DataFrame | None:
    """The ten groups whose AUROC is farthest from that of everybody else."""
    if table is None:
        return None
    known = table.filter(pl.col("metric") == "auroc", pl.col("gap").is_not_null())
    return known.sort(pl.col("gap").abs(), descending=True).head(10)


def card(predictor: dict[str, Any], settings: dict[str, Any], judged: dict[str, pl.DataFrame | None]) -> str:
    """README.md."""
    shown = ("auroc", "auprc", "brier", "slope", "intercept", "ece")
    performance = judged["performance"]
    told = None if performance is None else performance.filter(pl.col("metric").is_in(shown), pl.col("split") == "test")
    thresholds = judged["thresholds"]
    carried = None if thresholds is None else thresholds.filter(pl.col("split") == "test")
    interval = ["value", "low", "high"]
    names = [outcome["name"] for outcome in settings["outcomes"]]
    return CARD.format(
        name=settings["name"],
        licence=settings["licence"],
        method=predictor["method"],
        outcomes=", ".join(names),
        train=predictor["train"],
        min_leads=settings["preprocessing"]["min_leads"],
        version=settings["ecgwas"],
        sha256=settings["sha256"],
        definitions="\n".join(f"- {o['name']}: `{json.dumps(o['definition'])}`" for o in settings["outcomes"]),
        performance=markdown(told, ["cohort", "outcome", "metric", *interval, "n", "n_cases"]),
        thresholds=markdown(carried, ["cohort", "outcome", "threshold", "metric", *interval, "n"]),
        subgroups=markdown(
            widest(judged["subgroups"]), ["cohort", "outcome", "column", "group", "value", "gap", "gap_low", "gap_high"]
        ),
    )


def main(
    predictor: Path,
    name: str,
    settings: config.Release,
    bundle: Path,
    performance: Path | None = None,
    thresholds: Path | None = None,
    subgroups: Path | None = None,
) -> None:
    """Export a fitted network as one folder; equal inputs give equal bytes.

    Args:
        predictor: What predict.fit wrote, of a method with a network.
        name: What the card calls it.
        settings: The `release` block, for the licence.
        bundle: Written: the folder, with model.safetensors, config.json and README.md.
        performance: performance.parquet of the evaluation; without it the card has none.
        thresholds: thresholds.parquet, likewise.
        subgroups: subgroups.parquet, likewise.
    """
    if not settings.licence:
        raise UserError("release.licence is not set; name the licence that the training recordings allow, as SPDX id")
    network, fitted = networks.load(predictor), files.load(predictor)
    judged = {
        "performance": of_method(tables.PREDICT_PERFORMANCE, performance, network.method),
        "thresholds": of_method(tables.PREDICT_THRESHOLDS, thresholds, network.method),
        "subgroups": of_method(tables.PREDICT_SUBGROUPS, subgroups, network.method),
    }
    entries = [outcome_entry(fitted, o, judged["performance"], judged["thresholds"]) for o in network.outcomes]
    with atomic(bundle) as folder:
        folder.mkdir()
        about = {"format": FORMAT, "ecgwas": ecgwas.__version__, "name": name, "method": network.method}
        about |= {"licence": settings.licence, "sha256": save(fitted, folder / MODEL), "outcomes": entries}
        about |= {"preprocessing": network.ingest.model_dump(mode="json")}
        (folder / CONFIG).write_text(json.dumps(about, indent=1) + "\n")
        (folder / CARD_FILE).write_text(card(fitted, about, judged))
    print(f"{bundle}: {network.method} of {', '.join(network.outcomes)}", flush=True)


if __name__ == "__main__":
    run(main)
