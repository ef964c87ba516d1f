"""Real, generated and simulated recordings -> cohorts of signal shards as the pipeline makes them; labels of PTB-XL.

A cohort is a folder with ecg/recordings.parquet and ecg/signals/shard-000.{strip,beat}.npy, as ingestion leaves them.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.errors import UserError
from ecgwas.files import atomic, write_parquet
from ecgwas.ingest import collect, shard
from ecgwas.ingest.process import MISSING
from ecgwas.signals.data import MODEL_LEADS
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

INGEST = Ingest(shards=1)
RECORDINGS, MEASURED = "ecg/recordings.parquet", "ecg/intervals.parquet"
STRIP, BEAT = "ecg/signals/shard-000.strip.npy", "ecg/signals/shard-000.beat.npy"
CHUNK = 500  # recordings made, ingested and dropped at once

# diagnostic_class of the 44 diagnostic statements in scp_statements.csv of PTB-XL 1.0.3 (Wagner et al. 2020, Scientific
# Data 7:154, table 8); statements of form and rhythm have none.
SUPERCLASSES = {
    "NORM": "NORM",
    "MI": "IMI ASMI ILMI AMI ALMI INJAS LMI INJAL IPLMI IPMI INJIN INJLA PMI INJIL",
    "STTC": "NDT NST_ DIG LNGQT ISC_ ISCAL ISCIN ISCIL ISCAS ISCLA ANEUR EL ISCAN",
    "CD": "LAFB IRBBB 1AVB IVCD CRBBB CLBBB LPFB WPW ILBBB 3AVB 2AVB",
    "HYP": "LVH LAO/LAE RVH RAO/RAE SEHYP",
}
SUPERCLASS = {code: name for name, codes in SUPERCLASSES.items() for code in codes.split()}
RHYTHMS = ("SR", "AFIB", "STACH", "SARRH", "SBRAD")
TASKS = {"superdiagnostic": list(SUPERCLASSES), "rhythm": list(RHYTHMS), "sex": ["female"], "age": ["age"]}
OVER_89 = 300  # how PTB-XL codes those ages
OLDEST = 90.0  # what stands for them
TRAIN_FOLDS, VALIDATION_FOLD, TEST_FOLDS = (1, 2, 3, 4, 5), 6, (7, 8)

SMALL_SETS = {  # folder: keys of its source
    "ecg_cinc2021": {"format": "wfdb"},
    "ecg_code15": {"format": "code15"},
    "ecg_hl7_aecg_fda": {"format": "aecg"},
    "ecg_ludb_one": {"format": "wfdb"},
    "ecg_muse_xml": {"format": "muse"},
    "ecg_philips_xml": {"format": "philips"},
    "ecg_ukb_cardiosoft": {"format": "cardiosoft"},
    "ecg_wfdb_samples": {"format": "wfdb"},
}
SETA_LEADS = [*LEADS[:4], "aVF", "aVL", *LEADS[6:]]  # by the sums of its limb leads
PTBXL_COPIES = "HR"  # recordings of ecg_cinc2021 so named are of PTB-XL, some of them in its test folds


# ------------------------------------------------------------------------------------------------------- cohorts


def write_cohort(
    folder: Path, table: pl.DataFrame, strip: np.ndarray, beat: np.ndarray, measured: pl.DataFrame | None = None
) -> Path:
    """A cohort of one shard: rows of `table` [n], int16 strips and beats [n, 12, samples] in the same order.

    measured: intervals of its recordings, where they are known.
    """
    place = {name: pl.int_range(pl.len(), dtype=pl.Int32) for name in ("row", "strip_row")}
    zero = {name: pl.lit(0, pl.Int32) for name in ("shard", "bucket")}
    with atomic(folder) as temporary:
        (temporary / STRIP).parent.mkdir(parents=True)
        np.save(temporary / STRIP, strip)
        np.save(temporary / BEAT, beat)
        table.with_columns(**place, **zero).write_parquet(temporary / RECORDINGS)
        if measured is not None:
            measured.write_parquet(temporary / MEASURED)
    return folder


def read_cohort(folder: Path) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Table, strips and beats of a cohort of one shard, in the order of the table."""
    table = pl.read_parquet(folder / RECORDINGS)
    strip, beat = (np.load(folder / name, mmap_mode="r") for name in (STRIP, BEAT))
    return table, strip[table["strip_row"].to_numpy()], beat[table["row"].to_numpy()]


def files_of(cohorts: Iterable[Path]) -> dict[str, list[Path]]:
    """What the command lines of pretraining and embedding take."""
    names = {"recordings": RECORDINGS, "strips": STRIP, "beats": BEAT}
    return {flag: [cohort / name for cohort in cohorts] for flag, name in names.items()}


