"""Genotypes, 0/1 traits, covariates -> a part of the sumstats: counts of every variant, and the tests of binary.py."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ecgwas.associations.analysed import People
from ecgwas.config import Gwas
from ecgwas.genotype_files import blocks
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.gwas import sumstats, trait_groups
from ecgwas.gwas.engines import torch_logistic
from ecgwas.gwas.engines.torch_linear import LinearTests, TorchLinear


def schema(groups: list[trait_groups.Group], traits: list[str]) -> pa.Schema:
    """Columns of a part: those of a quantitative scan, then information and test of each trait."""
    more = [(f"v:{name}", pa.float32()) for name in traits] + [(f"test:{name}", pa.int8()) for name in traits]
    return pa.schema([*sumstats.schema(groups, traits), *(pa.field(*one) for one in more)])


def floored(
    found: torch_logistic.LogisticTests, tests: list[LinearTests], groups: list[trait_groups.Group]
) -> torch_logistic.LogisticTests:
    """The same, without tests of the variants that the people of a group have none for."""
    z, v, test = found.z.copy(), found.v.copy(), found.test.copy()
    for group, own in zip(groups, tests, strict=True):
        none = np.ix_(np.isnan(own.gg), group.traits)
        z[none], v[none], test[none] = np.nan, np.nan, torch_logistic.NONE
    return torch_logistic.LogisticTests(z, v, test)


def table(
    variants: pl.DataFrame,
    tests: list[LinearTests],
    found: torch_logistic.LogisticTests,
    groups: list[trait_groups.Group],
    traits: list[str],
    least: float = 0.0,
) -> pa.Table:
    """One block as rows of a part; `least`: the smallest minor allele count tested."""
    wanted = schema(groups, traits)
    head = {name: variants[name].to_arrow().cast(kind) for name, kind in sumstats.HEAD.items()}
    rest = sumstats.small_columns(tests, groups, least) | torch_logistic.columns(found, traits)
    arrays = head | {name: pa.array(values, wanted.field(name).type, from_pandas=True) for name, values in rest.items()}
    return pa.Table.from_arrays([arrays[name] for name in wanted.names], schema=wanted)


def tester(
    people: People, contig: str, groups: list[trait_groups.Group], settings: Gwas
) -> Callable[[np.ndarray], torch_logistic.LogisticTests]:
    """ALT dosages -> tests on one contig, by the engine of the settings; for engine hail, Hail must be running."""
    if settings.engine == "hail":
        from ecgwas.gwas.engines import hail_logistic

        return hail_logistic.HailLogistic(people, contig, groups, settings).block
    return torch_logistic.TorchLogistic(people, contig, groups, settings).block


def scan(
    reader: GenotypeReader, people: People, settings: Gwas, stretches: list[tuple[str, int, int]], path: Path
) -> tuple[int, list[trait_groups.Group]]:
    """Write the part of the reader's variants to `path`; the number of variants without a test, and the groups."""
    groups = trait_groups.build(people.y, people.c, axes=False)
    traits, kept, size, untested = people.traits, [], 0, 0
    counts = TorchLinear([without_traits(group) for group in groups], settings.dtype)
    wanted = schema(groups, traits)
    with pq.ParquetWriter(path, wanted, compression="zstd") as file:
        for contig, start, stop in stretches:
            test = tester(people, contig, groups, settings)
            for block in blocks.ahead(reader, settings.block, start, stop):
                tests = [sumstats.floored(own, settings.min_mac) for own in counts.tests(block)]
                found = floored(test(block.dosages()), tests, groups)
                kept.append(table(reader.variants[block.rows], tests, found, groups, traits, settings.min_mac))
                untested += int(np.isnan(tests[0].gg).sum())
                size += len(kept[-1])
                if size >= sumstats.ROWS:
                    file.write_table(pa.concat_tables(kept))
                    kept, size = [], 0
        file.write_table(pa.concat_tables([wanted.empty_table(), *kept]))
    return untested, groups


def without_traits(group: trait_groups.Group) -> trait_groups.Group:
    """The same people and covariates: only the genotype's own numbers are wanted."""
    return replace(group, traits=np.arange(0), y=group.y[:, :0], unit=group.unit[:, :0], yy=group.yy[:0])
