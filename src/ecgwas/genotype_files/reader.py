"""manifest, variants, samples -> blocks of ALT dosages: the one reader of genotypes after quality control."""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.errors import UserError, reading
from ecgwas.genotype_files import contigs, pgen

MISSING_CALL = -9  # pgenlib's
RERUN = "it may have changed since: put it back, or rerun the genotypes stage"


class _Source(Protocol):
    """One open genotype file."""

    def read(self, rows: np.ndarray) -> np.ndarray:
        """ALT dosages float32 [variant, sample] of the file's rows; NaN is missing."""

    def are_calls(self, rows: np.ndarray) -> np.ndarray:
        """Bool [variant]: whether those rows hold calls, not imputed dosages."""

    def close(self) -> None:
        """Close the file."""


class _Bed:
    """A PLINK 1 .bed file, through pgenlib. The count is that of A1 (column 5 of the .bim), our ALT."""

    whole = True  # calls only, so that `read_calls` gives all there is
    decimals = None

    def __init__(self, path: Path, n_samples: int, n_variants: int, samples: np.ndarray):
        import pgenlib

        subset, self._back = np.unique(samples, return_inverse=True)  # pgenlib wants them sorted
        self._n = len(subset)
        self._file = pgenlib.PgenReader(
            str(path).encode(), raw_sample_ct=n_samples, variant_ct=n_variants, sample_subset=subset.astype(np.uint32)
        )

    def read(self, rows: np.ndarray) -> np.ndarray:
        calls = np.empty((len(rows), len(self._back)), np.int8)
        self.read_calls(rows, calls)
        return np.where(calls < 0, np.float32(np.nan), calls).astype(np.float32)

    def read_calls(self, rows: np.ndarray, out: np.ndarray) -> None:
        """ALT counts into int8 `out` [variant, sample]; -9 is missing."""
        ordered = np.array_equal(self._back, np.arange(self._n))
        calls = out if ordered else np.empty((len(rows), self._n), np.int8)
        self._file.read_list(np.ascontiguousarray(rows, dtype=np.uint32), calls)
        if not ordered:
            out[:] = calls[:, self._back]

    def are_calls(self, rows: np.ndarray) -> np.ndarray:
        return np.ones(len(rows), bool)

    def close(self) -> None:
        self._file.close()


class _Pgen(_Bed):
    """A PLINK 2 .pgen file with two alleles a variant; dosages where it has them, else calls.

    With `decimals`, dosages are rounded to that number: as many as 4 come back exactly from steps of 1/16384.
    """

    whole = False
    called: list[int] | None = None  # of a converted file: its rows on X that are calls

    def __init__(self, path: Path, n_samples: int, n_variants: int, samples: np.ndarray):
        super().__init__(path, n_samples, n_variants, samples)
        self._path = path

    @cached_property
    def _dosages(self) -> np.ndarray | None:
        return pgen.have_dosages(self._path)

    def are_calls(self, rows: np.ndarray) -> np.ndarray:
        if self.called is not None:  # imputed dosages that are all whole numbers are stored as calls are
            return np.isin(rows, self.called)
        return np.ones(len(rows), bool) if self.whole or self._dosages is None else ~self._dosages[rows]

    def read(self, rows: np.ndarray) -> np.ndarray:
        dosages = np.empty((len(rows), self._n), np.float32)
        self._file.read_dosages_list(np.ascontiguousarray(rows, dtype=np.uint32), dosages)
        dosages[dosages < 0] = np.nan
        if self.decimals is not None:  # the text the file was made of, which steps of 1/16384 only come near
            dosages = np.round(dosages.astype(np.float64), self.decimals).astype(np.float32)
        return dosages if np.array_equal(self._back, np.arange(self._n)) else dosages[:, self._back]


class _Bgen:
    """A BGEN file; the dosage is that of the second allele, our ALT."""

    whole = False
    haploid = False  # whether some samples have one copy

    def __init__(self, path: Path, n_samples: int, n_variants: int, samples: np.ndarray):
        from bgen import BgenReader

        self._file = BgenReader(str(path))
        self._samples = samples
        assert (self._file.header.nsamples, len(self._file)) == (n_samples, n_variants)

    def read(self, rows: np.ndarray) -> np.ndarray:
        dosages = np.empty((len(rows), len(self._samples)), np.float32)
        for out, row in zip(dosages, rows, strict=True):
            variant = self._file[int(row)]
            dosage = np.asarray(variant.alt_dosage, np.float32)
            if self.haploid:  # one copy of X counts as two
                dosage = np.where(np.asarray(variant.ploidy) == 1, 2 * dosage, dosage)
            out[:] = dosage[self._samples]
        return dosages

    def are_calls(self, rows: np.ndarray) -> np.ndarray:
        certain = [np.isin(np.nan_to_num(self._file[int(row)].probabilities), (0, 1)).all() for row in rows]
        return np.array(certain, bool)

    def close(self) -> None:
        self._file.close()


_FORMATS = {"plink": _Bed, "pgen": _Pgen, "bgen": _Bgen}


