"""A fitted predictor and a cohort's recordings -> contributions of segments and leads, and checks of faithfulness."""

from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch

from ecgwas import config, tables
from ecgwas.cli import run
from ecgwas.encoder import leads
from ecgwas.encoder.tokens import Signals, on_device
from ecgwas.errors import UserError
from ecgwas.interpret.predictors import attention, maps, reference_shapes, sanity_checks, summary
from ecgwas.interpret.predictors.maps import Explained
from ecgwas.interpret.predictors.segments import SEGMENTS, Unexplained
from ecgwas.predict.methods import networks
from ecgwas.predict.methods.networks import Network
from ecgwas.signals import data

REFERENCES = 200  # controls whose mean segments are the reference, at most
Rows = dict[tables.Table, list[dict[str, Any]]]


class Setting(NamedTuple):
    """Networks, signals and settings of an explanation."""

    networks: list[Network]  # the one explained, then those with other seeds
    signals: data.Signals
    settings: config.Interpret
    seed: int

    def read(self, row: int) -> Signals:
        """One recording on the device, [1, …]; of a long recording the first window."""
        return on_device(self.signals.read(np.array([row])), self.networks[0].device)


def chosen(labels: pl.DataFrame, scores: pl.DataFrame, outcome: str, n: int) -> pl.Series:
    """Test recordings with the highest scores; ties by recording_id."""
    table = labels.filter(split="test").join(scores.select("recording_id", score=outcome), on="recording_id")
    table = table.filter(pl.col("score").is_not_null()).sort("score", "recording_id", descending=[True, False])
    return table["recording_id"].head(n)


def usual_shapes(setting: Setting, labels: pl.DataFrame, outcome: str) -> np.ndarray:
    """Mean shapes [G, L, POINTS] of test recordings without the outcome; of all where no control is known."""
    test = labels.filter(split="test").sort("recording_id")
    column = f"y:{outcome}"
    controls = test.filter(pl.col(column) == 0) if column in test.columns else test
    controls = controls if controls.height else test
    rows, each = data.rows_of(setting.signals, controls["recording_id"].head(REFERENCES)), []
    for row in rows[rows >= 0].tolist():
        signals = setting.read(row)
        try:
            found = maps.segments_of(signals, setting.networks[0].ingest)
        except Unexplained:
            continue
        each.append(reference_shapes.shapes(signals.strip[0].cpu().numpy(), found.strip))
    n_leads = len(setting.networks[0].ingest.channels)
    return reference_shapes.mean_shapes(each or [np.full((len(SEGMENTS), n_leads, reference_shapes.POINTS), np.nan)])


def explained(setting: Setting, rows: np.ndarray, outcome: str, shape: np.ndarray) -> tuple[list, Counter]:
    """Explanations of the recordings at `rows`, [(row, Explained)], and reasons why others have none."""
    network, found, reasons = setting.networks[0], [], Counter()
    for row in rows.tolist():
        if row < 0:
            reasons["no_signals"] += 1
            continue
        try:
            k = network.outcomes.index(outcome)
            found.append((row, maps.explained(network, setting.read(row), k, shape, setting.settings.steps)))
        except Unexplained as fault:
            reasons[str(fault)] += 1
    return found, reasons


def checked(setting: Setting, found: list[tuple[int, Explained]], outcome: str, shape: np.ndarray) -> dict:
    """Values of the checks by (map, check); deletion and other networks on the first `settings.checked` recordings."""
    network, out = setting.networks[0], defaultdict(list)
    k = network.outcomes.index(outcome)
    for _, one in found:
        for key, value in one.measures.items():
            out[key].append(value)
    few, rng = found[: setting.settings.checked], np.random.default_rng([setting.seed])
    for row, one in few:
        signals = setting.read(row)
        layout = maps.segments_of(signals, network.ingest)
        for name, table in maps.tables_of(one).items():
            table = np.where(independent(network, table), table, np.nan)
            curves = sanity_checks.faithfulness(network.logits, signals, layout, network.ingest.channels, table, k, rng)
            for check, value in curves.items():
                out[name, check].append(value)
    rows = np.array([row for row, _ in few])
    shuffled = setting._replace(networks=[sanity_checks.randomised(network, setting.seed)])
    others = [setting._replace(networks=[other]) for other in setting.networks[1:]]
    means = [tables_over([one for _, one in few])]
    means += [tables_over([one for _, one in explained(s, rows, outcome, shape)[0]]) for s in (shuffled, *others)]
    for name, table in means[0].items():
        out[name, "random_weights"].append(sanity_checks.agreement(table, means[1][name]))
        pairs = combinations([means[0], *means[2:]], 2)
        for one, other in pairs:
            out[name, "seeds"].append(sanity_checks.agreement(one[name], other[name]))
    return out


def independent(network: Network, table: np.ndarray) -> np.ndarray:
    """Leads [L, 1] that are deleted one by one: no sums of other recorded leads."""
    recorded = np.isfinite(table).any(1)
    return leads.independent(recorded[None], network.ingest.channels)[0][:, None]


