"""One packed array (.npy or .npy.xz, [recording, lead, sample]) -> recordings: rows in the order of a table."""

import functools
import lzma

import numpy as np
import polars as pl

from ecgwas.config import LEADS, EcgSource
from ecgwas.errors import UserError
from ecgwas.ingest.readers import checked, count_scale, listed
from ecgwas.signals.recording import Recording, Unreadable

MISSING = np.iinfo(np.int16).min


class ArrayReader:
    """Rows of one array; lead order, rate and count size come from the cohort's settings."""

    def __init__(self, source: EcgSource, seconds: float):
        if source.rate_hz is None:
            raise UserError(f"ecg.rate_hz is missing: {source.path} does not say its sampling rate; set it, in Hz")
        self.rate_hz, self.leads = source.rate_hz, tuple(source.leads or LEADS)
        self.array = _load(source)
        self.source = source
        self.unit, self.scale = count_scale(source, self.array, otherwise=1e-3)

    @functools.cached_property
    def entries(self) -> pl.DataFrame:
        """A row a recording, from the table or by number."""
        return self._listed(self.source)

    def _listed(self, source: EcgSource) -> pl.DataFrame:
        n = len(self.array)
        if source.recordings is None:
            names = [str(row) for row in range(n)]
            return checked(pl.DataFrame({"recording_id": names, "person_id": names, "key": range(n)}), source.path)
        entries = listed(source, None)
        if entries.height != n:
            raise UserError(
                f"{source.recordings} has {entries.height} rows but {source.path} holds {n} recordings;"
                " the table must have one row per recording, in the array's order"
            )
        return entries

    def read(self, key: int) -> Recording:
        """Row `key`."""
        counts = np.asarray(self.array[key])
        if not np.issubdtype(counts.dtype, np.integer) and not np.isfinite(counts).any():
            raise Unreadable("unreadable", "no finite sample")
        signal = counts.astype(np.float32) * np.float32(self.scale)
        if counts.dtype == np.int16:
            signal[counts == MISSING] = np.nan
        units = (self.unit,) * len(self.leads)
        return Recording(self.leads, units, signal, self.rate_hz, signal.shape[1] / self.rate_hz)


def _load(source: EcgSource) -> np.ndarray:
    """The array of `source.path`, memory-mapped where it is not compressed."""
    path = source.path
    try:
        if path.suffix == ".xz":
            with lzma.open(path) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
        else:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise UserError(f"{path} is not a readable .npy or .npy.xz array ({error}); check ecg.path") from error
    if array.ndim != 3 or array.shape[1] != len(source.leads or LEADS) or array.dtype.kind not in "if":
        raise UserError(
            f"{path} has shape {array.shape} and type {array.dtype}; ecg.format array needs numbers shaped"
            f" [recording, lead, sample] with the {len(source.leads or LEADS)} leads of ecg.leads"
        )
    return array