class GenotypeReader:
    """ALT dosages of `variants` (a table with source and source_index) in the samples wanted, in the order given.

    `samples` are indices into the manifest's sample_ids (samples.parquet calls them `index`). Rows of arrays follow
    the rows of `variants`; ALT is the effect allele; NaN is missing. Rows marked `flipped` are turned to count the ALT
    of the table; a heterozygous call on a man's X (the manifest's `males`, outside the pseudo-autosomal regions) is
    missing, while an imputed dosage of 1 (one copy of which nothing is known) stays.
    """

    def __init__(self, manifest: Path | dict[str, Any], variants: Path | pl.DataFrame, samples: np.ndarray | list[int]):
        self.manifest = manifest if isinstance(manifest, dict) else json.loads(Path(manifest).read_text())
        table = variants if isinstance(variants, pl.DataFrame) else tables.VARIANTS.read(variants)
        self.variants = table
        self.samples = np.asarray(samples, np.int64)
        self._source = table["source"].to_numpy()
        self._index = table["source_index"].to_numpy()
        self._turned = table["flipped"].to_numpy() if "flipped" in table.columns else np.zeros(table.height, bool)
        self._men = np.isin(self.samples, self.manifest.get("males", []))
        self._haploid = np.zeros(table.height, bool)
        if self._men.any():
            haploid = contigs.haploid_in_males(self.manifest["build"])
            self._haploid = table.select(haploid).to_series().to_numpy()
        self._open: dict[int, _Source] = {}
        total = len(self.manifest["sample_ids"])
        if self.samples.size and not (self.samples.min() >= 0 and self.samples.max() < total):
            raise UserError(f"sample index {self.samples.max()} is not among the {total} samples of the manifest")

    @property
    def shape(self) -> tuple[int, int]:
        """Variants, samples."""
        return self.variants.height, len(self.samples)

    def _file(self, number: int) -> _Source:
        """The open file of that number in the manifest."""
        if number not in self._open:
            source = self.manifest["sources"][number]
            path = Path(source["path"])
            if not path.is_file():
                raise UserError(
                    f"{path}: the genotype file named in the manifest is gone; put it back or rerun the genotypes stage"
                )
            with reading(path, "the genotypes that the manifest describes", RERUN):
                opened = _FORMATS[source["format"]](path, source["n_samples"], source["n_variants"], self.samples)
            for name in ("haploid", "whole", "decimals", "called"):
                if source.get(name) is not None:
                    setattr(opened, name, source[name])
            self._open[number] = opened
        return self._open[number]

    def read(self, rows: np.ndarray | list[int] | slice) -> np.ndarray:
        """Dosages float32 [variant, sample] of those rows of `variants`."""
        rows = np.arange(self.variants.height)[rows]
        with reading(self._paths(rows), "genotypes", RERUN):
            dosages = self._read(rows)
        turned, haploid = self._turned[rows], np.flatnonzero(self._haploid[rows])
        if turned.any():
            dosages[turned] = 2 - dosages[turned]
        if haploid.size:  # men have no two different copies of X
            x = dosages[haploid]
            x[self._heterozygous(x, rows[haploid])] = np.nan
            dosages[haploid] = x
        return dosages

    def _heterozygous(self, dosages: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Bool [variant, sample]: heterozygous calls of men, of dosages of `rows`; imputed ones are no calls."""
        found = (dosages == 1) & self._men
        some = np.flatnonzero(found.any(1))
        rows = rows[some]
        for number in np.unique(self._source[rows]):
            here = self._source[rows] == number
            with reading(self._paths(rows[here]), "genotypes", RERUN):
                calls = self._file(int(number)).are_calls(self._index[rows[here]])
            found[some[here]] &= calls[:, None]
        return found

    def _paths(self, rows: np.ndarray | slice) -> str:
        """The files of those rows, for a message."""
        return ", ".join(self.manifest["sources"][int(i)]["path"] for i in np.unique(self._source[rows]))

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """The same as the files have them."""
        sources = self._source[rows]
        if rows.size and (sources == sources[0]).all():
            return self._file(int(sources[0])).read(self._index[rows])
        dosages = np.empty((len(rows), len(self.samples)), np.float32)
        for number in np.unique(sources):
            here = sources == number
            dosages[here] = self._file(int(number)).read(self._index[rows[here]])
        return dosages

    @property
    def hard_calls(self) -> bool:
        """Whether every file wanted holds calls, not dosages: then `read_calls` reads them."""
        wanted = [self.manifest["sources"][int(number)] for number in np.unique(self._source)]
        return all(source.get("whole", _FORMATS[source["format"]].whole) for source in wanted)

    def read_calls(self, rows: slice, out: np.ndarray) -> None:
        """ALT counts of those rows of `variants` into int8 `out` [variant, sample]; negative is missing."""
        with reading(self._paths(rows), "genotypes", RERUN):
            self._read_calls(self._source[rows], self._index[rows], out)
        turned, haploid = np.flatnonzero(self._turned[rows]), np.flatnonzero(self._haploid[rows])
        if turned.size:
            calls = out[turned]
            out[turned] = np.where(calls < 0, calls, 2 - calls)
        if haploid.size:  # men have no two different copies of X
            calls = out[haploid]
            calls[(calls == 1) & self._men] = MISSING_CALL
            out[haploid] = calls

    def _read_calls(self, sources: np.ndarray, index: np.ndarray, out: np.ndarray) -> None:
        """The same as the files have them."""
        if sources.size and (sources == sources[0]).all():
            self._file(int(sources[0])).read_calls(index, out)
            return
        for number in np.unique(sources):
            here = sources == number
            calls = np.empty((int(here.sum()), out.shape[1]), np.int8)
            self._file(int(number)).read_calls(index[here], calls)
            out[here] = calls

    def blocks(self, size: int = 1024, start: int = 0, stop: int | None = None) -> Iterator[tuple[slice, np.ndarray]]:
        """(rows, dosages [variant, sample]) over variants start to stop, `size` at a time."""
        stop = self.variants.height if stop is None else stop
        for first in range(start, stop, size):
            rows = slice(first, min(first + size, stop))
            yield rows, self.read(rows)

    def close(self) -> None:
        """Close the genotype files."""
        for source in self._open.values():
            source.close()
        self._open.clear()

    def __enter__(self) -> "GenotypeReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
