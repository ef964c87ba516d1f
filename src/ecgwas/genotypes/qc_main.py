"""genotype files, people, recordings -> quality control, components, kinship, unrelated set: one Hail session."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import Genotypes, GenotypeSource
from ecgwas.files import atomic, write_json
from ecgwas.genotype_files import convert, sources
from ecgwas.genotypes import people as people_table
from ecgwas.genotypes import results
from ecgwas.genotypes.qc import hail_steps
from ecgwas.genotypes.qc.cohort import Cohort, quality_control
from ecgwas.hail_session import hail_session, parallelism, reading_by_hail
from ecgwas.people import Withdrawn, read_withdrawn

EXPECTED = {
    "bgen": "diploid, unphased, 8 bits in every variant: plink2 --export bgen-1.2 ref-first bits=8",
    "plink": "a .bed, .bim and .fam of one another: plink2 --make-bed",
}


def open_source(
    source: GenotypeSource,
    converted: Path,
    threads: int,
    without: frozenset[str] = frozenset(),
    settings: Genotypes = convert.DEFAULTS,
    men: frozenset[str] = frozenset(),
) -> sources.Files:
    """The cohort's files; VCF and MatrixTable first become PGEN under `converted`, which is made for every format.

    Converted files do not hold the samples of `without`; files that are read as they are hold whom they hold. Nor are
    dosages converted that `settings` exclude whatever they are. `men`: samples that may have one copy of X.
    """
    wanted = convert.Wanted(without, men, settings)
    made: list[convert.Converted] = []
    with atomic(converted) as folder:
        folder.mkdir()
        if source.format == "vcf":
            made = convert.convert(source.paths, source.build, folder, threads, wanted)
        if source.format == "mt":
            names = convert.stems(source.paths)
            for path in sorted(source.paths):
                with tempfile.TemporaryDirectory() as temporary:
                    vcf = hail_steps.export_matrix_table(path, source.build, Path(temporary))
                    made.append(convert.convert_one(vcf, source.build, folder / names[path], wanted, path))
        (folder / "_SUCCESS").write_text("".join(one.path.name + "\n" for one in made))
    if source.format not in ("vcf", "mt"):
        return sources.open_files(source)
    paths = [converted / one.path.name for one in made]
    files = sources.open_files(source.model_copy(update={"format": "pgen", "paths": paths}), made)
    return replace(files, withheld=frozenset().union(*(one.withheld for one in made)))


def write_pruned(cohort: Cohort, folder: Path) -> None:
    """The MatrixTable of the pruned variants in the samples kept."""
    table, keep = cohort.variants.filter("pruned"), cohort.keep
    if cohort.mt is not None:
        return hail_steps.write_pruned(cohort.mt, table, keep, cohort.files.build, folder)
    ids = cohort.samples.filter(pl.Series(keep))["sample_id"].to_list()
    calls = cohort.calls(cohort.variants["pruned"].to_numpy(), keep)
    mt = hail_steps.from_calls(calls, table, ids, cohort.files.build)
    return hail_steps.write_pruned(mt, table, np.ones(len(ids), bool), cohort.files.build, folder)


def report_withdrawn(described: pl.DataFrame, withheld: frozenset[str], gone: Withdrawn, consent: Path | None) -> None:
    """Say how many samples were withdrawn and which lines of the list match none; write it where `consent` is given.

    `withheld`: samples that were withdrawn before the files were converted, which `described` lacks.
    """
    ids = [*described["sample_id"], *described["person_id"].drop_nulls(), *withheld]
    excluded = int(described["withdrawn"].sum()) + len(withheld)
    report = gone.found(ids) | {"excluded": excluded}
    if gone.entries:
        print(f"samples: {excluded} withdrawn, {described.height + len(withheld) - excluded} left", flush=True)
    unmatched = sorted({line for line, _ in gone.entries} - set(report["matched_lines"]))
    if unmatched:
        lines = ", ".join(map(str, unmatched[:20]))
        print(f"withdrawn: ids that match no sample stand on lines {lines} of the list", flush=True)
    if consent is not None:
        write_json(report, consent)


def main(
    source: GenotypeSource,
    people: Path,
    recordings: Path,
    settings: Genotypes,
    converted: Path,
    manifest: Path,
    samples: Path,
    variants: Path,
    excluded: Path,
    pcs: Path,
    kinship: Path,
    pruned: Path,
    bridge: Path | None = None,
    withdrawn: Path | None = None,
    temporary: Path | None = None,
    hail_log: Path | None = None,
    threads: int = 2,
    memory_mb: int = 3000,
    master: str = "local",
    consent: Path | None = None,
) -> None:
    """Quality control of one cohort's genotypes.

    Args:
        source: the cohort's block `genotypes`.
        people: table of person_id and sex.
        recordings: table with person_id: who has an ECG.
        settings: the study's block `genotypes`.
        converted: output folder for VCF and MatrixTables turned into PGEN.
        manifest: output, what the block reader needs.
        samples: output table of samples.
        variants: output table of kept variants.
        excluded: output table of what was dropped and why.
        pcs: output table of principal components.
        kinship: output table of related pairs.
        pruned: output folder, Hail MatrixTable of the pruned variants.
        bridge: table of person_id and sample_id.
        withdrawn: list of person or sample ids of people who withdrew consent.
        temporary: folder for temporary files.
        hail_log: Hail's log file.
        threads: processor cores.
        memory_mb: memory of the whole step, MB; the Java machine gets 0.7 of it.
        master: local, or spark://host:port of a Spark cluster.
        consent: output, how many samples were withdrawn, and the lines of the list that match one, JSON without ids.
    """
    with hail_session(temporary, hail_log, threads, 0.7 * memory_mb / 1024, master):
        threads = parallelism()
        gone = read_withdrawn(withdrawn, bridge)
        men = people_table.men(people, bridge)
        files = open_source(source, converted, threads, gone.ids, settings, men)
        print(f"samples: {len(files.sample_ids) + len(files.withheld)} in the files", flush=True)
        described = people_table.describe(files.sample_ids, people, recordings, bridge, withdrawn)
        report_withdrawn(described, files.withheld, gone, consent)
        with reading_by_hail(source.paths, EXPECTED.get(files.format, "")):
            # What Hail cannot read, or spells otherwise than the reference, the block reader counts.
            mt = hail_steps.import_files(files, threads) if files.by_hail and source.fasta is None else None
            cohort = Cohort(files, described, mt, settings, source)
            related = quality_control(cohort)
            with atomic(pruned) as folder:
                write_pruned(cohort, folder)
    tables.SAMPLES.write(results.sample_table(cohort, related), samples)
    tables.VARIANTS.write(results.variant_table(cohort), variants)
    tables.GENOTYPES_EXCLUDED.write(results.excluded_table(cohort, related), excluded)
    tables.PCS.write(results.pc_table(cohort, related), pcs)
    tables.KINSHIP.write(results.kinship_table(cohort, related), kinship)
    write_json(cohort.manifest(), manifest)


if __name__ == "__main__":
    run(main)
