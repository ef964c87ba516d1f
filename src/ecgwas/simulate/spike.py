"""Real recordings and real genotypes -> the recordings altered by planted effects of declared variants.

People and genotypes are joined at random (fixed seed): without effects the cohort is a null. Every altered parameter
also carries the declared offset between super-populations.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pgenlib
import polars as pl
from scipy import stats

from ecgwas.cli import run
from ecgwas.config import Ingest, Spike, SpikeEffect
from ecgwas.ecg.canonical import twelve_leads
from ecgwas.errors import UserError
from ecgwas.files import atomic, write_json
from ecgwas.ingest.readers import Reader, open_source
from ecgwas.signals.recording import Unreadable
from ecgwas.simulate.spike_signal import Fiducials, alter, find_fiducials
from ecgwas.simulate.wfdb_files import write_wfdb

PARAMETERS = ("qt", "t_amplitude", "pr")
DRAWN_MAF = (0.2, 0.5)
AUTOSOMES = [str(contig) for contig in range(1, 23)]
TOLD = ("contig", "position", "ref", "alt", "rsid", "parameter", "variance_explained", "beta")
LONGEST_S = 60.0
UNKNOWN = "unknown"  # population of people whom the labels lack: they get no offset
COUNTS_PER_MV, COARSE_PER_MV = 1000.0, 200.0  # of files, where the source does not say; coarse where 16 bits overflow


class Genotyped(NamedTuple):
    """The genotyped people and the variants of the PLINK files."""

    sample_ids: list[str]
    variants: pl.DataFrame  # contig, rsid, position, alt, ref, file, index
    paths: list[Path]

    def doses(self, row: dict) -> np.ndarray:
        """[sample] ALT count of one variant; missing calls at the mean."""
        calls = np.empty(len(self.sample_ids), np.int8)
        with pgenlib.PgenReader(str(self.paths[row["file"]]).encode(), len(calls)) as reader:
            reader.read(row["index"], calls)
        doses = np.where(calls < 0, np.nan, calls)
        return np.where(np.isnan(doses), np.nanmean(doses), doses)


def read_genotyped(paths: list[Path]) -> Genotyped:
    """People and variants of PLINK files that hold the same people."""
    fams = [path.with_suffix(".fam").read_text().split("\n") for path in paths]
    ids = [[line.split()[1] for line in fam if line.strip()] for fam in fams]
    if any(other != ids[0] for other in ids):
        raise UserError(f"{paths[0]}: the .fam files of the cohort differ; give files of the same people in one order")
    columns = ["contig", "rsid", "cm", "position", "alt", "ref"]
    tables = [
        pl.read_csv(path.with_suffix(".bim"), separator="\t", has_header=False, new_columns=columns, infer_schema=False)
        .with_columns(file=pl.lit(number), index=pl.int_range(pl.len()), position=pl.col("position").cast(pl.Int64))
        .drop("cm")
        for number, path in enumerate(paths)
    ]
    return Genotyped(ids[0], pl.concat(tables), paths)


def join(entries: pl.DataFrame, sample_ids: list[str], seed: int) -> pl.DataFrame:
    """`entries` of the people who got a sample_id, one person a sample, drawn at random."""
    people = entries["person_id"].unique(maintain_order=True)
    samples = np.random.default_rng([seed, 1]).permutation(sample_ids)[: len(people)]
    chosen = np.random.default_rng([seed, 2]).permutation(people.to_numpy())[: len(samples)]
    bridge = pl.DataFrame({"person_id": chosen, "sample_id": samples})
    return entries.join(bridge, on="person_id", how="inner", maintain_order="left")


def choose(effect: SpikeEffect, genotyped: Genotyped, taken: set[str], rows: np.ndarray, seed: int) -> dict:
    """The variant of one effect: the one named, or a common one of a contig not yet taken, drawn at random."""
    if effect.variant:
        named = genotyped.variants.filter(pl.col("rsid") == effect.variant)
        if named.is_empty():
            raise UserError(f"simulate.effects: variant '{effect.variant}' is in none of {genotyped.paths} (.bim)")
        return named.row(0, named=True)
    free = genotyped.variants.filter(pl.col("contig").is_in([contig for contig in AUTOSOMES if contig not in taken]))
    for index in np.random.default_rng([seed, 3, len(taken)]).permutation(free.height):
        row = free.row(int(index), named=True)
        frequency = genotyped.doses(row)[rows].mean() / 2
        if DRAWN_MAF[0] <= min(frequency, 1 - frequency) <= DRAWN_MAF[1]:
            return row
    raise UserError(f"simulate.effects: no variant of frequency {DRAWN_MAF} is left outside contigs {sorted(taken)}")


def natural_variance(values: np.ndarray) -> float:
    """Variance of the measured values, robust to failed measurements: (1.4826 MAD)², Hampel 1974."""
    finite = values[np.isfinite(values)]
    return float((1.4826 * np.median(np.abs(finite - np.median(finite)))) ** 2)


class Plan(NamedTuple):
    """Planned change of one parameter by recording, and the effects it is the sum of."""

    change: np.ndarray  # [recording] in the parameter's unit (log for t_amplitude)
    betas: list[float]  # per ALT allele, one per effect
    total_variance: float
    offsets: dict[str, float]  # by population, in the parameter's unit


def plan(
    values: np.ndarray, doses: list[np.ndarray], shares: list[float], groups: np.ndarray, population: float
) -> Plan:
    """Scale effects and offsets so that each makes its share of the altered parameter's total variance.

    With natural variance V and shares h_1 … h_k, s the total is V / (1 - Σh - s); the measured effects are uncorrelated
    with the natural values, since the join is random. The offset rises evenly over the populations in the order of
    their names, and is 0 where the population is unknown.
    """
    total = natural_variance(values) / (1 - sum(shares) - population)
    betas = [np.sqrt(share * total / dose.var()) for share, dose in zip(shares, doses, strict=True)]
    change = sum((beta * (dose - dose.mean()) for beta, dose in zip(betas, doses, strict=True)), np.zeros(len(values)))
    if not population:
        return Plan(change, betas, total, {})
    known = groups != UNKNOWN
    names, rank = np.unique(groups[known], return_inverse=True)
    if len(names) < 2:
        raise UserError("simulate.population_variance needs people of two or more super-populations; give labels")
    offset = np.zeros(len(groups))
    offset[known] = rank - rank.mean()
    size = np.sqrt(population * total) / offset.std()
    offsets = dict(zip(names.tolist(), (size * (np.arange(len(names)) - rank.mean())).tolist(), strict=True))
    return Plan(change + size * offset, betas, total, offsets)


def labels_of(samples: pl.Series, labels: Path | None) -> pl.DataFrame:
    """person rows -> sex (female, male, null) and population (UNKNOWN where the labels lack the sample)."""
    if labels is None:
        return pl.DataFrame({"sex": [None] * len(samples), "population": [UNKNOWN] * len(samples)})
    table = pl.read_csv(labels, separator="\t", infer_schema=False, truncate_ragged_lines=True)
    lacking = {"sample", "super_pop", "gender"} - set(table.columns)
    if lacking:
        raise UserError(f"{labels}: columns {sorted(lacking)} are missing; the table has {table.columns}")
    found = pl.DataFrame({"sample": samples}).join(table, on="sample", how="left", maintain_order="left")
    return found.select(sex=pl.col("gender"), population=pl.col("super_pop").fill_null(UNKNOWN))


def measure_all(reader: Reader, keys: list) -> list[tuple[np.ndarray, float, Fiducials | None] | None]:
    """Signal (mV, [12, sample]), rate and fiducials of every recording; None where it cannot be read."""
    found = []
    for done, key in enumerate(keys):
        if done % 200 == 0:
            print(f"measured {done} of {len(keys)} recordings", flush=True)
        try:
            recording = reader.read(key)
        except Unreadable:
            found.append(None)
            continue
        signal, _ = twelve_leads(recording)
        whole = np.isfinite(signal).all() and (np.ptp(signal, axis=1) > 0).all()
        marks = find_fiducials(signal, recording.rate_hz, Ingest()) if whole else None
        found.append((signal, recording.rate_hz, marks))
    return found


def effects_of(settings: Spike, genotyped: Genotyped, rows: np.ndarray, seed: int) -> list[dict]:
    """One dict an effect: the variant's row, its doses [recording], parameter and share."""
    chosen = []
    for effect in settings.effects:
        row = choose(effect, genotyped, {c["contig"] for c in chosen}, rows, seed)
        about = {"parameter": effect.parameter, "variance_explained": effect.variance_explained}
        chosen.append(row | about | {"doses": genotyped.doses(row)[rows]})
    return chosen


