"""Lead variants of a scan -> effect of each ALT allele on the median beat and on the classical measurements."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from ecgwas import config, tables
from ecgwas.associations.analysed import read_people
from ecgwas.cli import run
from ecgwas.config import LEADS
from ecgwas.errors import UserError
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotype_files.variants import VARIANT, read_variants
from ecgwas.interpret.loci import regression
from ecgwas.people.values import read_values
from ecgwas.signals import people_beats
from ecgwas.stats import circular, tails
from ecgwas.stats.linear import project_out
from ecgwas.stats.repeated_measures import person_means

DRAWS = 1000  # of the multipliers
FEWEST = 20  # people beyond the number of covariates that a regression needs
MEASURED = (
    "heart_rate_bpm", "p_duration_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms",
    "p_axis_deg", "qrs_axis_deg", "t_axis_deg", "p_frontal_mv", "r_frontal_mv", "t_frontal_mv",
)  # fmt: skip


@dataclass(frozen=True)
class Analysed:
    """The unrelated people of a scan, their covariates [n, c] and their ALT dosages [n, V] at the loci."""

    people: list[str]
    c: np.ndarray
    g: np.ndarray
    loci: pl.DataFrame  # locus, effect_allele, other_allele


def strongest(loci: pl.DataFrame, variants: pl.DataFrame, count: int) -> pl.DataFrame:
    """Rows of `variants` of the `count` strongest leads, with `locus`, strongest first."""
    leads = loci.sort("neg_log10_p", descending=True, nulls_last=True).head(count)
    wanted = leads.select("locus", "contig", position="lead_position", ref="lead_ref", alt="lead_alt")
    wanted = wanted.with_columns(pl.col("position").cast(variants["position"].dtype))
    known = variants.unique(VARIANT, keep="first", maintain_order=True)
    found = wanted.join(known, on=VARIANT, how="inner", maintain_order="left")
    if found.height < wanted.height:
        missing = wanted.join(known, on=VARIANT, how="anti")["locus"].to_list()
        raise UserError(
            f"the lead variants of {', '.join(missing)} are not among the kept variants; rerun the rule loci"
        )
    return found


def analysed(
    loci: Path, manifest: Path, variants: Path, samples: Path, traits: Path, covariates: Path, count: int
) -> Analysed:
    """Unrelated people of the trait table; relatives are excluded, even if the scan kept them."""
    people = read_people(traits, covariates, samples)
    ids = tables.TRAITS.read(traits, ["person_id", "sample_id"])
    known = tables.SAMPLES.read(samples, ["sample_id", "unrelated"])
    free = ids.join(known, on="sample_id", how="left", maintain_order="left")["unrelated"].fill_null(False).to_numpy()
    wanted = strongest(tables.LOCI.read(loci), read_variants(variants), count)
    with GenotypeReader(manifest, wanted, people.samples[free]) as reader:
        g = reader.read(slice(None)).astype(float).T if wanted.height else np.empty((int(free.sum()), 0))
    names = wanted.select("locus", effect_allele="alt", other_allele="ref")
    return Analysed(ids.filter(pl.Series(free))["person_id"].cast(pl.String).to_list(), people.c[free], g, names)


def of_lead(who: Analysed, beats: np.ndarray, seed: int) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """One lead's beats [n, T] in mV, NaN where a person has none: columns of each locus, largest |t| [V, draws]."""
    seen = np.isfinite(beats[:, 0])
    n, samples = int(seen.sum()), beats.shape[1]
    blank = np.full(samples, np.nan)
    if n < who.c.shape[1] + FEWEST:
        empty = {"beta_mv": blank, "se_mv": blank, "mean_mv": blank, "n": np.full(samples, n)}
        return [empty] * who.loci.height, np.zeros((who.loci.height, DRAWS))
    x = regression.design(who.g[seen], who.c[seen])
    rest, mean = project_out(x.q, beats[seen]), beats[seen].mean(0)
    columns, maxima = [], np.zeros((who.loci.height, DRAWS))
    for variant in range(who.loci.height):
        row = {"beta_mv": blank, "se_mv": blank, "mean_mv": mean, "n": np.full(samples, n)}
        if np.isfinite(x.gg[variant]):
            found = regression.fit(x, rest, variant)
            maxima[variant] = regression.largest(everyone(found, seen), DRAWS, seed)
            row |= {"beta_mv": found.beta, "se_mv": found.se}
        columns.append(row)
    return columns, maxima


def everyone(found: regression.Fit, seen: np.ndarray) -> regression.Fit:
    """With rows of zeros for people without the lead, so that all leads share the people's multipliers."""
    influence = np.zeros((len(seen), found.influence.shape[1]))
    influence[seen] = found.influence
    return regression.Fit(found.beta, found.se, influence)


