"""CSV, NumPy, Parquet and MATLAB arrays, one recording a file -> recordings; rate and unit come from the settings.

CSV and Parquet: a column a lead, named in the first row; a column called time (s) gives the rate where `ecg.rate_hz`
does not. NumPy and MATLAB: [lead, sample] or [sample, lead] with the leads of `ecg.leads`.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from ecgwas.config import LEADS, EcgSource
from ecgwas.ingest.readers import count_scale, csv
from ecgwas.ingest.readers.folder import check_shape
from ecgwas.ingest.readers.matlab import from_matlab
from ecgwas.signals.recording import Recording, Unreadable

SUFFIXES = (".csv", ".npy", ".parquet", ".mat")
TIME = ("time", "t", "seconds", "time_s")
MISSING = np.iinfo(np.int16).min


def parse(path: Path, source: EcgSource) -> Recording:
    """One array, in the unit that the settings give its counts."""
    suffix, names = path.suffix.lower(), tuple(source.leads or LEADS)
    if suffix in (".csv", ".parquet"):
        leads, signal, rate_hz = from_table(path, names)
    else:
        array, rate_hz = from_matlab(path) if suffix == ".mat" else (load(path), np.nan)
        leads, signal = names, oriented(array, len(names))
    rate_hz = source.rate_hz or rate_hz
    if not np.isfinite(rate_hz):
        raise Unreadable("no_rate", "the file does not give its sampling rate; set ecg.rate_hz")
    unit, scale = count_scale(source, signal, otherwise=1.0)
    missing = signal == MISSING if signal.dtype == np.int16 else ~np.isfinite(signal)
    signal = signal.astype(np.float32) * np.float32(scale)
    signal[missing] = np.nan
    return Recording(leads, (unit,) * len(leads), signal, float(rate_hz), signal.shape[1] / float(rate_hz))


def from_table(path: Path, names: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray, float]:
    """Leads, [lead, sample] and rate (NaN without a time column) of a table; `names` where its columns have none."""
    named = True
    if path.suffix.lower() == ".csv":
        table, named = csv.read(path)
    else:
        file = pa.parquet.ParquetFile(path)
        check_shape(file.metadata.num_columns, file.metadata.num_rows, 500.0)
        table = file.read(use_threads=False)
    columns = {name: table[name].to_numpy() for name in table.column_names if pa.types.is_primitive(table[name].type)}
    columns = {name: column for name, column in columns.items() if column.dtype.kind in "iuf"}
    time = next((columns.pop(name) for name in list(columns) if name.strip().lower() in TIME), None)
    if not columns:
        raise Unreadable("unreadable", "no column of numbers")
    check_shape(len(columns), table.num_rows, 500.0)
    rate_hz = rate_of(time) if time is not None else np.nan
    if not named and len(columns) != len(names):
        raise Unreadable("wrong_leads", f"{len(columns)} columns without names; name the leads in the first line")
    return tuple(name[:16] for name in columns) if named else names, np.stack(list(columns.values())), rate_hz


def rate_of(time: np.ndarray) -> float:
    """Samples a second by [sample] times in s: over the whole span, for single times may be rounded to 1 ms."""
    steps = np.diff(time.astype(np.float64))
    if not len(steps) or not np.isfinite(steps).all() or not steps.sum() > 0:
        raise Unreadable("unreadable", "the column of times does not increase")
    step = steps.mean()
    if np.abs(time - time[0] - step * np.arange(len(time))).max() > max(0.5 * step, 0.00101):
        raise Unreadable("unreadable", "the column of times is not even; set ecg.rate_hz if its samples are")
    rate_hz = float(1 / step)
    return float(round(rate_hz)) if abs(round(rate_hz) - rate_hz) < 2e-4 * rate_hz else round(rate_hz, 6)


def load(path: Path) -> np.ndarray:
    """The array of a .npy file; memory-mapped, so that a shape that lies takes no memory."""
    return np.load(path, mmap_mode="r", allow_pickle=False)


def oriented(array: np.ndarray, leads: int) -> np.ndarray:
    """[lead, sample] of an array that has the leads first or last; the file must hold numbers."""
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.dtype.kind not in "iuf" or leads not in array.shape:
        raise Unreadable("wrong_format", f"an array of shape {array.shape}, expected {leads} leads and samples")
    check_shape(leads, array.size / leads, 500.0)
    return np.array(array if array.shape[0] == leads else array.T)
