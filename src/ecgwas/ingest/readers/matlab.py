"""MATLAB files (.mat, up to v7 and v7.3) -> the array of a recording, and its rate where the file gives one.

The largest array of numbers, or, where there is none, the array in a struct: ECG.data with ECG.sex and ECG.age is the
form of the China Physiological Signal Challenge 2018 (12 leads at 500 Hz; Liu et al. 2018, J Med Imaging Health Inform
8:1368). Sex and age are not read: they belong in the people table.
"""

import zlib
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from ecgwas.ingest.readers.folder import check_shape
from ecgwas.ingest.readers.hdf5 import dataset
from ecgwas.signals.recording import Unreadable

CODE15_RATE = "curr_sample_rate"  # of CODE-15 as .mat
CPSC_STRUCT, CPSC_FIELDS, CPSC_RATE_HZ = "ECG", {"data", "sex", "age"}, 500.0
LEAST = 100  # numbers; smaller arrays are settings beside a struct
MAX_UNPACKED = 2**28  # bytes
COMPRESSED = 15  # element type of MAT-file level 5


def from_matlab(path: Path) -> tuple[np.ndarray, float]:
    """Array and rate (Hz, NaN where not given) of one file."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return _from_hdf5(file)
    declared = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    for shape, _ in declared.values():
        check_shape(1, max(float(np.prod(shape, dtype=np.float64)), 1.0), 500.0)
    numeric = [name for name, (_, kind) in declared.items() if kind not in ("cell", "struct", "object", "function")]
    name = max(numeric, key=lambda name: np.prod(declared[name][0]), default=None)
    structs = [other for other, (shape, kind) in declared.items() if kind == "struct" and np.prod(shape) == 1]
    if structs and (name is None or np.prod(declared[name][0]) < LEAST):
        return _from_structs(path, structs)
    if name is None:
        raise Unreadable("unreadable", "no array, and no struct that holds one such as ECG.data")
    values = scipy.io.loadmat(path, variable_names=[name, CODE15_RATE])
    return values[name], _scalar(values.get(CODE15_RATE))


def _from_structs(path: Path, names: list[str]) -> tuple[np.ndarray, float]:
    """The largest array of numbers that is a field of one of the structs."""
    check_unpacked(path.read_bytes())
    found = []
    for name, value in scipy.io.loadmat(path, variable_names=names).items():
        fields = value.dtype.names if name in names and isinstance(value, np.ndarray) else None
        for field in fields or ():
            array = np.asarray(value[field].ravel()[0])
            if array.ndim == 2 and array.dtype.kind in "iuf":
                found.append((array.size, field, array, _rate(name, set(fields))))
    return _largest(found)


def _from_hdf5(file: h5py.File) -> tuple[np.ndarray, float]:
    """The largest two-dimensional data set of a v7.3 file, or of one of its structs (groups)."""
    found = []
    for name in file:
        group = file.get(name, getlink=True)
        if name.startswith("#") or not isinstance(group, h5py.HardLink):
            continue
        held = file[name]
        fields = {str(field): f"{name}/{field}" for field in held} if isinstance(held, h5py.Group) else {name: name}
        rate = _rate(name, set(fields)) if isinstance(held, h5py.Group) else np.nan
        for field, where in fields.items():
            if isinstance(file.get(where, getlink=True), h5py.HardLink) and _is_array(file[where]):
                found.append((file[where].size, field, where, rate))
    where, rate = _largest(found)
    array = dataset(file, where, 2)
    check_shape(1, float(array.size), 500.0)
    given = file.get(CODE15_RATE)
    return array[:], _scalar(given[()]) if isinstance(given, h5py.Dataset) and given.size == 1 else rate


def _is_array(held: object) -> bool:
    """Whether it holds numbers in two dimensions, more than a setting; text is stored as numbers with a class."""
    is_text = isinstance(held, h5py.Dataset) and held.attrs.get("MATLAB_class", b"") == b"char"
    return isinstance(held, h5py.Dataset) and held.ndim == 2 and held.dtype.kind in "iuf" and not is_text


def _largest(found: list[tuple]) -> tuple:
    """Array, or its place, and rate of the largest of (size, field, array, rate); ties by the field's name."""
    if not found:
        raise Unreadable("unreadable", "no array, and no struct that holds one such as ECG.data")
    _, _, array, rate = max(found, key=lambda one: one[:2])
    return array, rate


def _rate(struct: str, fields: set[str]) -> float:
    """500 Hz of a struct in the form of the CPSC 2018; NaN of others."""
    return CPSC_RATE_HZ if struct == CPSC_STRUCT and fields >= CPSC_FIELDS else np.nan


def _scalar(value: object) -> float:
    """The one number of an array, else NaN."""
    return float(np.asarray(value).ravel()[0]) if value is not None and np.size(value) == 1 else np.nan


def check_unpacked(data: bytes) -> None:
    """Raise `Unreadable` where the compressed elements of a MAT-file unpack to more than memory should hold."""
    order = "big" if data[126:128] == b"MI" else "little"
    at, total = 128, 0
    while at + 8 <= len(data):
        kind, size = (int.from_bytes(data[at + k : at + k + 4], order) for k in (0, 4))
        if kind == COMPRESSED:
            total += len(zlib.decompressobj().decompress(data[at + 8 : at + 8 + size], MAX_UNPACKED + 1))
        if total > MAX_UNPACKED:
            raise Unreadable("too_large", f"the file unpacks to more than {MAX_UNPACKED} bytes")
        at += 8 + size
