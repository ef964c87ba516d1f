"""Which planted loci each model found, over the demonstration's seeds: a table from results that `make demo` made."""

import argparse
import json
from pathlib import Path

import polars as pl

RESULTS = Path(__file__).resolve().parents[1] / "results"
HEAD = "| seed | model | found | weakest −log10 p | sets holding | median size | null loci | mean λGC, null [99 %] |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder with demo, demo-seed2, …")
    folders = sorted(parser.parse_args().results.glob("demo*/recovery/demo"))
    pooled: dict[str, list[int]] = {}
    print(HEAD, "|---|---|---|---|---|---|---|---|", sep="\n")
    for folder in folders:
        seed = folder.parts[-3].removeprefix("demo").removeprefix("-seed") or "1"
        for path in sorted(folder.glob("*.json")):
            told, loci = json.loads(path.read_text()), pl.read_csv(path.with_suffix(".tsv"), separator="\t")
            sets = [told["n_credible_sets_holding"], told["n_credible_sets"], told["n_found"], told["n_planted"]]
            pooled[path.stem] = [a + b for a, b in zip(pooled.get(path.stem, [0] * 4), sets, strict=True)]
            low, high = told["mean_lambda_gc_null_low"], told["mean_lambda_gc_null_high"]
            cells = [seed, path.stem, f"{sets[2]} of {sets[3]}", f"{loci['best_neg_log10_p'].min():.1f}"]
            cells += [f"{sets[0]} of {sets[1]}", f"{told['median_credible_set_size'] or 0:g}"]
            cells += [
                f"{told['false_loci_null_chromosomes']}",
                f"{told['mean_lambda_gc_null']:.3f} [{low:.3f}, {high:.3f}]",
            ]
            print("| " + " | ".join(cells) + " |")
    names = ("sets_holding", "sets", "found", "planted")
    print(json.dumps({model: dict(zip(names, counts, strict=True)) for model, counts in pooled.items()}))


if __name__ == "__main__":
    main()