def plans(settings: Spike, effects: list[dict], values: dict[str, np.ndarray], groups: np.ndarray) -> dict[str, Plan]:
    """A plan for each parameter with an effect; with offsets alone, for every parameter."""
    named = {effect["parameter"] for effect in effects} or set(PARAMETERS if settings.population_variance else ())
    made = {}
    for parameter in (p for p in PARAMETERS if p in named):
        mine = [effect for effect in effects if effect["parameter"] == parameter]
        shares = [effect["variance_explained"] for effect in mine]
        if sum(shares) + settings.population_variance >= 1:
            raise UserError(f"simulate: the shares of {parameter} sum to 1 or more; make variance_explained smaller")
        doses = [effect["doses"] for effect in mine]
        made[parameter] = plan(values[parameter], doses, shares, groups, settings.population_variance)
        for effect, beta in zip(mine, made[parameter].betas, strict=True):
            effect["beta"] = float(beta)
    return made


def as_change(parameter: str, amount: float) -> float:
    """A planned amount as `alter` takes it: milliseconds, or a factor for the T wave (planned on the log scale)."""
    return float(np.exp(amount)) if parameter == "t_amplitude" else float(amount)


def expected_power(r2: float, n: int) -> dict[str, float]:
    """Power at 5e-8 in all n recordings: noncentral chi-square, n r² / (1 - r²) (Cohen 1988, section 9.3)."""
    return {"power": float(stats.ncx2.sf(stats.chi2.isf(5e-8, 1), 1, n * r2 / (1 - r2)))}


