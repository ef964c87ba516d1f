"""Scores and R² -> printed tables, and their figures under the names of the benchmark's last line."""

import re
from pathlib import Path

import numpy as np
from benchmarks import representation_data as data
from benchmarks import representation_physiology as physiology
from benchmarks import representation_probes as probes
from benchmarks.representation_tasks import SHARES, Labels, Scores, on_test, probed

LEAD_SETS = {12: data.LEADS, 6: data.LEADS[:6], 3: ("I", "II", "V2"), 2: ("I", "II"), 1: ("I",)}  # as in CinC 2021


def report_probes(found: dict[str, Scores], labels: Labels, n: int) -> dict[str, float | list[float]]:
    """Prints the table of scores with intervals and differences; returns them under the names of the last line.

    Intervals come of `n` resamples of the test recordings, the same for every row.
    """
    line: dict[str, float | list[float]] = {}
    n_test = len(labels.split.test)
    print(
        f"\n| task | labels | model | {n_test} recordings: score [95 % interval] | seeds | model minus it [interval] |"
    )
    print("|---|---|---|---|---|---|")
    for task in data.TASKS:
        y = labels.y[task][labels.split.test]
        weight = probes.resamples(y, n, np.random.default_rng([1]))
        for share in SHARES:
            key, name = (task, share), f"{task}_{labels.metric(task)}_{share}"
            each = {row: on_test(scores, key, labels, weight) for row, scores in found.items()}
            for row, runs in each.items():
                values = runs.mean((0, 1))
                mean, (low, high) = values[0], probes.interval(values)
                line[f"{row}_{name}"] = round(float(mean), 4)
                gap = ""
                if row != "model" and "model" in each:
                    difference = each["model"][:, : runs.shape[1]].mean((0, 1)) - values  # of the same draws
                    bounds = probes.interval(difference)
                    line[f"model_minus_{row}_{name}"] = [round(v, 4) for v in (float(difference[0]), *bounds)]
                    gap = f"{difference[0]:+.3f} [{bounds[0]:+.3f}, {bounds[1]:+.3f}]"
                seeds = " ".join(f"{v:.3f}" for v in runs.mean(1)[:, 0])
                kept = np.mean([len(rows) for rows in labels.kept[share]])
                cell = f"{mean:.3f} [{low:.3f}, {high:.3f}]"
                print(f"| {task} | {share} % ({kept:.0f}) | {row} | {cell} | {seeds} | {gap} |")
    return line


def goals(line: dict[str, float | list[float]]) -> dict[str, dict[str, bool]]:
    """Of each task, whether the model meets what is asked of it beside each baseline.

    With 10 % of the labels: the interval of its difference is above zero. With 100 %: it is behind by 0.01 at most.
    """
    out: dict[str, dict[str, bool]] = {}
    for name, values in line.items():
        if found := re.fullmatch(r"model_minus_(random|pca|supervised)_([a-z]+_(?:auroc|r2))_(10|100)", name):
            difference, low, _ = values
            met = low > 0 if found[3] == "10" else difference >= -0.01
            out.setdefault(f"{found[2]}_{found[3]}", {})[found[1]] = met
    return out


def report_leads(models: dict[str, list[Path]], cohort: Path, labels: Labels, threads: int) -> dict[str, float]:
    """Prints scores with fewer leads given, in fitting and in testing; all labels."""
    line, tasks = {}, ("superdiagnostic", "rhythm")
    print("\n| leads | model | superdiagnostic | rhythm |\n|---|---|---|---|")
    for n, leads in LEAD_SETS.items():
        given = cohort if n == 12 else data.selected(cohort, cohort.with_name(f"{cohort.name}-{n}-leads"), leads=leads)
        for row, checkpoints in models.items():
            scores = probed(checkpoints, given, labels, threads, tasks, (100,))
            none = np.empty((0, len(labels.split.test)))
            values = {task: on_test(scores, (task, 100), labels, none)[..., 0].mean() for task in tasks}
            line |= {f"{row}_{task}_auroc_100_leads_{n}": round(float(v), 4) for task, v in values.items()}
            print(f"| {n} | {row} | " + " | ".join(f"{v:.3f}" for v in values.values()) + " |")
    return line


def report_physiology(rows: dict[str, list[dict[str, float]]], title: str) -> dict[str, dict[str, float]]:
    """Prints R² of each parameter, the mean over seeds; returns them."""
    names = physiology.PARAMETERS
    print(f"\n| {title}, R² | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    out = {}
    for row, seeds in rows.items():
        out[row] = {name: round(float(np.mean([seed[name] for seed in seeds])), 4) for name in seeds[0]}
        cells = [f"{out[row][name]:.3f}" if name in out[row] else "" for name in physiology.PARAMETERS]
        print(f"| {row} | " + " | ".join(cells) + " |")
    return out
