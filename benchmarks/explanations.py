"""Do explanations find what was planted? Simulated disease that scales one wave, or a pair of leads, and nothing else.

For each disease an encoder is trained from new weights; the share of occlusion and of integrated-gradient mass in what
was planted is printed beside the share of time, before and after the weights are shuffled.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch

from ecgwas import config
from ecgwas.config import LEADS
from ecgwas.embed.embedder import as_recording
from ecgwas.encoder.statistics import statistics
from ecgwas.encoder.tokens import Signals as Tensors
from ecgwas.encoder.tokens import on_device
from ecgwas.ingest.process import Processed, process
from ecgwas.interpret.predictors import maps, reference_shapes, sanity_checks, summary
from ecgwas.interpret.predictors.segments import SEGMENTS, Layout, Unexplained, layout, time_shares
from ecgwas.predict.methods.networks import EncoderNetwork, Network, make_network
from ecgwas.signals.data import Batch, Signals, coded, in_units
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings
from ecgwas.stats.discrimination import auroc

INGEST = config.Ingest()
FACTOR = 1.6  # of what the disease scales
NOISE_MV = 0.03  # added in training
INDEPENDENT = [LEADS.index(name) for name in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")]


@dataclass(frozen=True)
class World:
    """Recordings of people of whom half have the disease."""

    batch: Batch
    tensors: Tensors
    case: np.ndarray  # bool [n]
    statistics: dict[str, torch.Tensor]


def planted(disease: str) -> np.ndarray:
    """Cells [lead, segment] that a disease changes."""
    out = np.zeros((len(LEADS), len(SEGMENTS)), bool)
    if disease == "leads":
        out[[LEADS.index("V1"), LEADS.index("V2")]] = True
    else:
        out[:, SEGMENTS.index(disease)] = True
    return out


def simulated(disease: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts [2n, 12, samples] at 500 Hz, microvolts, and who has the disease: person k, and k + n the same with it.

    Twins differ in nothing else, not even in noise, so that nothing else can be learnt from few people.
    """
    rng, rhythm = np.random.default_rng([seed, 1]), np.full(n, "sinus")
    people = {k: np.clip(p.mean + p.sd * rng.standard_normal(n), p.low, p.high) for k, p in PARAMETERS.items()}
    ill = dict(people)
    if disease in ("P", "T"):
        ill[f"{disease.lower()}_amplitude_mv"] = FACTOR * people[f"{disease.lower()}_amplitude_mv"]
    counts = [simulate_recordings(one, rhythm, np.random.default_rng([seed, 2])) for one in (people, ill)]
    counts = np.concatenate(counts).astype(float)
    if disease == "leads":
        counts[n:, [LEADS.index("V1"), LEADS.index("V2")]] *= FACTOR
    return counts, np.arange(2 * n) >= n


def made(disease: str, n: int, seed: int) -> World:
    """Simulated and ingested recordings."""
    counts, case = simulated(disease, n, seed)
    n = len(counts)
    ingested: list[Processed] = [process(as_recording(x / 1000, 500.0, list(LEADS), "mV"), INGEST) for x in counts]
    strip, beat = np.stack([one.strip for one in ingested]), np.stack([one.beat for one in ingested])
    rr = np.array([one.recording["rr_ms"] for one in ingested], np.float32)
    batch = Batch(strip, beat, rr, np.ones(n, bool), np.arange(n))
    ids = [str(k) for k in range(n)]
    table = pl.DataFrame({"recording_id": ids, "person_id": ids, "row": range(n), "strip_row": range(n), "rr_ms": rr})
    table = coded(table.with_columns(file=pl.lit(0), bucket=pl.lit(0), cohort=pl.lit("c"), unit=pl.lit("mV")))
    found = statistics(Signals(table, [{0: strip}], [beat], strip.shape[2], [{}]), seed)
    tensors = on_device(batch, torch.device("cpu"))
    return World(batch, tensors, case, {k: torch.from_numpy(x) for k, x in found.items()})


