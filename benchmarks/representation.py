"""What frozen embeddings are good for: labels of PTB-XL from few and many of them, with fewer leads, and physiology.

python benchmarks/representation.py --work FOLDER [--model config/models/nano.yaml] [--generated 5000] [--quick true]

Pretraining sees no label: set-a, the PTB-XL subset's folds 1 to 5, the other real recordings of the folder (none that
is a copy of PTB-XL) and, where asked for, generated ones. Probes are fitted on folds 1 to 5 of the PTB-XL subset, fold
6 chooses, folds 7 and 8 are scored once, at the end. Beside the model stand its untrained self, principal components
of median beats and RR, and networks trained on the same labels alone. All that takes time is kept in the work folder,
so that an interrupted run goes on. The last line is JSON.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the probes' matrices are small: threads of numpy would wait for each other
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the parts below, when run as a script
from benchmarks import representation_data as recordings
from benchmarks import representation_physiology as physiology
from benchmarks import representation_report as report
from benchmarks import representation_tasks as tasks
from benchmarks.representation_models import embeddings, recipe, trained

from ecgwas.cli import run
from ecgwas.config import Pca, Transformer
from ecgwas.errors import UserError

PROJECT = Path(__file__).resolve().parents[1]
PARTS = ("probe", "supervised", "leads", "physiology")
COMPONENTS = 64  # of the PCA beside the probes


class Plan(NamedTuple):
    """How much is done."""

    draws: dict[int, int]  # label share, per cent: draws of the probes
    supervised_draws: dict[int, int]  # of these, how many the supervised networks learn from
    updates: dict[int, int]  # of the supervised networks, by label share
    trials: int  # of learning rate and weight decay, each kind of network
    resamples: int
    simulated: int  # recordings


FULL = Plan({100: 1, 10: 10, 1: 20}, {100: 1, 10: 3, 1: 3}, {100: 500, 10: 120, 1: 60}, 3, 1000, 2000)
QUICK = Plan({100: 1, 10: 2, 1: 2}, {100: 1, 10: 1, 1: 1}, {100: 5, 10: 5, 1: 5}, 1, 200, 300)
QUICK_STEPS = 30  # of pretraining


class Pool(NamedTuple):
    """Where everything is, and what pretraining may see."""

    work: Path
    ptbxl: Path  # cohort, all folds
    ptbxl_train: Path  # cohort, the folds that pretraining may see
    seta: Path
    cohorts: list[Path]  # what pretraining sees
    threads: int

    def fitted(self, name: str, settings: Transformer | Pca, seed: int, cohorts: list[Path] | None = None) -> Path:
        """Checkpoint of a recipe on the pool, or on other cohorts, each then by its size."""
        if cohorts and isinstance(settings, Transformer):
            settings = settings.model_copy(update={"cohorts": {}})
        return trained(self.work, name, settings, cohorts or self.cohorts, seed, self.threads)


@contextlib.contextmanager
def timed(what: str, times: dict[str, float]) -> Iterator[None]:
    """Print and keep how long a part took, s."""
    began = time.monotonic()
    yield
    times[what] = round(time.monotonic() - began, 1)
    print(f"\n{what}: {times[what]:.0f} s", flush=True)


def pool(folder: Path, work: Path, generated: int, threads: int) -> Pool:
    """All recordings, ingested."""
    ptbxl, seta = recordings.ptbxl(folder, work), recordings.seta(folder, work)
    labels = recordings.ptbxl_labels(folder)
    ids = labels.filter(labels["fold"].is_in(recordings.TRAIN_FOLDS))["recording_id"].to_list()
    train = recordings.selected(ptbxl, work / "cohorts" / "ptbxl-train", ids)
    cohorts = [seta, train, recordings.small_sets(folder, work)]
    cohorts += [recordings.generated(generated, work)] if generated else []
    return Pool(work, ptbxl, train, seta, cohorts, threads)


def models(pool: Pool, settings: Transformer, name: str, seeds: int) -> dict[str, list[Path]]:
    """Checkpoints of the model, its untrained self (a seed each) and PCA, fitted to the recordings that probes are."""
    untrained = settings.model_copy(update={"steps": 0})
    return {
        "model": [pool.fitted(name, settings, seed) for seed in range(1, seeds + 1)],
        "random": [pool.fitted("random", untrained, seed) for seed in range(1, seeds + 1)],
        "pca": [pool.fitted("pca", Pca(components=COMPONENTS), 1, [pool.ptbxl_train])],
    }


def simulated_physiology(
    pool: Pool, found: dict[str, list[Path]], settings: Transformer, name: str, plan: Plan, seeds: int
) -> dict[str, dict[str, dict[str, float]]]:
    """R² of the simulator's parameters: from all leads, and from lead I alone.

    The model is pretrained on these recordings, as a study pretrains on its cohorts; `model_real` on the real ones.
    """
    cohort = recordings.simulated(plan.simulated, pool.work)
    lead_one = recordings.selected(cohort, cohort.with_name(f"{cohort.name}-lead-I"), leads=("I",))
    checkpoints = {"model_real": found["model"], "random": found["random"]}
    if seeds:
        checkpoints = {"model": [pool.fitted(name, settings, s, [cohort]) for s in range(1, seeds + 1)]} | checkpoints
    width = embeddings(found["model"][0], cohort, pool.threads).shape[1]
    checkpoints["pca"] = [pool.fitted("pca", Pca(components=width), 1, [cohort])]
    out = {}
    for title, given, names in (
        ("simulated", cohort, physiology.PARAMETERS),
        ("simulated, lead I", lead_one, physiology.SINGLE_LEAD),
    ):
        truth = physiology.truth(cohort)
        x = {row: [embeddings(c, given, pool.threads) for c in paths] for row, paths in checkpoints.items()}
        rows = {row: [physiology.known(z, truth, names) for z in seed] for row, seed in x.items()}
        if given == cohort:
            first = next(iter(x))
            rows[f"{first}, {physiology.AXES} axes"] = [physiology.known_to_axes(z, truth) for z in x[first]]
        rows["oracle"] = [physiology.known_to_oracle(given, cohort, names)]
        out[title] = report.report_physiology(rows, f"{title}: {len(truth)} recordings")
    return out


def real_physiology(pool: Pool, found: dict[str, list[Path]]) -> dict[str, dict[str, float]]:
    """R² of the measured intervals of set-a."""
    width = embeddings(found["model"][0], pool.seta, pool.threads).shape[1]
    checkpoints = found | {"pca": [pool.fitted("pca", Pca(components=width), 1, [pool.seta])]}
    measured = physiology.intervals(pool.seta)
    rows = {
        row: [physiology.known(embeddings(path, pool.seta, pool.threads), measured) for path in paths]
        for row, paths in checkpoints.items()
    }
    return report.report_physiology(rows, f"set-a, measured: {len(measured)} recordings")


def main(
    work: Path,
    model: Path = PROJECT / "config" / "models" / "nano.yaml",
    data: Path | None = None,
    generated: int = 0,
    seeds: int = 3,
    simulated_seeds: int = 1,
    parts: str = ",".join(PARTS),
    encoder_effort: float = 1.0,
    quick: bool = False,
    threads: int = 2,
) -> None:
    """Print the tables and, last, one line of JSON.

    Args:
        work: folder for cohorts, models and all else that takes time; a run goes on from what is there.
        model: recipe of the encoder, a file of config/models.
        data: folder of the real recordings; the environment's ECGWAS_REALDATA where left out.
        generated: generated recordings beside the real ones in pretraining; needs the package deepfake-ecg.
        seeds: pretrainings, each with its own seed.
        simulated_seeds: pretrainings on simulated recordings, for physiology; 0 for none.
        parts: what to run, of probe, supervised, leads, physiology.
        encoder_effort: times as many updates of the supervised encoder, which may be large; 0 leaves xresnet1d alone.
        quick: a trial of a minute: one seed, few steps, few draws.
        threads: CPU threads.
    """
    wanted, times, line = parts.split(","), {}, {}
    if unknown := set(wanted) - set(PARTS):
        raise UserError(f"--parts {parts}: {', '.join(sorted(unknown))} is none of {', '.join(PARTS)}")
    plan, began = QUICK if quick else FULL, time.monotonic()
    torch.set_num_threads(threads)
    work = (work / "quick" if quick else work).resolve()
    settings = recipe(model, **({"steps": QUICK_STEPS} if quick else {}))
    seeds = 1 if quick else seeds
    folder = (data or Path(os.environ.get("ECGWAS_REALDATA", "../shared/data"))).resolve()
    with timed("recordings", times):
        found_pool = pool(folder, work, generated, threads)
        labels = tasks.labels_of(found_pool.ptbxl, folder, plan.draws)
    with timed("pretraining", times):
        found = models(found_pool, settings, model.stem, seeds)
    scores = {}
    if "supervised" in wanted:
        with timed("supervised", times):
            untrained = settings.model_copy(update={"steps": 0})
            encoder = found_pool.fitted("untrained", untrained, 1, [found_pool.ptbxl_train])
            updates = {"encoder": encoder_effort, "xresnet1d": 1.0}
            updates = {kind: {s: round(x * n) for s, n in plan.updates.items()} for kind, x in updates.items() if x}
            options = (plan.supervised_draws, updates, plan.trials, work / "supervised", threads)
            kinds = tasks.learned(found_pool.ptbxl, encoder, labels, *options)
            scores = {"supervised": tasks.better(kinds, labels)} | {
                f"supervised_{kind}": s for kind, s in kinds.items()
            }
    if "probe" in wanted:
        with timed("probe", times):
            probed = {row: tasks.probed(paths, found_pool.ptbxl, labels, threads) for row, paths in found.items()}
            scores = probed | scores
    if scores:
        with timed("scoring", times):
            line |= report.report_probes(scores, labels, plan.resamples)
            line["goals"] = report.goals(line)
    if "leads" in wanted:
        with timed("leads", times):
            line |= report.report_leads(found, found_pool.ptbxl, labels, threads)
    if "physiology" in wanted:
        with timed("physiology", times):
            line["physiology"] = simulated_physiology(found_pool, found, settings, model.stem, plan, simulated_seeds)
            line["physiology"]["set-a"] = real_physiology(found_pool, found)
    line |= {"seeds": seeds, "generated": generated, "model": model.stem, "quick": quick, "seconds": times}
    print(f"{time.monotonic() - began:.0f} s in all")
    print(json.dumps(line))


if __name__ == "__main__":
    run(main)
