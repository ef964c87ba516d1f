"""Ancestry by a labelled panel: three simulated populations, alleles the other way round, and real continents."""

import numpy as np
import polars as pl
import pytest

from ecgwas.config import Genotypes, GenotypeSource, Panel
from ecgwas.errors import UserError
from ecgwas.genotype_files import sources
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotypes.qc import cohort
from ecgwas.genotypes.structure import ancestry, panel


@pytest.fixture
def three(tmp_path, writers) -> tuple:
    """A panel of 3 x 60 people and calls of 3 x 20 others and 10 of mixed descent, at 600 variants."""
    rng = np.random.default_rng([41])
    base = rng.uniform(0.2, 0.8, 600)
    p = [np.clip(base + rng.normal(0, 0.15, 600), 0.02, 0.98) for _ in range(3)]
    known = np.concatenate([rng.binomial(2, q, (60, 600)) for q in p]).T.astype(np.int8)
    mixed = rng.binomial(2, (p[0] + p[1]) / 2, (10, 600))
    calls = np.concatenate([*(rng.binomial(2, q, (20, 600)) for q in p), mixed]).T.astype(np.int8)
    contig, position = [str(i // 30 + 1) for i in range(600)], [1000 * (i % 30 + 1) for i in range(600)]
    ids = [f"k{i}" for i in range(180)]
    bed = writers[0](tmp_path / "panel", known, contig, position, ids)
    rows = "".join(f"{name}\t{'abc'[i // 60]}\n" for i, name in enumerate(ids))
    (tmp_path / "groups.panel").write_text("sample\tsuper_pop\n" + rows)
    variants = pl.DataFrame({"contig": contig, "position": position, "ref": "A", "alt": "G"})
    variants = variants.with_columns(pl.col("position").cast(pl.Int32))
    return Panel(paths=[bed], labels=tmp_path / "groups.panel"), variants, calls


def test_people_are_named_after_their_population_and_mixed_ones_are_not(three):
    settings, variants, calls = three
    names, share = panel.assign(calls, variants, settings, "GRCh37")
    assert names[:60] == ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    assert (share[:60] > 0.8).all()
    assert None in names[60:]
    assert "c" not in names[60:]


def test_swapped_alleles_of_the_panel_are_turned(three):
    settings, variants, calls = three
    straight, share = panel.assign(calls, variants, settings, "GRCh37")
    half = np.arange(600) % 2 == 0
    ref = pl.Series(np.where(half, "G", "A"))
    swapped = variants.with_columns(ref=ref, alt=pl.Series(np.where(half, "A", "G")))
    turned, again = panel.assign(np.where(half[:, None], 2 - calls, calls), swapped, settings, "GRCh37")
    assert turned == straight
    assert np.allclose(again, share)


def test_a_panel_of_other_variants_is_named(three):
    settings, variants, calls = three
    with pytest.raises(UserError, match="0 SNPs shared"):
        panel.assign(calls, variants.with_columns(position=pl.col("position") + 1), settings, "GRCh37")


def test_groups_for_hardy_weinberg_are_those_of_the_panel(three, tmp_path, writers, capsys):
    """70 people of a, 60 of b, 20 of c, and the mixed: two groups; the undecided and the few are left out and said."""
    settings, variants, calls = three
    rng, n = np.random.default_rng([42]), [70, 60, 20]
    p = np.stack([np.clip(calls[:, 20 * g : 20 * g + 20].mean(1) / 2, 0.05, 0.95) for g in range(3)])
    people = np.concatenate([rng.binomial(2, p[g], (n[g], 600)).T for g in range(3)], axis=1)
    people = np.column_stack([people, calls[:, 60:]]).astype(np.int8)
    ids = [f"g{i}" for i in range(160)]
    bed = writers[0](tmp_path / "own", people, variants["contig"].to_list(), variants["position"].to_list(), ids)
    source = GenotypeSource(format="plink", paths=[bed], build="GRCh37", panel=settings)
    table = pl.DataFrame({"sample_id": ids, "person_id": ids, "index": range(160), "has_ecg": True, "withdrawn": False})
    table = table.with_columns(sex_reported=pl.lit(None, pl.String))
    files = sources.open_files(source)
    made = cohort.Cohort(files, table, None, Genotypes(heterozygosity_sd=50), source)
    related = cohort.quality_control(made)
    names = made.samples["ancestry"].to_numpy()[made.keep]
    assert (related.group == np.select([names == "a", names == "b"], [0, 1], -1)).all()
    undecided = made.samples.filter(pl.Series(made.keep))["ancestry"].null_count()
    assert undecided > 0
    assert f"left out: {undecided} people undecided, {(names == 'c').sum()} in ancestries" in capsys.readouterr().out
    assert (ancestry.named_groups(np.array(["a"] * 49 + [None])) == -1).all()


@pytest.mark.realdata
def test_continents_of_1000_genomes_are_recognised_in_people_not_in_the_panel(realdata, tmp_path):
    bed = realdata / "geno_1kg_phase1" / "1kg_phase1.bed"
    files = sources.open_files(GenotypeSource(format="plink", paths=[bed], build="GRCh37"))
    path = realdata / "geno_1kg_labels" / "integrated_call_samples_v3.20130502.ALL.panel"
    labels = panel.read_labels(Panel(paths=[bed], labels=path))
    known = [name for name in files.sample_ids if name in labels]
    (tmp_path / "half.csv").write_text("sample,super_pop\n" + "".join(f"{s},{labels[s]}\n" for s in known[::2]))
    rest = [files.sample_ids.index(name) for name in known[1::2]]
    with GenotypeReader(files.manifest(), files.variants, rest) as reader:
        dosages = reader.read(slice(None))
    calls = np.where(np.isnan(dosages), -1, dosages).astype(np.int8)
    names, _ = panel.assign(calls, files.variants, Panel(paths=[bed], labels=tmp_path / "half.csv"), "GRCh37")
    truth = [labels[name] for name in known[1::2]]
    given = [(a, b) for a, b in zip(names, truth, strict=True) if a is not None]
    assert len(given) > 0.9 * len(truth)
    assert np.mean([a == b for a, b in given]) > 0.99
