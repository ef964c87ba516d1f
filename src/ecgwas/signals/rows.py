"""Rows, one by one -> .npy files that never lie in memory whole."""

from pathlib import Path

import numpy as np


class ArrayRows:
    """An .npy file of rows of one shape and type, appended one by one: memory holds none."""

    def __init__(self, path: Path | str, shape: tuple[int, ...], dtype: np.dtype | type):
        self.shape, self.dtype, self.n = shape, np.dtype(dtype), 0
        self.file = Path(path).open("wb")  # noqa: SIM115 (closed by close)
        self._header()
        self.start = self.file.tell()

    def _header(self) -> None:
        """The header; numpy leaves room in it for the first axis to grow, so that it can be written again in place."""
        about = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.n, *self.shape)}
        np.lib.format.write_array_header_1_0(self.file, about)

    def append(self, row: np.ndarray) -> None:
        """Write one row behind what is there."""
        assert (row.shape, row.dtype) == (self.shape, self.dtype)
        self.file.write(row.tobytes())
        self.n += 1

    def close(self) -> None:
        """Say in the header how many rows there are."""
        self.file.seek(0)
        self._header()
        assert self.file.tell() == self.start
        self.file.close()