def truth_of(effects: list[dict], made: dict[str, Plan], altered: list[dict]) -> dict:
    """truth.json: planted loci, contigs without one, offsets of populations, what was done to each recording.

    t_amplitude is on the log scale, the others are in ms.
    """
    n, loci = len(altered), []
    for effect in effects:
        frequency = effect["doses"].mean() / 2
        about = {name: effect[name] for name in TOLD}
        expected = expected_power(effect["variance_explained"], n)
        loci.append(about | {"maf": min(frequency, 1 - frequency)} | expected)
    planted = {locus["contig"] for locus in loci}
    null = [contig for contig in AUTOSOMES if contig not in planted]
    offsets = {name: planned.offsets | {UNKNOWN: 0.0} for name, planned in made.items() if planned.offsets}
    return {"loci": loci, "null_chromosomes": null, "population_offsets": offsets, "recordings": altered}


def main(settings: Spike, seed: int, folder: Path) -> None:
    """Write the altered cohort to `folder`: ecg/, recordings.csv, people.csv, id_bridge.csv, truth.json.

    Args:
        settings: the cohort's block `simulate`, as JSON.
        seed: of the join and the draws.
        folder: output, whole or absent.
    """
    if settings.genotypes.format != "plink":
        raise UserError("simulate.genotypes.format: a spike reads PLINK files; convert with plink2 --make-bed")
    reader = open_source(settings.ecg, LONGEST_S)
    genotyped = read_genotyped(settings.genotypes.paths)
    joined = join(reader.entries, genotyped.sample_ids, seed)
    print(
        f"{joined['person_id'].n_unique()} people of {len(genotyped.sample_ids)} genotyped got recordings", flush=True
    )
    row_of = {sample: row for row, sample in enumerate(genotyped.sample_ids)}
    rows = np.array([row_of[sample] for sample in joined["sample_id"]])
    about = labels_of(joined["sample_id"], settings.labels)
    found = measure_all(reader, joined["key"].to_list())
    values = {p: np.array([f[2].values[p] if f and f[2] else np.nan for f in found]) for p in PARAMETERS}
    values["t_amplitude"] = np.log(values["t_amplitude"])
    effects = effects_of(settings, genotyped, rows, seed)
    made = plans(settings, effects, values, about["population"].to_numpy())
    with atomic(folder) as temporary:
        temporary.mkdir()
        altered = write_recordings(joined["recording_id"].to_list(), found, made, settings, temporary / "ecg")
        tables(joined, about, temporary)
        write_json(truth_of(effects, made, altered), temporary / "truth.json")
    print(f"{sum(bool(a['altered']) for a in altered)} of {joined.height} recordings altered", flush=True)


