"""A fake study folder whose tables conform to ecgwas.tables, made in a fraction of a second."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.files import write_parquet
from ecgwas.gwas.multiplicity import Multiplicity
from ecgwas.stats.tails import from_t

PEOPLE, DF = 2700, 2680


@dataclass
class FakeStudy:
    """Where the study is and what was put into it."""

    root: Path
    cohort: str
    model: str
    models: list[str]
    loci: list[str] = field(default_factory=list)
    traits: list[str] = field(default_factory=list)


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., FakeStudy]:
    """Factory: `make_study(loci=2, variants=400, truth=True, …)` writes a study and says what it holds."""

    def make(**options: object) -> FakeStudy:
        return build_study(tmp_path / "study", **options)

    return make


def build_study(
    root: Path,
    loci: int = 2,
    variants: int = 400,
    truth: bool = True,
    models: tuple[str, ...] = ("nano", "random", "pca", "intervals"),
    trait_names: tuple[str, ...] = ("axis01", "axis02", "axis03", "axis04"),
    cohort: str = "demo",
    seed: int = 1,
) -> FakeStudy:
    """Write every table the report reads; loci lie on chromosomes 1, 2, … around 3 Mb."""
    rng = np.random.default_rng([seed, 7])
    study = FakeStudy(root, cohort, models[0], list(models), traits=list(trait_names))
    folder = root / "cohorts" / cohort
    _write_flow(folder, study.models, variants, rng)
    for i, model in enumerate(models):
        found = max(loci - i, 0)
        names = _write_gwas(folder, model, study.traits, found, variants, rng)
        if i == 0:
            study.loci = names
        if truth:
            _write_recovery(root / "recovery" / cohort, model, loci, found)
    step = np.arange(1, 401)
    history = pl.DataFrame({"step": step, "loss": 0.2 + np.exp(-step / 80) + rng.normal(0, 0.02, 400)})
    write_parquet(history, root / "models" / models[0] / "history.parquet")
    return study


def table(schema: tables.Table, **columns: object) -> pl.DataFrame:
    """A table of `schema`; columns not given are null."""
    height = max((len(c) for c in columns.values() if isinstance(c, list | np.ndarray)), default=0)
    filled = {
        name: pl.Series(name, columns[name] if not np.isscalar(columns.get(name)) else [columns[name]] * height)
        if name in columns
        else pl.Series(name, [None] * height)
        for name in schema.columns
    }
    return schema.typed(pl.DataFrame(filled))


def _write_flow(folder: Path, models: list[str], variants: int, rng: np.random.Generator) -> None:
    people = [f"P{i:05d}" for i in range(3000)]
    rows = [f"{p}_1" for p in people[:2950]]
    write_parquet(
        table(tables.RECORDINGS, recording_id=rows, person_id=people[:2950], unit="mV", n_leads=12),
        folder / "ecg/recordings.parquet",
    )
    reasons = ["flat_lead"] * 30 + ["no_qrs"] * 18 + ["truncated"] * 2
    write_parquet(
        table(
            tables.RECORDINGS_EXCLUDED,
            recording_id=[f"{p}_1" for p in people[2950:]],
            person_id=people[2950:],
            reason=reasons,
        ),
        folder / "ecg/excluded.parquet",
    )
    keep = np.arange(3000) >= 40
    samples = table(
        tables.SAMPLES,
        sample_id=people,
        person_id=people,
        index=np.arange(3000),
        keep=keep,
        unrelated=np.arange(3000) >= 200,
    )
    write_parquet(samples, folder / "genotypes/samples.parquet")
    write_parquet(
        table(
            tables.VARIANTS,
            contig=["1"] * variants,
            position=np.arange(variants) + 1,
            rsid=[f"rs{i}" for i in range(variants)],
            pruned=rng.random(variants) < 0.2,
        ),
        folder / "genotypes/variants.parquet",
    )
    excluded = table(
        tables.GENOTYPES_EXCLUDED,
        kind=["sample"] * 40 + ["variant"] * 120,
        id=people[:40] + [f"1:{i}:A:G" for i in range(120)],
        reason=["call_rate"] * 15 + ["sex_mismatch"] * 15 + ["heterozygosity"] * 10 + ["hwe"] * 20 + ["mac"] * 100,
    )
    write_parquet(excluded, folder / "genotypes/excluded.parquet")
    for model in models:
        excluded = table(
            tables.TRAITS_EXCLUDED,
            kind="person",
            id=people[:300],
            reason=["no_genotypes"] * 40 + ["related"] * 160 + ["no_ecg"] * 100,
        )
        write_parquet(excluded, folder / f"phenotypes/{model}/excluded.parquet")


def _write_gwas(
    folder: Path, model: str, traits: list[str], loci: int, variants: int, rng: np.random.Generator
) -> list[str]:
    contig = np.repeat([str(c) for c in range(1, 23)] + ["X"], -(-variants // 23))[:variants]
    position = np.concatenate([np.sort(rng.integers(1, 5_000_000, (contig == c).sum())) for c in dict.fromkeys(contig)])
    t = rng.standard_normal((variants, len(traits)))
    leads, r = [], np.zeros(variants)
    for k in range(loci):
        members = np.flatnonzero(contig == str(k + 1))
        if len(members) == 0:
            continue
        lead = members[np.argmin(np.abs(position[members] - 3_000_000))]
        near = np.exp(-np.abs(position[members] - position[lead]) / 30_000)
        r[members] = near
        t[members, k % len(traits)] += near * (9 + 2 * k)
        leads.append(int(lead))
    joint = from_t(np.sqrt((t**2).sum(1) / len(traits)) * 1.0, DF)
    joint[leads] = from_t(np.abs(t[leads]).max(1), DF) if leads else joint[leads]
    part = pl.DataFrame(
        {
            "contig": contig,
            "position": position.astype(np.int32),
            "ref": ["A"] * variants,
            "alt": ["G"] * variants,
            "rsid": [f"rs{i + 1000}" for i in range(variants)],
            "n": np.full(variants, PEOPLE, np.int32),
            "af": rng.uniform(0.02, 0.98, variants),
            "gg": rng.uniform(100, 1300, variants),
            "joint_neg_log10_p": joint,
            "joint_df": np.full(variants, len(traits), np.int32),
        }
    ).with_columns([pl.Series(f"t:{name}", t[:, j], pl.Float32) for j, name in enumerate(traits)])
    scan = folder / "gwas" / model
    half = variants // 2
    described = table(tables.SCAN_TRAITS, trait=traits, group="0", n=PEOPLE, df=DF, yy=[2600.0] * len(traits))
    for number, piece in enumerate((part[:half], part[half:])):
        write_parquet(piece, scan / f"sumstats/part-{number:03d}.parquet")
        write_parquet(described, scan / f"sumstats/traits-{number:03d}.parquet")
    names = [f"{contig[i]}:{position[i]}" for i in leads]
    _write_loci(scan, part, t, traits, leads, names)
    _write_calibration(scan, traits, variants)
    _write_finemap(folder / "finemap" / model, part, t, traits, leads, names, r)
    checked = part.select("contig", "position", "ref", "alt", "rsid").head(3)
    write_parquet(
        checked.with_columns(beta_difference=pl.lit(2.5e-6), se_difference=pl.lit(1e-6)), scan / "crosscheck.parquet"
    )
    icc = [0.9 - 0.1 * j if j < 3 else None for j in range(len(traits))]
    write_parquet(
        table(tables.RELIABILITY, trait=traits, n_people=[540] * len(traits), icc=icc),
        folder / f"phenotypes/{model}/reliability.parquet",
    )
    return names


def _write_loci(
    scan: Path, part: pl.DataFrame, t: np.ndarray, traits: list[str], leads: list[int], names: list[str]
) -> None:
    best = [int(np.abs(t[i]).argmax()) for i in leads]
    p = [float(from_t(np.array([t[i, b]]), DF)[0]) for i, b in zip(leads, best, strict=True)]
    se = [0.02] * len(leads)
    found = table(
        tables.LOCI,
        locus=names,
        contig=[part["contig"][i] for i in leads],
        start=[part["position"][i] - 1000 for i in leads],
        end=[part["position"][i] + 1000 for i in leads],
        lead_position=[part["position"][i] for i in leads],
        lead_ref=["A"] * len(leads),
        lead_alt=["G"] * len(leads),
        lead_rsid=[part["rsid"][i] for i in leads],
        lead_af=[part["af"][i] for i in leads],
        lead_test=["joint"] * len(leads),
        neg_log10_p=p,
        joint_neg_log10_p=p,
        best_trait=[traits[b] for b in best],
        best_trait_neg_log10_p=p,
        significant_traits=[[traits[b]] for b in best],
        n_variants=[3] * len(leads),
        n=[PEOPLE] * len(leads),
        mac=[300.0 + k for k in range(len(leads))],
        beta=[0.02 * float(t[i, b]) for i, b in zip(leads, best, strict=True)],
        se=se,
        beta_shrunken=[0.018 * float(t[i, b]) for i, b in zip(leads, best, strict=True)],
    )
    write_parquet(found, scan / "loci.parquet")
    alone = found.head(1).with_columns(
        locus=pl.lit("9:9000"), contig=pl.lit("9"), lead_position=pl.lit(9000, pl.Int32), study_wide=pl.lit(False)
    )
    write_parquet(pl.concat([found.with_columns(study_wide=pl.lit(True)), alone]), scan / "loci_any_trait.parquet")
    numbers = Multiplicity(len(traits), len(traits) - 0.5, True, 5e-8, part.height, 0.6 * part.height)
    write_parquet(numbers.table(), scan / "multiplicity.parquet")


def _write_calibration(scan: Path, traits: list[str], variants: int) -> None:
    names = ["joint", "mean", *traits]
    rows = []
    for kind in ("all", "null"):
        value = 1.01 + 0.02 * (kind == "all")
        rows += [(x, kind, "any", variants, value, 0.96, 1.04, value, 0.96, 1.04, 4000, 44, 5, 1) for x in names]
        rows += [(x, kind, "<50", 9, 1.2, 0.8, 1.3, 1.25, 0.75, 1.35, 1000, 13, 2, 0) for x in names[:2]]
    write_parquet(
        pl.DataFrame(rows, schema=tables.CALIBRATION.schema, orient="row"),
        scan / "calibration.parquet",
    )


def _write_finemap(
    folder: Path,
    part: pl.DataFrame,
    t: np.ndarray,
    traits: list[str],
    leads: list[int],
    names: list[str],
    r: np.ndarray,
) -> None:
    sets, rows = [], []
    for i, name in zip(leads, names, strict=True):
        contig, position = part["contig"][i], part["position"][i]
        trait = traits[int(np.abs(t[i]).argmax())]
        sets += [
            (name, label, 1, 2, 0.97, 0.9, 0.95, 12.0, f"{contig}:{position}:A:G", True, contig)
            for label in ("joint", trait)
        ]
        here = part.with_row_index("i").filter(
            (pl.col("contig") == contig) & ((pl.col("position") - position).abs() < 250_000)
        )
        for label in ("joint", trait):
            for row in here.iter_rows(named=True):
                pip = 0.9 if row["i"] == i else 0.05 * r[row["i"]]
                p = row["joint_neg_log10_p"]
                place = (contig, row["position"], "A", "G", row["rsid"])
                rows.append((name, label, *place, pip, int(pip > 0.04), p, r[row["i"]] ** 2, contig))
    kinds = tables.CREDIBLE_SETS.schema
    write_parquet(pl.DataFrame(sets, schema=kinds, orient="row"), folder / "credible_sets.parquet")
    kinds = tables.FINEMAP_VARIANTS.schema
    write_parquet(pl.DataFrame(rows, schema=kinds, orient="row"), folder / "variants.parquet")
    write_parquet(tables.LD_DIAGNOSTICS.empty(), folder / "ld_diagnostics.parquet")


def _write_recovery(root: Path, model: str, planted: int, found: int) -> None:
    rows = [
        {
            "locus": f"{k + 1}:3000000",
            "parameter": "qt_ms",
            "variance_explained": 0.05,
            "found": k < found,
            "lead_distance_bp": 1200 * k if k < found else None,
            "in_credible_set": k < found,
            "best_neg_log10_p": 12.3 if k < found else 4.1,
            "credible_set_size": 3 if k < found else None,
            "n_credible_sets": 2 if k < found else 0,
            "analytic_power": 0.973,
            "maf": 0.21,
        }
        for k in range(planted)
    ]
    lines = (
        pl.DataFrame(rows, infer_schema_length=None)
        if rows
        else pl.DataFrame({"locus": [], "parameter": [], "found": [], "in_credible_set": []})
    )
    path = root / f"{model}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines.write_csv(path, separator="\t")
    path.with_suffix(".json").write_text(
        json.dumps(
            {
                "n_planted": planted,
                "n_found": found,
                "n_credible_sets": 2 * found,
                "n_credible_sets_holding": found,
                "false_loci_null_chromosomes": 0,
            }
        )
    )
