"""genotype files, people, recordings -> quality control, components, kinship, unrelated set: one Hail session."""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.cli import run
from ecgwas.config import Genotypes, GenotypeSource
from ecgwas.files import atomic, write_json, write_parquet
from ecgwas.genotypes import hail_steps, results, sources
from ecgwas.genotypes import people as people_table
from ecgwas.genotypes.cohort import Cohort, quality_control
from ecgwas.hail_session import hail_session, parallelism
from ecgwas.people import read_withdrawn


def open_source(source: GenotypeSource, converted: Path, threads: int) -> sources.Files:
    """The cohort's files; VCF and MatrixTable first become PLINK under `converted`, which is made for every format."""
    with atomic(converted) as folder:
        folder.mkdir()
        names = []
        if source.format == "vcf":
            print("converting VCF to PLINK", flush=True)
            names = [path.name for path in hail_steps.convert_vcf(source.paths, source.build, folder, threads)]
        if source.format == "mt":
            print("converting MatrixTables to PLINK", flush=True)
            names = [path.name for path in hail_steps.convert_matrix_table(source.paths, source.build, folder)]
        (folder / "_SUCCESS").write_text("".join(name + "\n" for name in names))
    if source.format not in ("vcf", "mt"):
        return sources.open_files(source)
    paths = [converted / name for name in names]
    return sources.open_files(source.model_copy(update={"format": "plink", "paths": paths}))


def write_pruned(cohort: Cohort, folder: Path) -> None:
    """The MatrixTable of the pruned variants in the samples kept."""
    table, keep = cohort.variants.filter("pruned"), cohort.keep
    if cohort.mt is not None:
        return hail_steps.write_pruned(cohort.mt, table, keep, cohort.files.build, folder)
    ids = cohort.samples.filter(pl.Series(keep))["sample_id"].to_list()
    calls = cohort.calls(cohort.variants["pruned"].to_numpy(), keep)
    mt = hail_steps.from_calls(calls, table, ids, cohort.files.build)
    return hail_steps.write_pruned(mt, table, np.ones(len(ids), bool), cohort.files.build, folder)


def report_withdrawn(
    described: pl.DataFrame, withdrawn: Path | None, bridge: Path | None, consent: Path | None
) -> None:
    """Write what the list of withdrawn people excluded; say which of its lines match no sample."""
    gone = read_withdrawn(withdrawn, bridge)
    ids = [*described["sample_id"].drop_nulls(), *described["person_id"].drop_nulls()]
    report = gone.found(ids) | {"excluded": int(described["withdrawn"].sum())}
    unmatched = sorted({line for line, _ in gone.entries} - set(report["matched_lines"]))
    if unmatched:
        print(
            f"{withdrawn}: withdrawn ids that match no sample: lines {', '.join(map(str, unmatched[:20]))}", flush=True
        )
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
        converted: output folder for VCF turned into PLINK.
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
        files = open_source(source, converted, threads)
        print(f"samples: {len(files.sample_ids)} in the files", flush=True)
        described = people_table.describe(files.sample_ids, people, recordings, bridge, withdrawn)
        report_withdrawn(described, withdrawn, bridge, consent)
        # What Hail cannot read, or spells otherwise than the reference, the block reader counts.
        through_reader = source.format == "pgen" or source.fasta is not None or any(files.haploid)
        mt = None if through_reader else hail_steps.import_files(files, threads)
        cohort = Cohort(files, described, mt, settings, source)
        related = quality_control(cohort)
        with atomic(pruned) as folder:
            write_pruned(cohort, folder)
    write_parquet(results.sample_table(cohort, related), samples)
    write_parquet(results.variant_table(cohort), variants)
    write_parquet(results.excluded_table(cohort, related), excluded)
    write_parquet(results.pc_table(cohort, related), pcs)
    write_parquet(results.kinship_table(cohort, related), kinship)
    write_json(cohort.manifest(), manifest)


if __name__ == "__main__":
    run(main)
