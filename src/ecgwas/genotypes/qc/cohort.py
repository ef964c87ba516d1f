"""a cohort's genotypes -> the same after each step of quality control, with what was dropped and why."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ecgwas.config import Genotypes, GenotypeSource
from ecgwas.errors import UserError
from ecgwas.genotype_files import contigs, sources
from ecgwas.genotype_files import fasta as reference
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotypes.qc import counts, hail_steps, qc
from ecgwas.genotypes.qc.hardy_weinberg import hardy_weinberg_p
from ecgwas.genotypes.structure import ancestry, panel, pcs, prune
from ecgwas.genotypes.structure.relatedness import Relatedness, relate

if TYPE_CHECKING:
    import hail as hl

SEX_MISMATCH_STOP = (
    0.25  # more than this share of mismatches, in 20 people or more, means samples and people are mixed up
)
SEX_SDS = 5  # of a woman's X inbreeding coefficient, from 0 to the limit of men: LD makes them wider than told
NEGATIVE = r"^-[0-9]+$"  # ids that UK Biobank gives to samples of people who withdrew before the release
SLACK = 0.02  # first look at variants, before bad samples are gone


class Cohort:
    """Genotypes of one cohort on their way through quality control; every step appends to `excluded`."""

    def __init__(
        self,
        files: sources.Files,
        samples: pl.DataFrame,
        mt: "hl.MatrixTable | None",
        settings: Genotypes,
        source: GenotypeSource,
    ):
        self.files, self.samples, self.mt, self.settings = files, samples, mt, settings
        self.excluded: list[pl.DataFrame] = []
        self.keep = np.ones(samples.height, bool)
        variants, flagged = qc.flagged_variants(files.variants, settings)
        self.excluded.append(flagged)
        variants = variants.drop("filter", "quality", "quality_name")
        self.panel = source.panel
        if source.fasta is not None:
            variants, unfit = reference.check(variants, source.fasta, files.build)
            self.excluded.append(unfit)
        else:
            variants = variants.with_columns(flipped=pl.lit(False), ref_checked=pl.lit(False))
        dropped = qc.unusable_variants(variants)
        self.excluded.append(dropped)
        variants = variants.with_columns(id=qc.VARIANT)
        variants = variants.filter(~pl.col("id").is_in(dropped["id"].unique().implode()))
        self.variants = variants.sort(contigs.genome_order(), "position", "ref", "alt")
        self.say_variants(f"usable of {files.variants.height} in the files")

    def say_variants(self, what: str) -> None:
        """Print how many variants there are now; none is an error."""
        print(f"variants: {self.variants.height} {what}", flush=True)
        if self.variants.is_empty():
            lost = pl.concat(self.excluded).filter(kind="variant")["reason"].value_counts(sort=True).head(3).rows()
            why = ", ".join(f"{reason} ({n})" for reason, n in lost)
            raise UserError(
                f"no variant passed quality control; most left for: {why}; contig, alleles (of A, C, G, T alone) and"
                " duplicate are what the files hold, the others limits under `genotypes` in the configuration"
            )

    def drop_samples(
        self, reason: str, bad: np.ndarray, value: np.ndarray | None = None, limit: float | np.ndarray | None = None
    ) -> None:
        """Exclude samples (bool [sample]), with the value that failed."""
        n = len(bad)
        full = [np.full(n, np.nan) if x is None else np.broadcast_to(np.asarray(x, float), n) for x in (value, limit)]
        table = self.samples.with_columns(
            value=pl.Series(full[0]).fill_nan(None), limit=pl.Series(full[1]).fill_nan(None)
        )
        rows = table.filter(pl.Series(bad & self.keep))
        self.excluded.append(qc.excluded("sample", rows, pl.col("sample_id"), reason, pl.col("value"), pl.col("limit")))
        self.keep &= ~bad
        print(f"samples: {rows.height} excluded for {reason}, {self.keep.sum()} left", flush=True)
        if not self.keep.any():
            raise UserError(f"no sample is left after {reason}; see the limits under `genotypes` in the configuration")

    def withhold(self) -> None:
        """Exclude who withdrew consent: they have no row in any table, nor in that of the excluded."""
        gone = self.samples["withdrawn"].to_numpy()
        self.keep &= ~gone
        if not self.keep.any():
            raise UserError("everyone in the genotype files withdrew consent; see the cohort's `withdrawn`")

    def men(self) -> np.ndarray:
        """Bool [sample]: male by genotype, or as reported where the genotypes do not say."""
        sex = self.samples["sex_reported"]
        if "sex_genetic" in self.samples.columns:
            sex = self.samples["sex_genetic"].fill_null(sex)
        return (sex == "male").fill_null(False).to_numpy()

    def manifest(self) -> dict[str, Any]:
        """What the block reader needs: files, samples, and the men, once their sex is checked."""
        known = "sex_genetic" in self.samples.columns
        ids = zip(self.files.sample_ids, self.samples["withdrawn"], strict=True)
        named = {"sample_ids": [None if withdrawn else name for name, withdrawn in ids]}
        return (
            self.files.manifest() | named | {"males": np.flatnonzero(self.men() & self.keep).tolist() if known else []}
        )

    def variant_counts(self, group: np.ndarray, men: np.ndarray | None = None) -> tuple[np.ndarray, pl.DataFrame]:
        """Counts [variant, group, state] and dosages of the variants, by Hail, or by the reader where Hail cannot."""
        if self.mt is None:
            return counts.variant_counts(self.manifest(), self.variants, group, men)
        return hail_steps.variant_counts(self.mt, self.variants, group, self.files.build, men)

    def calls(self, chosen: np.ndarray, keep: np.ndarray) -> np.ndarray:
        """Hard calls int8 [variant, sample], -1 missing, of chosen variants (bool) in kept samples (bool)."""
        with GenotypeReader(self.manifest(), self.variants.filter(pl.Series(chosen)), np.flatnonzero(keep)) as reader:
            blocks = [np.where(np.isnan(x), -1, np.rint(x)).astype(np.int8) for _, x in reader.blocks(2048)]
        return np.concatenate(blocks) if blocks else np.empty((0, int(keep.sum())), np.int8)


def first_look(cohort: Cohort) -> None:
    """Variant call rates and frequencies in everyone, then sample call rates over the well-called variants."""
    found, _ = cohort.variant_counts(np.where(cohort.keep, 0, -1))
    cohort.variants = cohort.variants.with_columns(**frequency_columns(found[:, 0]))
    good = cohort.variants.filter(pl.col("call_rate") >= cohort.settings.variant_call_rate - SLACK)
    if good.is_empty():
        raise UserError(f"no variant is called in {cohort.settings.variant_call_rate - SLACK:.2f} of the samples")
    if cohort.mt is None:
        per_sample = counts.sample_counts(cohort.manifest(), good, cohort.files.build)
    else:
        per_sample = hail_steps.sample_counts(cohort.mt, good, cohort.files.build, cohort.samples.height)
    states = per_sample.sum(1)
    call_rate = states[:, :3].sum(1) / np.maximum(states.sum(1), 1)
    cohort.samples = cohort.samples.with_columns(call_rate=call_rate)
    cohort.drop_samples(
        "call_rate", call_rate < cohort.settings.sample_call_rate, call_rate, cohort.settings.sample_call_rate
    )


def frequency_columns(found: np.ndarray) -> dict[str, pl.Series]:
    """call_rate, af and mac of counts found [variant, state]."""
    called = found[:, :3].sum(1)
    alt = found[:, 1] + 2 * found[:, 2]
    af = alt / np.maximum(2 * called, 1)
    call_rate = called / np.maximum(found.sum(1), 1)
    return {
        "call_rate": pl.Series(call_rate),
        "af": pl.Series(af),
        "mac": pl.Series(np.minimum(alt, 2 * called - alt).astype(float)),
    }


def check_sex(cohort: Cohort) -> None:
    """X inbreeding coefficient against the sex reported; skipped where there is no X."""
    settings = cohort.settings
    common = pl.min_horizontal("af", 1 - pl.col("af")) >= settings.prune_min_maf
    good = contigs.haploid_in_males(cohort.files.build) & common & (pl.col("call_rate") >= settings.variant_call_rate)
    chosen = cohort.variants.select(good).to_series().to_numpy()
    sex: list[str | None] = [None] * cohort.samples.height
    spread = qc.inbreeding_sd(cohort.variants["af"].to_numpy()[chosen])
    if spread * SEX_SDS > settings.sex_f_male:
        told = f"{chosen.sum()} common X variants outside the pseudo-autosomal regions"
        why = f"F of a woman has SD {spread:.2f}, too near sex_f_male {settings.sex_f_male}" if chosen.any() else ""
        print(f"sex check: skipped, {told}{'; ' * bool(why)}{why}", flush=True)
        cohort.samples = cohort.samples.with_columns(sex_genetic=pl.Series(sex, dtype=pl.String))
        return
    everyone = np.ones(cohort.samples.height, bool)
    f = qc.inbreeding(cohort.calls(chosen, everyone), haploid_males=True)
    sex = [s if k else None for s, k in zip(qc.genetic_sex(f, settings), cohort.keep, strict=True)]
    cohort.samples = cohort.samples.with_columns(sex_genetic=pl.Series(sex, dtype=pl.String))
    both = cohort.samples.select(known=pl.col("sex_reported").is_not_null() & pl.col("sex_genetic").is_not_null())
    wrong = (
        cohort.samples.select((pl.col("sex_reported") != pl.col("sex_genetic")).fill_null(False)).to_series().to_numpy()
    )
    n = int(both["known"].sum())
    print(
        f"sex check: {chosen.sum()} X variants, {n} people with reported and genetic sex, {wrong.sum()} mismatches",
        flush=True,
    )
    if n >= 20 and wrong.sum() > SEX_MISMATCH_STOP * n:
        raise UserError(
            f"reported and genetic sex differ in {wrong.sum()} of {n} people: samples and people are "
            "probably joined wrongly; check `id_bridge` and the column sex of `people`"
        )
    limit = np.where(np.array(sex) == "male", settings.sex_f_male, settings.sex_f_female)
    cohort.drop_samples("sex_mismatch", wrong, f, limit)


def prune_variants(cohort: Cohort) -> np.ndarray:
    """Bool [variant]: common autosomal variants outside long-range LD, thinned by LD in the samples kept so far."""
    chosen = qc.prune_candidates(cohort.variants, cohort.files.build, cohort.settings)
    table = cohort.variants.filter(pl.Series(chosen))
    with GenotypeReader(cohort.manifest(), table, np.flatnonzero(cohort.keep)) as reader:
        blocks = (dosages for _, dosages in reader.blocks(512))
        contig, position = table["contig"].to_numpy(), table["position"].to_numpy()
        kept = prune.prune(blocks, contig, position, cohort.settings.prune_r2, cohort.settings.prune_window_bp)
    pruned = chosen.copy()
    pruned[chosen] = kept
    print(f"pruning: {pruned.sum()} of {chosen.sum()} common autosomal variants outside long-range LD kept", flush=True)
    if pruned.sum() < 2:
        raise UserError(
            "fewer than 2 common autosomal variants are left for kinship and components; see `prune_min_maf`"
        )
    return pruned


def check_heterozygosity(cohort: Cohort, pruned: np.ndarray) -> np.ndarray:
    """Exclude samples with too many or too few heterozygous calls for their ancestry; returns the kept ones' calls."""
    everyone = cohort.calls(pruned, np.ones(cohort.samples.height, bool))
    calls = everyone[:, cohort.keep]
    components = pcs.fit(calls, cohort.settings.pcs)
    structural = pcs.n_structural(components.eigenvalues)
    f = qc.inbreeding(calls)
    z = np.full(cohort.samples.height, np.nan)
    z[cohort.keep] = qc.heterozygosity_z(f, pcs.project(components, calls)[:, :structural])
    all_f = np.full(cohort.samples.height, np.nan)
    all_f[cohort.keep] = f
    cohort.samples = cohort.samples.with_columns(heterozygosity_f=pl.Series(all_f).fill_nan(None))
    limit = cohort.settings.heterozygosity_sd
    cohort.drop_samples("heterozygosity", np.nan_to_num(np.abs(z)) > limit, z, np.sign(np.nan_to_num(z)) * limit)
    return everyone[:, cohort.keep]