def tables_over(found: list[Explained]) -> dict[str, np.ndarray]:
    """By map, the mean table [L, G] over recordings."""
    each = [maps.tables_of(one) for one in found]
    return {name: summary.mean_table([one[name] for one in each]) for name in each[0]}


def outcome_rows(setting: Setting, labels: pl.DataFrame, scores: pl.DataFrame, outcome: str) -> Rows:
    """Rows of the four tables for one outcome."""
    ids = chosen(labels, scores, outcome, setting.settings.recordings)
    shape = usual_shapes(setting, labels, outcome)
    found, reasons = explained(setting, data.rows_of(setting.signals, ids), outcome, shape)
    reasons = reasons or Counter(no_scored_recording=1)
    ingest, only = setting.networks[0].ingest, [one for _, one in found]
    rows = {tables.INTERPRET_OCCLUSION: summary.occlusion_rows(only, ingest.channels, reasons)}
    if not found:
        none = {"map": None, "check": None, "value": None, "low": None, "high": None, "n": 0}
        return rows | {
            tables.INTERPRET_ATTRIBUTIONS: [],
            tables.INTERPRET_BEAT_MAPS: [],
            tables.INTERPRET_CHECKS: [none | {"reason": reasons.most_common(1)[0][0]}],
        }
    rows[tables.INTERPRET_ATTRIBUTIONS] = summary.attribution_rows(only, ingest.channels)
    rows[tables.INTERPRET_BEAT_MAPS] = summary.beat_rows(only, ingest.channels, ingest)
    rows[tables.INTERPRET_CHECKS] = summary.check_rows(checked(setting, found, outcome, shape))
    if not attention.readable(setting.networks[0]):
        none = {"map": "attention", "check": None, "value": None, "low": None, "high": None, "n": 0}
        rows[tables.INTERPRET_CHECKS].append(none | {"reason": "no_attention"})
    return rows


def to_tables(network: Network, rows: dict[str, Rows]) -> dict[tables.Table, pl.DataFrame]:
    """Rows by outcome and table -> tables."""
    every: Rows = defaultdict(list)
    for outcome, found in rows.items():
        for table, own in found.items():
            every[table] += [row | {"method": network.method, "outcome": outcome} for row in own]
    return {table: _frame(table, own) for table, own in every.items()}


def _frame(table: tables.Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, infer_schema_length=None) if rows else table.empty()
    return table.typed(frame).with_columns(pl.col(pl.Float64).fill_nan(None))


def main(
    predictor: Path,
    recordings: Path,
    strips: list[Path],
    beats: list[Path],
    labels: Path,
    scores: Path,
    settings: config.Interpret,
    occlusion: Path,
    attributions: Path,
    beat_maps: Path,
    checks_table: Path,
    others: list[Path] | None = None,
    seed: int = 1,
    threads: int = 1,
) -> None:
    """Explain a network's logits for the test recordings with the highest scores, and check the explanations.

    Args:
        predictor: A predictor written by `predict.fit`, of a network method.
        recordings: The cohort's recordings.parquet.
        strips: Its shards of rhythm strips.
        beats: Its shards of median beats.
        labels: Its labels.parquet.
        scores: Its scores by this predictor.
        settings: The `interpret` block.
        occlusion: Written: change of the logit by lead and segment (tables.INTERPRET_OCCLUSION).
        attributions: Written: integrated gradients and attention by lead and segment.
        beat_maps: Written: the same by time in the beat.
        checks_table: Written: deletion and insertion, random weights, agreement of seeds, completeness.
        others: The same predictor with other seeds, for the agreement of maps.
        seed: Seed of random orders and of shuffled weights.
        threads: CPU threads.
    """
    torch.set_num_threads(threads)
    loaded = [networks.load(path) for path in (predictor, *(others or []))]
    for path, other in zip(others or [], loaded[1:], strict=True):
        if other.outcomes != loaded[0].outcomes:
            raise UserError(
                f"{path}: predicts {', '.join(other.outcomes)}, not as {predictor}; fit it to the same outcomes"
            )
    table, scored = tables.LABELS.read(labels), tables.SCORES.read(scores)
    if missing := [name for name in loaded[0].outcomes if name not in scored.columns]:
        raise UserError(f"{scores}: no scores of {', '.join(missing)}; score the cohort with {predictor}")
    for network in loaded:
        network.requires_grad_(False)
    signals = data.open_signals([recordings], strips, beats)
    data.check_signals(signals, loaded[0].checkpoint, predictor)
    setting = Setting(loaded, signals, settings, seed)
    rows = {outcome: outcome_rows(setting, table, scored, outcome) for outcome in loaded[0].outcomes}
    made = to_tables(loaded[0], rows)
    paths = {
        tables.INTERPRET_OCCLUSION: occlusion,
        tables.INTERPRET_ATTRIBUTIONS: attributions,
        tables.INTERPRET_BEAT_MAPS: beat_maps,
        tables.INTERPRET_CHECKS: checks_table,
    }
    for entry, path in paths.items():
        entry.write(made.get(entry, entry.empty()), path)


if __name__ == "__main__":
    run(main)
