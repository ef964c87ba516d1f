"""Settings -> a cohort with known truth, as files: WFDB records, genotypes, tables, and truth.json."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import Simulate
from ecgwas.errors import UserError
from ecgwas.files import atomic, write_json
from ecgwas.simulate.devices import as_recorded
from ecgwas.simulate.ecg import PARAMETERS, recording_parameters, simulate_recordings
from ecgwas.simulate.ecg_noise import ARTEFACTS
from ecgwas.simulate.followup import simulate_followup, tell_followup
from ecgwas.simulate.genotype_files import write_genotypes
from ecgwas.simulate.genotypes import CONTIGS, Variants, simulate_genotypes
from ecgwas.simulate.genotypes_faults import Faults, choose_faults, spoil
from ecgwas.simulate.genotypes_people import ANCESTRY, DEMES, Pedigree, make_pedigree
from ecgwas.simulate.traits import Truth, locus_table, simulate_diseases, simulate_parameters, simulate_people
from ecgwas.simulate.wfdb_files import write_wfdb

ONE_SIDED = 0.005  # people with an ECG alone, and again with genotypes alone, over those with both
MISLABELLED = 0.03  # people whose population label is another one
RHYTHM_SHARES = {"af": 0.005, "paced": 0.008, "lbbb": 0.008, "rbbb": 0.015, "pvc": 0.03}
AF_IN_DISEASE = 0.4  # of people with the disease AF, in AF at the recording
BLOCK_IN_DISEASE = 0.15  # of people with conduction disease, for each bundle branch
ARTEFACT_SHARE = 0.08
CHUNK = 256  # recordings in memory at once


@dataclass(frozen=True)
class Members:
    """Names and parts of the members; arrays are [member]."""

    person_id: np.ndarray
    sample_id: np.ndarray
    has_ecg: np.ndarray  # bool
    has_genotypes: np.ndarray  # bool
    linked: np.ndarray  # bool, in the people table and, with genotypes, in the bridge
    free: np.ndarray  # int, members with both and without relatives, who may get faults


@dataclass(frozen=True)
class Cohort:
    """A simulated cohort before it is written."""

    settings: Simulate
    seed: int
    pedigree: Pedigree
    members: Members
    variants: Variants  # as they are, not as the laboratory delivers them
    people: dict[str, np.ndarray]  # [member] age, bmi and diseases
    truth: Truth
    faults: Faults
    recordings: pl.DataFrame  # recording_id, member, person_id, path, rhythm, artefact


def main(settings: Simulate, seed: int, folder: Path, threads: int = 2) -> None:
    """Write a simulated cohort to `folder`: whole, or not at all.

    Args:
        settings: The `simulate` block of the cohort.
        seed: Seed of everything that is drawn.
        folder: Written: the files of the cohort and truth.json.
        threads: CPU threads.
    """
    check(settings)
    cohort = simulate_cohort(settings, seed, threads)
    loci = planted_loci(cohort)
    with atomic(folder) as temporary:
        temporary.mkdir()
        write_samples(cohort, temporary)
        write_tables(cohort, temporary)
        write_json({"loci": loci.to_dicts(), **tell_truth(cohort)}, temporary / "truth.json")
        write_recordings(cohort, temporary / "ecg")
    print(f"{len(cohort.recordings)} recordings written to {folder}", flush=True)


def simulate_cohort(settings: Simulate, seed: int, threads: int) -> Cohort:
    """Everything but the signals; each part has a random stream of its own."""
    one_sided = max(2, round(ONE_SIDED * settings.people))
    added = round(settings.relatives * settings.people)
    pedigree = make_pedigree(settings.people + 2 * one_sided, added, np.random.default_rng([seed, 1]))
    members = name_members(pedigree, one_sided, seed)
    variants = simulate_genotypes(settings, pedigree, seed, threads)
    print(f"{len(variants.position)} variants of {len(pedigree.deme)} people simulated", flush=True)
    same_age = np.where(pedigree.twin >= 0, pedigree.twin, np.arange(len(pedigree.deme)))
    people = simulate_people(pedigree.male, ANCESTRY[pedigree.deme], same_age, seed)
    truth = simulate_parameters(settings, variants, pedigree.male, pedigree.deme, people, seed)
    people |= simulate_diseases(truth.values, pedigree.male, people, seed)
    faults = choose_faults(settings, variants, members.free, seed)
    recordings = draw_recordings(settings, members, people, seed)
    return Cohort(settings, seed, pedigree, members, variants, people, truth, faults, recordings)


def check(settings: Simulate) -> None:
    """Raise `UserError` where a planted locus or polygenic chromosome does not exist."""
    for locus in settings.loci:
        if locus.parameter not in PARAMETERS:
            raise UserError(f"simulate.loci: parameter {locus.parameter!r} is none of {', '.join(PARAMETERS)}")
    wrong = [c for c in settings.polygenic_chromosomes if not 1 <= c <= 22]
    if wrong:
        raise UserError(f"simulate.polygenic_chromosomes: {wrong} are no autosomes; write numbers from 1 to 22")


def name_members(pedigree: Pedigree, one_sided: int, seed: int) -> Members:
    """Ids in no relation to each other or to the pedigree; some members with an ECG or genotypes alone.

    Of the members with genotypes alone every other one is unknown to the people table and the bridge.
    """
    rng = np.random.default_rng([seed, 2])
    n = len(pedigree.deme)
    related = np.unique([member for pair in pedigree.pairs for member in pair[:2]]).astype(int)
    single = rng.permutation(np.setdiff1d(np.arange(n), related))
    ecg_alone, genotypes_alone, free = np.split(single, [one_sided, 2 * one_sided])
    return Members(
        person_id=np.array([f"P{number:06d}" for number in rng.permutation(n) + 1]),
        sample_id=np.array([f"G{number:06d}" for number in rng.permutation(n) + 1]),
        has_ecg=~np.isin(np.arange(n), genotypes_alone),
        has_genotypes=~np.isin(np.arange(n), ecg_alone),
        linked=~np.isin(np.arange(n), genotypes_alone[::2]),
        free=np.sort(free),
    )


def planted_loci(cohort: Cohort) -> pl.DataFrame:
    """The planted loci with their power in those who can be analysed: both files, no fault, one of a related pair."""
    members, people, male = cohort.members, cohort.people, cohort.pedigree.male
    dropped = [second for _, second, _ in cohort.pedigree.pairs]
    dropped += np.concatenate(list(cohort.faults.samples.values())).tolist()
    analysed = members.has_ecg & members.has_genotypes & ~np.isin(np.arange(len(male)), dropped)
    age, demes = people["age"] - people["age"].mean(), np.eye(len(DEMES))[cohort.pedigree.deme, 1:]
    covariates = np.column_stack([age, age**2, male, age * male, people["bmi"], demes])
    loci = locus_table(cohort.settings, cohort.variants, cohort.truth, analysed, covariates)
    with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=160, tbl_hide_dataframe_shape=True):
        columns = ["rsid", "parameter", "variance_explained_realised", "maf_realised", "expected_neg_log10_p", "power"]
        print(loci.select(columns) if len(loci) else "no planted loci", flush=True)
    return loci


def draw_recordings(settings: Simulate, members: Members, people: dict[str, np.ndarray], seed: int) -> pl.DataFrame:
    """recording_id, member, person_id, path, rhythm and artefact, in the order of recording_id."""
    rng = np.random.default_rng([seed, 8])
    once = np.flatnonzero(members.has_ecg)
    twice = once[rng.random(len(once)) < settings.second_recording]
    member = rng.permutation(np.concatenate([once, twice]))
    names = [f"R{number:06d}" for number in range(1, len(member) + 1)]
    artefact = rng.choice(ARTEFACTS[1:], len(member))
    return pl.DataFrame(
        {
            "recording_id": names,
            "member": member,
            "person_id": members.person_id[member],
            "path": names,
            "rhythm": draw_rhythms(people["af"], people["conduction"], rng)[member],
            "artefact": np.where(rng.random(len(member)) < ARTEFACT_SHARE, artefact, "none"),
        }
    )


def draw_rhythms(af: np.ndarray, conduction: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rhythm [member] at the recordings: rare in all, more often what a person's disease brings."""
    shares = np.tile(list(RHYTHM_SHARES.values()), (len(af), 1))
    shares[af == 1, list(RHYTHM_SHARES).index("af")] = AF_IN_DISEASE
    for branch in ("lbbb", "rbbb"):
        shares[conduction == 1, list(RHYTHM_SHARES).index(branch)] = BLOCK_IN_DISEASE
    number = (rng.random((len(af), 1)) > np.cumsum(shares, axis=1)).sum(axis=1)
    return np.array([*RHYTHM_SHARES, "sinus"])[number]


