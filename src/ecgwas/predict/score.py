"""A predictor and a cohort's recordings -> the logit of every outcome, a row a recording."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ecgwas.cli import run
from ecgwas.embed.embed import check_signals
from ecgwas.embed.windows import summarise
from ecgwas.errors import UserError
from ecgwas.files import write_parquet
from ecgwas.predict import networks
from ecgwas.predict.fit import TABLES
from ecgwas.pretrain import checkpoint as files
from ecgwas.pretrain import data
from ecgwas.pretrain.tokens import on_device
from ecgwas.pretrain.train import set_threads


def encoder(network: torch.nn.Module):
    """The network as a function of a batch: logits [B, O], NaN where there is nothing to see."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).eval()

    @torch.no_grad()
    def encode(batch: data.Batch) -> np.ndarray:
        return network.logits(on_device(batch, device)).cpu().numpy()

    return encode


def of_signals(predictor: dict[str, Any], signals: data.Signals, batch: int, path: Path) -> np.ndarray:
    """Logits [recording, outcome] in the order of the signals' table; of long recordings the mean over windows."""
    check_signals(signals, predictor["checkpoint"], path)
    return summarise(encoder(networks.from_dict(predictor)), signals, batch).mean


def to_table(ids: pl.DataFrame, logits: np.ndarray, predictor: dict[str, Any]) -> pl.DataFrame:
    """tables.SCORES and a column an outcome; outcomes that nothing could be learnt of are null."""
    columns = [pl.Series(name, logits[:, k], pl.Float64).fill_nan(None) for k, name in enumerate(predictor["outcomes"])]
    table = ids.select("recording_id", "person_id").with_columns(
        method=pl.lit(predictor["method"]),
        share=pl.lit(predictor["label_share"]),
        draw=pl.lit(predictor["label_draw"], pl.Int32),
    )
    unseen = pl.Series(np.isnan(logits).all(1))
    reason = pl.when(unseen).then(pl.lit("nothing_to_see")).otherwise(None).alias("reason")
    return table.with_columns(reason).with_columns(columns)


def main(
    predictor: Path,
    recordings: Path,
    strips: list[Path],
    beats: list[Path],
    labels: Path,
    scores: Path,
    intervals: Path | None = None,
    batch: int = 64,
    threads: int = 1,
) -> None:
    """Score the recordings of a cohort that count.

    Args:
        predictor: A predictor of ecgwas.predict.fit.
        recordings: The cohort's recordings.parquet.
        strips: Its shards of rhythm strips.
        beats: Its shards of median beats, and of windows of longer recordings.
        labels: Its labels.parquet: which recordings count, age and sex.
        scores: Written: a logit an outcome, a row a recording.
        intervals: Its intervals.parquet, for method intervals.
        batch: Recordings a batch; does not change the numbers.
        threads: CPU threads.
    """
    set_threads(threads)
    fitted = files.load(predictor)
    if fitted.get("kind") != "predictor":
        raise UserError(f"{predictor}: not a predictor of ecgwas.predict.fit")
    table = pl.read_parquet(labels)
    if fitted["method"] in TABLES:
        logits = import_module("ecgwas.predict.classical").score(fitted, table, intervals)
    else:
        signals = data.open_signals([recordings], strips, beats)
        counted = signals.table.filter(pl.col("recording_id").is_in(table["recording_id"].to_list()))
        mine = data.Signals(**(vars(signals) | {"table": counted}))
        found = of_signals(fitted, mine, batch, predictor)
        place = pl.DataFrame({"recording_id": counted["recording_id"], "place": np.arange(counted.height)})
        joined = table.select("recording_id").join(place, on="recording_id", how="left", maintain_order="left")
        if joined["place"].null_count():
            lost = joined.filter(pl.col("place").is_null())["recording_id"][0]
            raise UserError(f"{labels}: recording {lost!r} is not in {recordings}; make the labels again")
        logits = found[joined["place"].to_numpy()]
    write_parquet(to_table(table, logits, fitted), scores)
    print(f"{table.height} recordings scored by {fitted['method']}: {', '.join(fitted['outcomes'])}", flush=True)


if __name__ == "__main__":
    run(main)
