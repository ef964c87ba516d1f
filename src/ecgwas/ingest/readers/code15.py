"""CODE-15 HDF5 files (tracings [exam, sample, lead], exam_id) -> recordings: the h5py package.

400 Hz, leads I II III aVR aVL aVF V1-V6, padded with zeros at both ends to 4,096 samples; the last row of a file is a
dummy of exam 0. The unit is not declared: name it in the cohort's settings once a robust R amplitude says which.
"""

import functools
from pathlib import Path

import h5py
import numpy as np
import polars as pl

from ecgwas.config import LEADS, EcgSource
from ecgwas.errors import UserError
from ecgwas.ingest.readers import checked, files, folder, listed, matlab
from ecgwas.ingest.readers.hdf5 import dataset
from ecgwas.signals.recording import Recording, Unreadable

SUFFIXES = (".hdf5", ".h5")
RATE_HZ = 400.0


class Code15Reader:
    """Rows of the HDF5 files of a folder (or of one file), and the .mat files that some copies are split into."""

    def __init__(self, source: EcgSource, seconds: float):
        self.source = source
        self.folder = source.path if source.path.is_dir() else source.path.parent
        self.rows: dict[str, dict[str, int]] = {}  # file -> exam -> row

    @functools.cached_property
    def entries(self) -> pl.DataFrame:
        """A row a recording, from the table or the files."""
        return self._listed() if self.source.recordings else self._found()

    def _listed(self) -> pl.DataFrame:
        """Entries of the table (exams.csv): exam, person and the file the exam is in."""
        entries = listed(self.source, self.source.path_column)
        in_file = pl.col("key").str.to_lowercase().str.ends_with(".mat")
        key = pl.when(in_file).then("key").otherwise(pl.format("{}:{}", "key", "recording_id"))
        return entries.with_columns(key=key)

    def _found(self) -> pl.DataFrame:
        """Entries of every exam in the files, without a table of people: one person an exam."""
        names = folder.scan(self.folder, (*SUFFIXES, ".mat")) if self.source.path.is_dir() else [self.source.path.name]
        if not names:
            raise UserError(f"ecg.path {self.folder} has no .hdf5 or .mat file; check the path and ecg.format")
        ids, keys = [], []
        for name in names:
            exams = [] if name.lower().endswith(".mat") else self._exams(name)
            ids += exams or [name.rpartition(".")[0]]
            keys += [f"{name}:{exam}" for exam in exams] or [name]
        return checked(pl.DataFrame({"recording_id": ids, "person_id": ids, "key": keys}), self.folder)

    def _exams(self, name: str) -> list[str]:
        """Exams of one file without the dummy; none where it cannot be read (the file is then one entry)."""
        try:
            return list(self._row_of(name))
        except Unreadable:
            return []

    def _row_of(self, name: str) -> dict[str, int]:
        """Exam -> row of file `name`; remembered, for tables in the order of exams go to and fro between files."""
        if name not in self.rows:
            with folder.as_unreadable(Path(name).name), h5py.File(self.folder / name) as file:
                exams = np.asarray(dataset(file, "exam_id", 1)[:])
            self.rows[name] = {str(int(exam)): row for row, exam in enumerate(exams) if int(exam)}
        return self.rows[name]

    def read(self, key: str) -> Recording:
        """The recording of one exam without its padding."""
        name, _, exam = folder.checked_key(key).rpartition(":") if not key.lower().endswith(".mat") else (key, "", "")
        with folder.as_unreadable(Path(name or key).name):
            if key.lower().endswith(".mat"):
                folder.check_size(self.folder / key)
                array, rate_hz = matlab.from_matlab(self.folder / key)
                rate_hz = rate_hz if np.isfinite(rate_hz) else RATE_HZ
                return unpadded(files.oriented(array, len(LEADS)), rate_hz)
            rows = self._row_of(name or key)
            if exam not in rows:
                raise Unreadable("unreadable", "the file has no such exam")
            with h5py.File(self.folder / name) as file:
                tracings = dataset(file, "tracings", 3)
                if tracings.shape[2] != len(LEADS) or rows[exam] >= tracings.shape[0]:
                    raise Unreadable("wrong_format", f"tracings of shape {tracings.shape}")
                folder.check_shape(len(LEADS), tracings.shape[1], RATE_HZ)
                signal = np.asarray(tracings[rows[exam]], np.float32).T
            return unpadded(signal, RATE_HZ)


def unpadded(signal: np.ndarray, rate_hz: float) -> Recording:
    """[12, sample] in which the zeros in all leads at both ends are missing samples; the unit is not known."""
    there = np.flatnonzero((signal != 0).any(axis=0) & np.isfinite(signal).any(axis=0))
    if not len(there):
        raise Unreadable("empty", "all samples are zero")
    signal = signal.astype(np.float32)
    signal[:, : there[0]] = signal[:, there[-1] + 1 :] = np.nan
    return Recording(LEADS, ("",) * len(LEADS), signal, rate_hz, signal.shape[1] / rate_hz)
