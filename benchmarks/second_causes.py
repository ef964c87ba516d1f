"""Are two causes within a locus both mapped? The cohorts of tests/unit/finemap/test_regions.py, as many as asked for.

python benchmarks/second_causes.py [--pairs 40]

1,000 people, 900 common variants of a coalescent, 2 kb apart; one cause of 0.3 to 0.5 SD a standardised allele and a
second one of 0.28 to 0.42 SD 300 to 490 kb away, of another trait or of the same. Loci by `ecgwas.gwas.loci`, sets by
`ecgwas.finemap.finemap`. A set counts where its trait has a planted cause; the last line is JSON.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the part below, when run as a script
from tests.unit.finemap import test_regions as cohorts

FIRST = 400  # variant of the first cause


def pair(seed: int, same_trait: bool) -> dict[str, int]:
    """One cohort: causes in a region, in a credible set of their trait; sets, and those that hold a cause."""
    rng = np.random.default_rng([seed, same_trait])
    away = int(rng.integers(300, 490)) * 1000 // cohorts.STEP
    second, axis = FIRST + away * int(rng.choice([-1, 1])), 0 if same_trait else 1
    sizes = rng.uniform(0.3, 0.5), rng.uniform(0.28, 0.42)
    causes = [(FIRST, 0), (second, axis)]
    effects = [(v, cohorts.weights(k, size)) for (v, k), size in zip(causes, sizes, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        position = cohorts.write_cohort(Path(folder), effects, seed=1000 + seed)
        found = cohorts.mapped(Path(folder))
    places = [(int(position[variant]), f"axis{k + 1:02d}") for variant, k in causes]
    return counted(found, places)


def counted(found: dict[str, pl.DataFrame], places: list[tuple[int, str]]) -> dict[str, int]:
    """The counts of one cohort; `places`: position and trait of each cause."""
    pips, traits = found["pips"], {trait for _, trait in places}
    own = [pips.filter(position=position, trait=trait) for position, trait in places]
    sets = found["credible_sets"].filter(pl.col("trait").is_in(list(traits)))
    holding = 0
    for row in sets.iter_rows(named=True):
        inside = pips.filter(region=row["region"], trait=row["trait"], cs=row["cs"])["position"]
        holding += any(trait == row["trait"] and position in inside for position, trait in places)
    mapped = sum(rows.height > 0 for rows in own)
    in_set = sum((rows["cs"] > 0).any() for rows in own)
    return {"causes": len(places), "mapped": mapped, "in_set": in_set, "sets": sets.height, "holding": holding}


def main() -> None:
    """Run the pairs of both kinds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=40, help="cohorts of each kind")
    pairs = parser.parse_args().pairs
    total: dict[str, int] = {}
    for kind, same in (("other", False), ("same", True)):
        for seed in range(pairs):
            for name, number in pair(seed, same).items():
                total[f"{kind}_{name}"] = total.get(f"{kind}_{name}", 0) + int(number)
            print(f"{kind} trait, {seed + 1} pairs: {total}", flush=True)
    print(json.dumps({"pairs": pairs, **total}))


if __name__ == "__main__":
    main()