def name_ancestry(cohort: Cohort, calls: np.ndarray, pruned: np.ndarray) -> None:
    """Columns ancestry and ancestry_share of the samples, from pruned calls of the kept ones; null without a panel."""
    n = cohort.samples.height
    names, share = np.full(n, None, object), np.full(n, np.nan)
    if cohort.panel is not None:
        variants = cohort.variants.filter(pl.Series(pruned))
        found = panel.assign(calls, variants, cohort.panel, cohort.files.build)
        names[cohort.keep], share[cohort.keep] = found
    cohort.samples = cohort.samples.with_columns(
        ancestry=pl.Series(names, dtype=pl.String), ancestry_share=pl.Series(share).fill_nan(None)
    )


def hardy_weinberg(found: np.ndarray, build: str, variants: pl.DataFrame) -> np.ndarray:
    """Smallest exact p [variant] over ancestry groups; found [variant, 2 * group + male, state], X in females only."""
    haploid = variants.select(contigs.haploid_in_males(build)).to_series().to_numpy()
    women, men = found[:, 0::2, :3], found[:, 1::2, :3]
    both = women + np.where(haploid[:, None, None], 0, men)
    return np.min([hardy_weinberg_p(both[:, g]) for g in range(both.shape[1])], axis=0)


def without_heterozygous_men(found: np.ndarray, variants: pl.DataFrame, build: str) -> np.ndarray:
    """Counts [variant, 2 * group + male, state] with heterozygous calls of men on X missing, as the reader has them."""
    haploid = np.flatnonzero(variants.select(contigs.haploid_in_males(build)).to_series().to_numpy())
    found = found.copy()
    men = found[haploid, 1::2]
    men[..., 3] += men[..., 1]
    men[..., 1] = 0
    found[haploid, 1::2] = men
    return found


