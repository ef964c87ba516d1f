"""Genotype files -> blocks of genotypes, read ahead by a thread into reused buffers."""

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from ecgwas.genotype_files.reader import GenotypeReader

AHEAD = 2  # blocks read in advance


@dataclass(frozen=True)
class Block:
    """Genotypes of V variants in N people; its memory is reused once the next block is requested."""

    rows: slice  # of the table of variants
    calls: torch.Tensor  # [V, N] ALT counts int8, or dosages float32; anything where missing
    missing: torch.Tensor  # int64 places in `calls`, row by row

    def dosages(self) -> np.ndarray:
        """ALT dosages float32 [V, N], NaN missing."""
        out = self.calls.to("cpu", torch.float32, copy=True)
        out.view(-1)[self.missing.to("cpu")] = torch.nan
        return out.numpy()

    def people(self, rows: np.ndarray) -> "Block":
        """The same variants in some of the people."""
        places, width = self.missing.numpy(), self.calls.shape[1]
        position = np.full(width, -1)
        position[rows] = np.arange(len(rows))
        column = position[places % width]
        kept = (places // width * len(rows) + column)[column >= 0]
        calls = torch.from_numpy(np.take(self.calls.numpy(), rows, axis=1))
        return Block(self.rows, calls, torch.from_numpy(kept))


def of_dosages(dosages: np.ndarray) -> Block:
    """A block of ALT dosages [V, N], NaN missing."""
    missing = np.flatnonzero(np.isnan(dosages))
    return Block(slice(0, len(dosages)), torch.from_numpy(dosages), torch.from_numpy(missing))


def read(reader: GenotypeReader, rows: slice, buffer: torch.Tensor) -> Block:
    """Rows of the reader's variants, hard calls into the int8 `buffer`."""
    calls = buffer[: rows.stop - rows.start]
    if buffer.dtype == torch.int8:
        reader.read_calls(rows, calls.numpy())
        missing = np.flatnonzero(calls.numpy().view(np.uint8) > 2)
    else:
        dosages = reader.read(rows)
        missing = np.flatnonzero(np.isnan(dosages))
        calls.numpy()[:] = dosages
    return Block(rows, calls, torch.from_numpy(missing))


def ahead(reader: GenotypeReader, size: int, start: int, stop: int) -> Iterator[Block]:
    """Blocks of `size` variants from `start` to `stop`; page-locked for asynchronous copies where there is a GPU."""
    kind = torch.int8 if reader.hard_calls else torch.float32
    shape, pinned = (min(size, max(stop - start, 1)), reader.shape[1]), torch.cuda.is_available()
    buffers = itertools.cycle([torch.empty(shape, dtype=kind, pin_memory=pinned) for _ in range(AHEAD + 1)])
    waiting: deque = deque()
    with ThreadPoolExecutor(1) as pool:
        try:
            for first in range(start, stop, size):
                rows = slice(first, min(first + size, stop))
                waiting.append(pool.submit(read, reader, rows, next(buffers)))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # the index of a BGEN file may only be closed by the thread that opened it
            pool.submit(reader.close).result()