def write_samples(cohort: Cohort, folder: Path) -> None:
    """genotypes.*, unless none are asked for, of the members who have them, in random order, and id_bridge.csv."""
    settings, members, rng = cohort.settings, cohort.members, np.random.default_rng([cohort.seed, 9])
    order = rng.permutation(np.flatnonzero(members.has_genotypes))
    calls = spoil(cohort.variants, cohort.faults, cohort.pedigree.male, settings.missing_calls, cohort.seed)
    samples = pl.DataFrame({"sample_id": members.sample_id[order], "male": reported_male(cohort)[order]})
    if settings.genotype_format != "none":
        write_genotypes(folder / "genotypes", settings.genotype_format, cohort.variants, calls[:, order], samples)
    both = rng.permutation(np.flatnonzero(members.has_genotypes & members.linked))
    bridge = pl.DataFrame({"person_id": members.person_id[both], "sample_id": members.sample_id[both]})
    bridge.write_csv(folder / "id_bridge.csv")


def reported_male(cohort: Cohort) -> np.ndarray:
    """Sex as the tables give it: bool [member], wrong for the swapped samples."""
    male = cohort.pedigree.male
    return male ^ np.isin(np.arange(len(male)), cohort.faults.samples["sex_mismatch"])


def write_tables(cohort: Cohort, folder: Path) -> None:
    """people.csv, recordings.csv, parameters.parquet, and the dated statements.csv, diagnoses.csv, followup.csv."""
    members, deme, rng = cohort.members, cohort.pedigree.deme, np.random.default_rng([cohort.seed, 10])
    other = (deme + rng.integers(1, len(DEMES), len(deme))) % len(DEMES)
    label = np.array(DEMES)[np.where(rng.random(len(deme)) < MISLABELLED, other, deme)]
    sex = np.where(reported_male(cohort), "male", "female")
    table = pl.DataFrame({"person_id": members.person_id, "sex": sex, "population": label, **cohort.people})
    columns = ["person_id", "sex", "age", "bmi", "population", "af", "hf", "mi", "conduction"]
    table.filter(members.linked).select(columns).sort("person_id").write_csv(folder / "people.csv")
    cohort.recordings.select("recording_id", "person_id", "path").write_csv(folder / "recordings.csv")
    parameters = pl.DataFrame({"person_id": members.person_id, **cohort.truth.values})
    tables.PARAMETERS.write(parameters.filter(members.has_ecg).sort("person_id"), folder / "parameters.parquet")
    dated = simulate_followup(
        members.person_id, cohort.truth.values, cohort.pedigree.male, cohort.people, cohort.recordings, cohort.seed
    )
    for name, dated_table in dated.items():
        dated_table.write_csv(folder / f"{name}.csv")


