"""Statistics of blocks -> a Parquet part that grows row group by row group, so that memory does not grow with it.

One row a variant. t of each trait is a column of its own, plain float32: zstd took 7 % off, and nearly twice the time.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ecgwas.genotype_files.variants import VARIANT
from ecgwas.gwas.engines import joint
from ecgwas.gwas.engines.torch_linear import LinearTests
from ecgwas.gwas.trait_groups import Group

SLACK = 1e-3  # of an allele count: frequencies are float64, sums of dosages float32
ROWS = 8192  # of a row group: what a reader of a region must read
HEAD = {"contig": pa.large_string(), "position": pa.int32(), "ref": pa.large_string(), "alt": pa.large_string()}
HEAD |= {"rsid": pa.large_string(), "info": pa.float64()}
OWN = {"n": pa.int32(), "af": pa.float64(), "gg": pa.float64()}
JOINT = {"joint_neg_log10_p": pa.float64(), "joint_df": pa.int32(), "joint_reason": pa.large_string()}


def rare(tests: LinearTests, least: float) -> np.ndarray:
    """Bool [V]: the people analysed have fewer than `least` minor alleles."""
    return 2 * tests.n * np.minimum(tests.af, 1 - tests.af) < least - SLACK


def floored(tests: LinearTests, least: float) -> LinearTests:
    """The same, rare variants without a test: the floor of quality control is that of everyone genotyped."""
    few = rare(tests, least)
    if not few.any():
        return tests
    r2 = None if tests.r2 is None else np.where(few, np.nan, tests.r2)
    return replace(tests, gg=np.where(few, np.nan, tests.gg), r2=r2)


def reason(tests: LinearTests, least: float = 0.0) -> list[str | None]:
    """Why a variant has no test: no call, one allele only, few minor alleles, or a combination of the covariates."""
    untested, seen = np.isnan(tests.gg), tests.n > 0
    single = seen & ((tests.af <= 0) | (tests.af >= 1))
    cases = [~untested, ~seen, single, rare(tests, least)]
    words = np.select(cases, ["", "no_calls", "monomorphic", "mac"], "collinear")
    return [str(word) or None for word in words]


def joint_reason(tests: LinearTests, p: np.ndarray, least: float = 0.0) -> list[str | None]:
    """Why a variant has no joint `p` [V]: that it has no test in these people, or few_carriers; None where it has."""
    named = reason(tests, least)
    return [None if np.isfinite(x) else why or "few_carriers" for x, why in zip(p, named, strict=True)]


def own(groups: list[Group]) -> list[Group]:
    """Groups after the first whose numbers are columns: not that of the joint test alone."""
    return [g for g in groups[1:] if g.name != "joint"]


def schema(groups: list[Group], traits: list[str]) -> pa.Schema:
    """Columns of a part."""
    more = {f"{name}:{g.name}": kind for g in own(groups) for name, kind in OWN.items()}
    fields = HEAD | OWN | {"reason": pa.large_string()} | JOINT | more
    return pa.schema([*fields.items(), *((f"t:{name}", pa.float32()) for name in traits)])


def small_columns(tests: list[LinearTests], groups: list[Group], least: float = 0.0) -> dict[str, np.ndarray | list]:
    """Columns of a row group but those of the variants and of t; `least`: the smallest minor allele count tested."""
    everyone = tests[0]
    out = {"n": everyone.n, "af": everyone.af, "gg": everyone.gg, "reason": reason(everyone, least)}
    out |= {"joint_neg_log10_p": np.full(len(everyone.n), np.nan), "joint_df": np.zeros(len(everyone.n), np.int32)}
    out["joint_reason"] = ["no_joint_test"] * len(everyone.n)
    for group, found in zip(groups, tests, strict=True):
        if group.w is not None:
            p = joint.neg_log10_p(found.r2, found.carriers, group)
            out |= {"joint_neg_log10_p": p, "joint_reason": joint_reason(found, p, least)}
            out["joint_df"] = np.full(len(found.n), group.w.shape[1], np.int32)
        if group.name not in ("all", "joint"):
            out |= {f"n:{group.name}": found.n, f"af:{group.name}": found.af, f"gg:{group.name}": found.gg}
    return out


def t_columns(t: np.ndarray, tests: list[LinearTests], groups: list[Group]) -> list[pa.Array]:
    """Columns of t [T, V], without a copy; traits of a group share the list of places that are null."""
    out: list = [None] * len(t)
    for group, found in zip(groups, tests, strict=True):
        untested = np.isnan(found.gg)
        valid = pa.py_buffer(np.packbits(~untested, bitorder="little")) if untested.any() else None
        for j in group.traits if group.name != "joint" else ():
            buffers = [valid, pa.py_buffer(t[j])]
            out[j] = pa.Array.from_buffers(pa.float32(), t.shape[1], buffers, int(untested.sum()))
    return out


def joined(blocks: list[list[LinearTests]], i: int) -> LinearTests:
    """LinearTests of group i over blocks, without t."""
    parts = [tests[i] for tests in blocks]
    n, af, gg = (np.concatenate([getattr(p, name) for p in parts]) for name in ("n", "af", "gg"))
    r2, carriers = (
        None if parts[0].r2 is None else np.concatenate([getattr(p, name) for p in parts])
        for name in ("r2", "carriers")
    )
    return LinearTests(n, af, gg, np.zeros((0, 0), np.float32), r2, carriers)


class Writer:
    """Takes the tests of one block after the other; a thread of its own writes each full row group.

    Two row groups are in memory: one that fills and one that is written.
    """

    def __init__(
        self,
        path: Path,
        variants: pl.DataFrame,
        groups: list[Group],
        traits: list[str],
        block: int,
        least: float = 0.0,
    ):
        self.schema, self.groups, self.variants, self.least = schema(groups, traits), groups, variants, least
        text = [name for name in self.schema.names if not name.startswith("t:")]
        packed = {name: "ZSTD" if name in text else "NONE" for name in self.schema.names}
        self._file = pq.ParquetWriter(
            path, self.schema, compression=packed, write_statistics=VARIANT[:2],
            use_dictionary=["contig", "ref", "alt", "reason", "joint_df", "joint_reason"],
        )  # fmt: skip
        self._rows = max(ROWS // block, 1) * block
        self._buffers = [np.empty((len(traits), self._rows), np.float32) for _ in range(2)]
        self._found: list[list[LinearTests]] = []
        self._first = self._filled = 0
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future | None = None

    def start(self, groups: list[Group]) -> None:
        """End the row group; the next one is of these groups, which have the same people and traits."""
        self.flush()
        self.groups = groups

    def add(self, rows: slice, tests: list[LinearTests]) -> None:
        """LinearTests of the variants `rows`, which follow those added before."""
        size = rows.stop - rows.start
        if self._filled + size > self._rows:
            self.flush()
        if not self._filled:
            self._first = rows.start
        t = self._buffers[0][:, self._filled : self._filled + size]
        for group, found in zip(self.groups, tests, strict=True):
            if group.name != "joint":
                t[group.traits] = found.t
        self._found.append(tests)
        self._filled += size

    def flush(self) -> None:
        """End the row group."""
        if self._writing is not None:
            self._writing.result()
        if self._filled:
            rows, found = slice(self._first, self._first + self._filled), self._found
            self._writing = self._thread.submit(self._write, rows, found, self._buffers[0], self.groups)
        self._buffers.reverse()
        self._found, self._filled = [], 0

    def _write(self, rows: slice, found: list[list[LinearTests]], t: np.ndarray, groups: list[Group]) -> None:
        tests = [floored(joined(found, i), self.least) for i in range(len(groups))]
        head = self.variants[rows]
        arrays = [head[name].to_arrow().cast(kind) for name, kind in HEAD.items()]
        small = small_columns(tests, groups, self.least)
        names = [name for name in self.schema.names[len(HEAD) :] if not name.startswith("t:")]
        arrays += [pa.array(small[name], self.schema.field(name).type, from_pandas=True) for name in names]
        arrays += t_columns(t[:, : rows.stop - rows.start], tests, groups)
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self.schema))

    def close(self) -> None:
        """Write what is left and the footer."""
        self.flush()
        if self._writing is not None:
            self._writing.result()
        self._thread.shutdown()
        self._file.close()
