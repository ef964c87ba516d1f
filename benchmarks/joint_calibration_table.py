"""Counts and powers that joint_calibration.py appended to its output -> rates with bounds, ratios of power."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

LEVELS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
COMMON = 0.3  # minor alleles a person
PEOPLE = 2801
ALL = 0.999995  # share with a joint p that is printed as 1 and not named
FEWEST = 5  # expected counts below which a rate is not printed


def known(out: Path) -> list[dict]:
    """Lines of the output."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def append(out: Path, line: dict) -> None:
    """One more."""
    with out.open("a") as file:
        file.write(json.dumps(line) + "\n")


@dataclass(frozen=True)
class Rate:
    """Tests with p below a level, over those expected, with 99 % bounds of independent (Poisson) counts."""

    ours: float
    low: float
    high: float
    deviation: float  # SE between batches over Poisson's; NaN of fewer than five batches
    f: float  # of the F test
    expected: float  # counts


def rate(batches: list[dict], j: int) -> Rate:
    """Of the counts of `batches` at the j-th level."""
    tests, every = (sum(b[name] for b in batches) for name in ("with_p", "tests"))
    ours, f = (sum(b[name][j] for b in batches) for name in ("ours", "f"))
    expected, weight = tests * LEVELS[j], np.array([b["with_p"] for b in batches])
    rest = np.array([b["ours"][j] for b in batches]) - ours * weight / tests
    deviation = (
        np.sqrt((rest**2 / weight).sum() / (len(batches) - 1) * tests / ours) if len(batches) > 4 and ours else np.nan
    )
    low, high = special.gammaincinv(max(ours, 1e-9), 0.005), special.gammaincinv(ours + 1, 0.995)
    return Rate(ours / expected, low / expected, high / expected, deviation, f / every / LEVELS[j], expected)


HEAD = ("part", "noise", "K", "alleles", "tests", "with p", "1e-4", "1e-5", "1e-6", "SE", "F at 1e-4", "F at 1e-5")


def summary(out: Path) -> dict:
    """Prints tables of Markdown and rates outside their bounds; names as typeI_1e4_mac20_k16 are of the worst noise."""
    rows, told, with_bounds, outside = known(out), {}, 0, 0
    cells: dict[tuple, list[dict]] = {}
    for row in rows:
        if row["part"] in ("typeI", "real"):
            cells.setdefault((row["part"], row["noise"], row["k"], row["mac"]), []).append(row)
    lines = [" | ".join(HEAD), " | ".join("---" for _ in HEAD)]
    for cell, batches in sorted(cells.items()):
        rates = [rate(batches, j) for j in range(len(LEVELS))]
        tests, share = (sum(b[name] for b in batches) for name in ("tests", "with_p"))
        told |= of_cell(cell, rates, share / tests)
        said = [f"{r.ours:.2f} ({r.low:.2f}–{r.high:.2f})" if r.expected >= FEWEST else "–" for r in rates[2:]]
        said += [f"{rates[2].deviation:.2f}", f"{rates[2].f:.1f}", f"{rates[3].f:.1f}"]
        lines.append(" | ".join([*map(str, cell), f"{tests:.1e}", f"{share / tests:.2%}", *said]))
        for level, r in zip(LEVELS, rates, strict=True):
            with_bounds += r.expected >= FEWEST
            if r.expected >= FEWEST and not r.low <= 1 <= r.high:
                outside += 1
                print(f"outside: {cell} at {level:.0e}: {r.ours:.3f} ({r.low:.3f}–{r.high:.3f}), SE {r.deviation:.2f}")
    print("\n".join(f"| {line} |" for line in lines))
    told |= {"rates_with_bounds": with_bounds, "rates_outside": outside}
    return told | of_power([row for row in rows if row["part"] == "power"])


def of_cell(cell: tuple, rates: list[Rate], share: float) -> dict[str, float]:
    """Figures of one part, noise, K and count of alleles for the last line; no rate of counts too small for one."""
    part, noise, k, mac = cell
    told = {f"share_with_joint_p_{part}_{noise}_mac{mac}_k{k}": round(share, 5)} if share < ALL else {}
    if (part, noise) != ("typeI", "worst"):
        return told
    for level, r in zip(LEVELS, rates, strict=True):
        name = f"1e{round(-np.log10(level))}_mac{mac}_k{k}"
        if r.expected >= FEWEST:
            told |= {f"typeI_{name}": round(r.ours, 3), f"typeI_f_{name}": round(r.f, 2)}
    return told


def of_power(rows: list[dict]) -> dict:
    """Power relative to the permutation test, and for common variants to F; all effects of a line together."""
    told: dict[str, float] = {}
    print("| noise | K | alleles | this test | permutation | F | ratio to permutation (SE) | ratio to F (SE) |")
    print("|---|---|---|---|---|---|---|---|")
    for row in sorted(rows, key=lambda row: (row["noise"], row["k"], row["mac"])):
        name = "common" if row["mac"] >= COMMON * PEOPLE else f"mac{row['mac']}"
        cell, said = f"{name}_k{row['k']}_{row['noise']}", []
        for other in ("permutation", "f"):
            ratio = sum(row["ours"]) / sum(row[other])
            error = np.sqrt(sum(row[f"differ_{other}"]) / row["draws"]) / sum(row[other])
            said.append(f"{ratio:.3f} ({error:.3f})")
            if other == "permutation" or name == "common":
                told[f"power_ratio_{'of_f_' * (other == 'f')}{cell}"] = round(ratio, 4)
        powers = [", ".join(f"{share:.3f}" for share in row[test]) for test in ("ours", "permutation", "f")]
        print(f"| {row['noise']} | {row['k']} | {row['mac']} | {' | '.join(powers + said)} |")
    for name in ("power_ratio_common", "power_ratio_of_f_common"):
        ratios = [ratio for key, ratio in told.items() if key.startswith(f"{name}_k")]
        if ratios:
            told[name] = min(ratios)
    return told
