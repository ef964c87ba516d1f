"""HDF5 files of unknown origin -> data sets that lie in the file itself and fit in memory."""

import h5py
import numpy as np

from ecgwas.signals.recording import Unreadable

MAX_CHUNK_BYTES = 2**28


def dataset(file: h5py.File | h5py.Group, name: str, dimensions: int) -> h5py.Dataset:
    """The array `name` of numbers that lies in the file itself: a link or storage elsewhere would open other files."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise Unreadable("wrong_format", f"no data set {name} in the file")
    found = file[name]
    inside = isinstance(found, h5py.Dataset) and not found.external and not found.is_virtual
    if not inside or found.ndim != dimensions or found.dtype.kind not in "iuf":
        raise Unreadable("wrong_format", f"{name} is not an array of numbers in {dimensions} dimensions")
    chunk = np.prod(found.chunks or (1,), dtype=np.float64) * found.dtype.itemsize
    if chunk > MAX_CHUNK_BYTES or (dimensions == 1 and found.size > 10**7):
        raise Unreadable("too_large", f"{name} takes {chunk:.0f} bytes at a time")
    return found