def ingested(source: EcgSource, folder: Path, settings: Ingest = INGEST) -> Path:
    """The recordings of `source` as the pipeline's ingestion makes them; what it prints goes to ingest.log."""
    if (folder / RECORDINGS).exists():
        return folder
    with atomic(folder) as temporary:
        tables = {
            name: temporary / "ecg" / f"{name}.parquet" for name in ("recordings", "intervals", "excluded", "quality")
        }
        parts = {name: temporary / "parts" / f"{name}.parquet" for name in tables}
        temporary.mkdir()
        with open(temporary / "ingest.log", "w") as log, contextlib.redirect_stdout(log):
            shard.main(source, 0, settings, **parts, strips=[temporary / STRIP], beat=temporary / BEAT)
            lists = {f"{name}_parts": [path] for name, path in parts.items()}
            collect.main(**lists, **tables, duplicates=settings.duplicates)
        shutil.rmtree(temporary / "parts")
    return folder


def merged(cohorts: list[Path], folder: Path) -> Path:
    """All recordings of some cohorts as one; ids, also of people, get the name of their cohort in front."""
    if (folder / RECORDINGS).exists():
        return folder
    found = [read_cohort(cohort) for cohort in cohorts]
    ids = [[pl.concat_str(pl.lit(f"{c.name}-"), x).alias(x) for x in ("recording_id", "person_id")] for c in cohorts]
    tables = [table.with_columns(name) for (table, _, _), name in zip(found, ids, strict=True)]
    strip, beat = (np.concatenate([part[k] for part in found]) for k in (1, 2))
    intervals = [cohort / MEASURED for cohort in cohorts]
    known = all(path.exists() for path in intervals)
    measured = [pl.read_parquet(p).with_columns(name) for p, name in zip(intervals, ids, strict=True)] if known else []
    together = pl.concat(measured, how="diagonal_relaxed") if known else None
    return write_cohort(folder, pl.concat(tables, how="diagonal_relaxed"), strip, beat, together)


def selected(cohort: Path, folder: Path, ids: list[str] | None = None, leads: Iterable[str] = LEADS) -> Path:
    """Some recordings of a cohort, or all, with only these leads given: the others are missing in strip and beat."""
    if (folder / RECORDINGS).exists():
        return folder
    table, strip, beat = read_cohort(cohort)
    keep = np.isin(table["recording_id"].to_numpy(), ids) if ids is not None else np.ones(len(table), bool)
    strip, beat = strip[keep], beat[keep]
    hidden = [row for row, lead in enumerate(LEADS) if lead not in set(leads)]
    strip[:, hidden], beat[:, hidden] = MISSING, MISSING
    n_leads = pl.Series("n_leads", (strip != MISSING).any(2).sum(1), pl.Int32)
    table = table.filter(pl.Series(keep))
    measured = pl.read_parquet(cohort / MEASURED) if (cohort / MEASURED).exists() else None
    if measured is not None:
        measured = measured.join(table.select("recording_id"), on="recording_id", how="semi")
    return write_cohort(folder, table.with_columns(n_leads), strip, beat, measured)


# --------------------------------------------------------------------------------------------------- recordings


def seta(data: Path, work: Path) -> Path:
    """Set-a of the PhysioNet/CinC Challenge 2011."""
    folder = data / "ecg_challenge2011_seta"
    source = EcgSource(
        format="array",
        path=folder / "seta_n1000_lead12_t5000_int16.npy.xz",
        recordings=folder / "records.csv",
        recording_column="record_id",
        person_column="record_id",
        rate_hz=500,
        microvolts_per_count=5,
        leads=SETA_LEADS,
    )
    return ingested(source, work / "cohorts" / "seta")


def ptbxl(data: Path, work: Path) -> Path:
    """The PTB-XL subset, all folds; copies are kept, so that the test recordings are what the folds say."""
    folder = data / "ecg_ptbxl_subset"
    source = EcgSource(
        format="array",
        path=folder / "signals_lead12_100hz_zscore_x1000_int16.npy.xz",
        recordings=folder / "labels.csv",
        recording_column="ecg_id",
        person_column="ecg_id",
        rate_hz=100,
        unit="sd",
    )
    return ingested(source, work / "cohorts" / "ptbxl", INGEST.model_copy(update={"duplicates": "all"}))


def ptbxl_labels(data: Path) -> pl.DataFrame:
    """recording_id, fold and a column a class: 0 or 1 (every statement of a record counts), and age in years."""
    table = pl.read_csv(data / "ecg_ptbxl_subset" / "labels.csv", schema_overrides={"ecg_id": pl.String})
    codes = [set(text.split(";")) for text in table["scp_codes"].fill_null("")]
    classes = {name: [name in {SUPERCLASS.get(code) for code in c} for c in codes] for name in SUPERCLASSES}
    classes |= {name: [name in c for c in codes] for name in RHYTHMS}
    age = pl.when(pl.col("age") == OVER_89).then(OLDEST).otherwise(pl.col("age")).alias("age")
    columns = [pl.Series(name, values, pl.Int8) for name, values in classes.items()]
    base = table.select(
        age.cast(pl.Float64), recording_id="ecg_id", fold="strat_fold", female=pl.col("sex_0male_1female").cast(pl.Int8)
    )
    return base.with_columns(columns)