def second_look(cohort: Cohort, related: Relatedness) -> None:
    """Final frequencies, call rates and Hardy-Weinberg p in the samples kept; variants that fail go."""
    male = cohort.men()
    n_groups = int(related.group.max()) + 1
    group = np.full(cohort.samples.height, -1)
    tested = related.unrelated & (related.group >= 0)
    group[cohort.keep] = 2 * np.where(tested, related.group, n_groups)  # the last pair of groups: kept, not tested
    group = np.where(cohort.keep, group + male, -1)
    found, dosage = cohort.variant_counts(group, male)
    if cohort.mt is not None:  # the block reader leaves them out itself, and keeps imputed dosages of 1
        found = without_heterozygous_men(found, cohort.variants, cohort.files.build)
    total = found.sum(1)
    columns = frequency_columns(total)
    padded = np.zeros((len(found), 2 * n_groups, hail_steps.STATES), np.int64)
    padded[:, : min(found.shape[1], 2 * n_groups)] = found[:, : 2 * n_groups]
    info = dosage["info"].fill_nan(None)
    p = pl.Series(hardy_weinberg(padded, cohort.files.build, cohort.variants))
    tested = info.is_null() | cohort.settings.hwe_dosages  # rounding makes good imputed variants depart
    table = cohort.variants.with_columns(**columns, hwe_p=p.set(~tested, None), info=info)
    if cohort.files.format == "bgen" or (cohort.files.format == "pgen" and table["info"].count()):
        af = dosage["dosage_sum"] / (2 * dosage["called"])
        mac = (
            2
            * dosage["called"]
            * af.clip(0, 1).to_frame("af").select(pl.min_horizontal("af", 1 - pl.col("af"))).to_series()
        )
        table = table.with_columns(af=af, mac=mac, call_rate=dosage["called"] / int(cohort.keep.sum()))
    failures = qc.variant_failures(table, cohort.settings)
    cohort.excluded.append(failures)
    for reason, n in failures.group_by("reason").len().sort("reason").iter_rows():
        print(f"variants: {n} fail {reason}", flush=True)
    cohort.variants = table.filter(~pl.col("id").is_in(failures["id"].unique().implode()))
    cohort.say_variants("kept")


def quality_control(cohort: Cohort) -> Relatedness:
    """All steps in order; returns the relatedness of the kept samples."""
    cohort.withhold()
    cohort.drop_samples("negative_id", cohort.samples["sample_id"].str.contains(NEGATIVE).to_numpy())
    first_look(cohort)
    check_sex(cohort)
    pruned = prune_variants(cohort)
    calls = check_heterozygosity(cohort, pruned)
    preferred = cohort.samples["has_ecg"].to_numpy()[cohort.keep]
    print("relatedness", flush=True)
    related = relate(calls, preferred, cohort.settings)
    name_ancestry(cohort, calls, pruned)
    if cohort.panel is not None:
        names = cohort.samples["ancestry"].to_numpy()[cohort.keep]
        related = replace(related, group=ancestry.by_panel(names, related.group))
    both = (related.unrelated & preferred).sum()
    print(
        f"unrelated: {related.unrelated.sum()} of {cohort.keep.sum()} kept samples, {both} of them with an ECG",
        flush=True,
    )
    cohort.variants = cohort.variants.with_columns(pruned=pl.Series(pruned))
    second_look(cohort, related)
    return related