def stored(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Strips and median beats, mV, of recordings [n, 12, samples] at 500 Hz, microvolts."""
    found = [process(as_recording(x / 1000, 500.0, list(LEADS), "mV"), INGEST) for x in counts]
    return in_units(np.stack([one.strip for one in found])), in_units(np.stack([one.beat for one in found]))


def trained(world: World, train: np.ndarray, steps: int, seed: int) -> EncoderNetwork:
    """A small encoder with a linear head that learnt the disease from rows `train`."""
    settings = config.Transformer(width=32, depth=2, heads=2, embedding=32, head_rank=16)
    checkpoint = {
        "kind": "transformer", "settings": settings.model_dump(), "ingest": INGEST.model_dump(),
        "statistics": world.statistics,
    }  # fmt: skip
    network, rng = make_network("supervised", ["disease"], checkpoint, seed), np.random.default_rng([seed, 3])
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    y = torch.from_numpy(world.case.astype(np.float32))
    for _ in range(steps):
        twins = rng.choice(train, 16, replace=False)
        rows = torch.from_numpy(np.concatenate([twins, twins + len(y) // 2]))
        signals = noisy(world.tensors[rows], rng)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network.logits(signals)[:, 0], y[rows])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return network.eval()


def noisy(signals: Tensors, rng: np.random.Generator) -> Tensors:
    """Signals with noise, so that a network learns to look away from it."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    strip = signals.strip + NOISE_MV * torch.randn(signals.strip.shape, generator=generator)
    beat = signals.beat + NOISE_MV / 2 * torch.randn(signals.beat.shape, generator=generator)
    return replace(signals, strip=strip, beat=beat)


def layouts(world: World, rows: np.ndarray) -> Iterator[tuple[int, Layout]]:
    """Recordings whose segments can be found."""
    for row in rows:
        strip, beat = (in_units(x[row]) for x in (world.batch.strip, world.batch.beat))
        try:
            yield int(row), layout(strip, beat, INGEST)
        except Unexplained:
            continue


def measured(network: Network, world: World, disease: str, rows: np.ndarray, shape: np.ndarray) -> dict[str, float]:
    """Share of each table's mass that lies in what was planted, by the name of the table.

    Of the mean table of the recordings, as the pipeline's summary has it; of maps also the mean share of one
    recording's table (`_one`), and of its samples before they are summed by cell (`_samples`), where what goes up and
    what goes down both count.
    """
    cells, found, times = planted(disease), [], []
    for row, segments in layouts(world, rows):
        found.append(maps.explained(network, world.tensors[torch.tensor([row])], 0, shape, 32))
        times.append((cells * time_shares(segments)).sum() / (8 if disease == "leads" else 12))  # 8 leads are seen
    out = {"time": float(np.mean(times))}
    for by in ("line", "usual"):
        out[f"occlusion_{by}"] = share_of(summary.mean_table([one.occlusions[by] for one in found]), cells)
    for name in found[0].maps:
        tables = [one.maps[name].value for one in found]
        out[name] = share_of(summary.mean_table(tables), cells)
        out[f"{name}_one"] = float(np.mean([share_of(table, cells) for table in tables]))
        out[f"{name}_samples"] = float(np.mean([one.maps[name].share[cells].sum() for one in found]))
    return out


def share_of(table: np.ndarray, cells: np.ndarray) -> float:
    """Part of the absolute values of a table [lead, segment] in `cells`, of the leads that are no sums of others."""
    mass = np.abs(np.nan_to_num(table))[INDEPENDENT]
    return float(mass[cells[INDEPENDENT]].sum() / mass.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--tested", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--diseases", nargs="+", default=["T", "P", "leads"])
    given, out = parser.parse_args(), {}
    n = given.people
    for disease in given.diseases:
        world, train = made(disease, n, 1), np.arange(n - given.tested)
        test = np.arange(n - given.tested, n)
        network = trained(world, train, given.steps, 1)
        with torch.no_grad():
            logits = network.logits(world.tensors[torch.from_numpy(np.concatenate([test, test + n]))])[:, 0].numpy()
        out[f"{disease}_auroc"] = auroc(np.arange(len(logits)) >= given.tested, logits)
        healthy = layouts(world, train[:100])
        shape = reference_shapes.mean_shapes(
            [reference_shapes.shapes(world.tensors.strip[r].numpy(), f.strip) for r, f in healthy]
        )
        for name, one in (("", network), ("random_", sanity_checks.randomised(network, 1))):
            told = measured(one, world, disease, test + n, shape)
            out |= {f"{disease}_{name}{key}": round(value, 3) for key, value in told.items()}
        print({key: value for key, value in out.items() if key.startswith(disease)}, flush=True)
    print(json.dumps(out))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