def tell_truth(cohort: Cohort) -> dict[str, Any]:
    """Everything planted but the loci, for truth.json."""
    settings, members, pedigree = cohort.settings, cohort.members, cohort.pedigree
    names, busy = cohort.variants.names, {str(c) for c in settings.polygenic_chromosomes}
    busy |= set(CONTIGS[: len(settings.loci)])
    people = pl.DataFrame({"person_id": members.person_id, "sample_id": members.sample_id})
    status = {"ecg": members.has_ecg, "genotypes": members.has_genotypes}
    everyone = people.with_columns(population=np.array(DEMES)[pedigree.deme], **status)
    relatives = [
        {
            "kind": kind,
            "person_ids": people["person_id"][[a, b]].to_list(),
            "sample_ids": people["sample_id"][[a, b]].to_list(),
        }
        for a, b, kind in pedigree.pairs
    ]
    bad_samples = [
        {"kind": kind, **people.row(m, named=True)} for kind, g in cohort.faults.samples.items() for m in g.tolist()
    ]
    return {
        "null_chromosomes": [contig for contig in CONTIGS if contig not in busy],
        "relatives": relatives,
        "bad_samples": bad_samples,
        "bad_variants": [
            {"kind": k, "variant": names[row]} for k, rows in cohort.faults.variants.items() for row in rows
        ],
        "people": everyone.to_dicts(),
        "recordings": cohort.recordings.select("recording_id", "rhythm", "artefact").to_dicts(),
        "polygenic": {
            name: {"variant": [names[row] for row in rows], "beta": betas.tolist()}
            for name, (rows, betas) in cohort.truth.polygenic.items()
        },
        "followup": tell_followup(cohort.truth.values, cohort.people["age"]),
    }


def write_recordings(cohort: Cohort, folder: Path) -> None:
    """Simulate and write the signals, a chunk at a time."""
    recordings, settings = cohort.recordings, cohort.settings
    person = {name: values[recordings["member"].to_numpy()] for name, values in cohort.truth.values.items()}
    parameters = recording_parameters(person, np.random.default_rng([cohort.seed, 11]))
    for number, start in enumerate(range(0, len(recordings), CHUNK)):
        rows = slice(start, start + CHUNK)
        signals = simulate_recordings(
            {name: values[rows] for name, values in parameters.items()},
            recordings["rhythm"].to_numpy()[rows],
            np.random.default_rng([cohort.seed, 12, number]),
            settings.rate_hz,
            settings.seconds,
            recordings["artefact"].to_numpy()[rows],
        )
        signals = as_recorded(
            signals, settings.device, np.random.default_rng([cohort.seed, 15, number]), settings.rate_hz
        )
        write_wfdb(folder, recordings["path"][rows].to_list(), signals, settings.rate_hz)
        print(f"{min(start + CHUNK, len(recordings))} of {len(recordings)} recordings", flush=True)


if __name__ == "__main__":
    run(main)