def beat_changes(who: Analysed, shards: people_beats.Shards, settings: config.Ingest, seed: int) -> pl.DataFrame:
    """tables.ALLELE_BEATS."""
    time = people_beats.times_ms(settings, shards.samples)
    leads, maxima = [], np.zeros((who.loci.height, DRAWS))
    for lead in range(len(LEADS)):
        columns, largest = of_lead(who, people_beats.person_means(shards, lead, who.people), seed)
        leads.append(columns)
        maxima = np.maximum(maxima, largest)
    rows = [tables.ALLELE_BEATS.empty()]
    for variant, names in enumerate(who.loci.iter_rows(named=True)):
        reach = regression.critical(maxima[variant])
        for lead, columns in zip(LEADS, leads, strict=True):
            row = columns[variant]
            row = row | {"low": row["beta_mv"] - reach * row["se_mv"], "high": row["beta_mv"] + reach * row["se_mv"]}
            table = pl.DataFrame({"time_ms": time} | row).with_columns(pl.lit(v).alias(k) for k, v in names.items())
            table = table.with_columns(pl.col(pl.Float64).fill_nan(None), lead=pl.lit(lead))
            rows.append(tables.ALLELE_BEATS.typed(table))
    return pl.concat(rows)


def measurements(intervals: Path, people: list[str]) -> tuple[list[str], np.ndarray]:
    """Names of the measurements, and each person's mean over recordings [person, trait], NaN missing.

    Axes are circular means, as deviations from the mean direction of the people.
    """
    table = read_values(intervals)
    names = [name for name in MEASURED if name in table.columns]
    if not names:
        raise UserError(f"{intervals}: none of {', '.join(MEASURED)}; give the cohort's intervals.parquet")
    values = table.select(names).cast(pl.Float64).fill_null(np.nan).to_numpy(writable=True)
    axes = tables.circular(names)
    ids, means = person_means(table["person_id"].to_numpy(), values, axes)
    places = pl.DataFrame({"person_id": people}).join(
        pl.DataFrame({"person_id": ids, "place": np.arange(len(ids))}),
        on="person_id",
        how="left",
        maintain_order="left",
    )["place"]
    means = np.vstack([means, np.full(len(names), np.nan)])[places.fill_null(len(ids)).to_numpy()]
    for j in axes:
        means[:, j] = circular.around(means[:, j])
    return names, means


def trait_changes(who: Analysed, names: list[str], values: np.ndarray) -> pl.DataFrame:
    """tables.ALLELE_TRAITS: strongest trait of a locus first."""
    rows = [tables.ALLELE_TRAITS.empty()]
    for name, y in zip(names, values.T, strict=True):
        seen = np.isfinite(y)
        if seen.sum() < who.c.shape[1] + FEWEST:
            continue
        x = regression.design(who.g[seen], who.c[seen])
        rest = project_out(x.q, y[seen, None])
        fits = [regression.fit(x, rest, v) for v in range(who.loci.height)]
        beta, se = np.array([f.beta[0] for f in fits]), np.array([f.se[0] for f in fits])
        reach = stats.t.isf(0.025, x.df) * se
        columns = {"beta": beta, "se": se, "low": beta - reach, "high": beta + reach}
        columns["neg_log10_p"] = tails.from_t(beta / se, x.df)
        table = who.loci.with_columns(pl.Series(k, v).fill_nan(None) for k, v in columns.items())
        about = {"trait": pl.lit(name), "sd": pl.lit(float(rest.std())), "n": pl.lit(int(seen.sum()))}
        rows.append(tables.ALLELE_TRAITS.typed(table.with_columns(**about)))
    order = who.loci.select("locus", rank=pl.int_range(pl.len()))
    joined = pl.concat(rows).join(order, on="locus").sort("rank", -pl.col("neg_log10_p"), nulls_last=True)
    return joined.drop("rank")


def main(
    loci: Path,
    recordings: Path,
    beats: list[Path],
    intervals: Path,
    manifest: Path,
    variants: Path,
    samples: Path,
    traits: Path,
    covariates: Path,
    settings: config.Interpret,
    ingest: config.Ingest,
    allele_beats: Path,
    allele_traits: Path,
    seed: int = 1,
) -> None:
    """Effect of each ALT allele of the strongest loci on the median beat and on the classical measurements.

    Args:
        loci: loci.parquet of a model's scan.
        recordings: The cohort's recordings.parquet.
        beats: Its shards of median beats.
        intervals: Its intervals.parquet.
        manifest: manifest.json of its genotypes.
        variants: variants.parquet of its genotypes.
        samples: samples.parquet of its genotypes.
        traits: traits.parquet of the model: the people analysed.
        covariates: covariates.parquet of the model.
        settings: The `interpret` block.
        ingest: How the signals were made.
        allele_beats: Written: effects on every sample of every lead, with a simultaneous band.
        allele_traits: Written: effects on the classical measurements.
        seed: Seed of the multipliers.
    """
    who = analysed(loci, manifest, variants, samples, traits, covariates, settings.loci)
    names, values = measurements(intervals, who.people)
    tables.ALLELE_TRAITS.write(trait_changes(who, names, values), allele_traits)
    if who.loci.is_empty():
        changes = tables.ALLELE_BEATS.empty()
    else:
        changes = beat_changes(who, people_beats.open_shards(recordings, beats, who.people), ingest, seed)
    tables.ALLELE_BEATS.write(changes, allele_beats)
    print(f"{who.loci.height} loci in {len(who.people)} unrelated people", flush=True)


if __name__ == "__main__":
    run(main)