def small_sets(data: Path, work: Path) -> Path:
    """The other real recordings of the folder that ingestion accepts, none of PTB-XL."""
    cohorts, parts = [], work / "cohorts" / "parts"
    for name, keys in SMALL_SETS.items():
        try:
            cohort = ingested(EcgSource(path=data / name, **keys), parts / name)
        except UserError as error:
            print(f"{name}: left out, {error}", flush=True)
            continue
        if name == "ecg_cinc2021":
            names = pl.read_parquet(cohort / RECORDINGS)["recording_id"]
            others = [n for n in names if not n.startswith(PTBXL_COPIES)]
            cohort = selected(cohort, parts / f"{name}-without-ptbxl", others)
        cohorts.append(cohort)
    return merged(cohorts, work / "cohorts" / "small")


def made(make: Callable[[int, int], np.ndarray], leads: Iterable[str], n: int, folder: Path) -> Path:
    """`n` recordings of `make(start, count)` -> int16 [count, leads, 5000] in microvolts at 500 Hz, ingested."""
    if (folder / RECORDINGS).exists():
        return folder
    chunks = []
    for number, start in enumerate(range(0, n, CHUNK)):
        chunk = folder.parent / "parts" / f"{folder.name}-{number:03d}"
        if not (chunk / RECORDINGS).exists():
            with atomic(chunk.with_suffix(".npy")) as path:
                np.save(path, make(start, min(CHUNK, n - start)))
            source = EcgSource(
                format="array",
                path=chunk.with_suffix(".npy"),
                leads=list(leads),
                rate_hz=500,
                microvolts_per_count=1,
            )
            ingested(source, chunk)
            chunk.with_suffix(".npy").unlink()
            print(f"{folder.name}: {start + min(CHUNK, n - start)} of {n} recordings", flush=True)
        chunks.append(chunk)
    return merged(chunks, folder)


def generated(n: int, work: Path, seed: int = 1) -> Path:
    """`n` recordings by the generator of Thambawita et al. 2021 (Sci Rep 11:21896): 8 leads, no person behind them."""
    folder = work / "cohorts" / f"generated-{n}"

    def make(start: int, count: int) -> np.ndarray:
        network, torch = _generator()
        noise = np.random.default_rng([seed, start]).uniform(-1, 1, (count, 8, 5000)).astype(np.float32)
        with torch.no_grad():
            parts = [network(torch.from_numpy(noise[k : k + 20])).numpy() for k in range(0, count, 20)]
        return (np.concatenate(parts) * 6000).astype(np.int16)  # microvolts, as the package scales them

    return made(make, MODEL_LEADS, n, folder)


def _generator():
    """The generator with its weights, and torch."""
    try:
        import deepfakeecg
    except ImportError:
        raise UserError(
            "--generated needs the package deepfake-ecg: pip install deepfake-ecg==1.1.2 tqdm, or --generated 0"
        ) from None
    import torch

    path = Path(deepfakeecg.__file__).parent / "checkpoints" / "g_stat.pt"
    network = deepfakeecg.Generator()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["stat_dict"])
    return network.eval(), torch


def people(n: int, seed: int) -> dict[str, np.ndarray]:
    """Parameters [n] of the simulator, drawn independently but for QT, which follows heart rate."""
    rng = np.random.default_rng([seed])
    z = {name: rng.standard_normal(n) for name in PARAMETERS}
    slope = PARAMETERS["qt_ms"].heart_rate
    z["qt_ms"] = slope * z["heart_rate_bpm"] + np.sqrt(1 - slope**2) * z["qt_ms"]
    return {name: np.clip(p.mean + p.sd * z[name], p.low, p.high) for name, p in PARAMETERS.items()}


def simulated(n: int, work: Path, seed: int = 1) -> Path:
    """`n` simulated recordings in sinus rhythm without artefacts, other than usual noise; truth in truth.parquet."""
    folder, truth = work / "cohorts" / f"simulated-{n}", people(n, seed)

    def make(start: int, count: int) -> np.ndarray:
        rows = {name: values[start : start + count] for name, values in truth.items()}
        return simulate_recordings(rows, np.full(count, "sinus"), np.random.default_rng([seed, 1, start]))

    made(make, LEADS, n, folder)
    names = [f"simulated-{n}-{k // CHUNK:03d}-{k % CHUNK}" for k in range(n)]
    write_parquet(pl.DataFrame({"recording_id": names, **truth}), folder / "truth.parquet")
    return folder