def write_recordings(names: list[str], found: list, made: dict[str, Plan], settings: Spike, folder: Path) -> list[dict]:
    """Write every recording, altered as planned where it has fiducials; one dict a recording on what was done."""
    step_uv, done = settings.ecg.microvolts_per_count, []
    for number, (name, item) in enumerate(zip(names, found, strict=True)):
        if item is None:
            done.append({"recording_id": name, "altered": {}, "written": False, "reason": "unreadable"})
            continue
        signal, rate_hz, marks = item
        changes = {p: as_change(p, plan_.change[number]) for p, plan_ in made.items()} if marks else {}
        millivolts = alter(signal, marks, rate_hz, changes) if changes else signal
        # In the source's own counts, so that what is not altered is copied exactly.
        overflows = np.nanmax(np.abs(millivolts), initial=0) * COUNTS_PER_MV > np.iinfo(np.int16).max
        per_mv = 1000 / step_uv if step_uv else COARSE_PER_MV if overflows else COUNTS_PER_MV
        write_wfdb(folder, [name], counts(millivolts, signal, per_mv)[None], rate_hz, counts_per_mv=per_mv)
        why_not = None if changes else "no_fiducials" if made else "nothing_planned"
        done.append({"recording_id": name, "altered": changes, "written": True, "reason": why_not})
    return done


def counts(millivolts: np.ndarray, source: np.ndarray, per_mv: float) -> np.ndarray:
    """Int16 counts of [12, sample], missing = -32768; III = II - I to the count where `source` has it so."""

    def whole(signal: np.ndarray) -> np.ndarray:
        scaled = np.rint(signal.astype(np.float64) * per_mv)
        return np.clip(np.nan_to_num(scaled, nan=-32768), -32768, 32767).astype(np.int16)

    out, before = whole(millivolts), whole(source).astype(np.int32)
    if np.array_equal(before[2], before[1] - before[0]):
        out[2] = out[1].astype(np.int32) - out[0]
    return out


def tables(joined: pl.DataFrame, about: pl.DataFrame, folder: Path) -> None:
    """Write recordings.csv, people.csv and id_bridge.csv."""
    joined.select("recording_id", "person_id", path="recording_id").write_csv(folder / "recordings.csv")
    people = pl.concat([joined.select("person_id", "sample_id"), about], how="horizontal")
    people = people.unique("person_id", maintain_order=True)
    people.select("person_id", "sex", "population").write_csv(folder / "people.csv")
    people.select("person_id", "sample_id").write_csv(folder / "id_bridge.csv")


if __name__ == "__main__":
    run(main)
