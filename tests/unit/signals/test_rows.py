"""Files written chunk by chunk are the files written whole."""

from pathlib import Path

import numpy as np
import pytest

from ecgwas.signals.rows import ArrayRows


@pytest.mark.parametrize("n", [0, 1, 3, 1001])
def test_an_array_row_by_row_is_the_array(tmp_path: Path, n: int) -> None:
    whole = np.random.default_rng(1).integers(-9, 9, (n, 2, 3)).astype(np.int16)
    rows = ArrayRows(tmp_path / "a.npy", (2, 3), np.int16)
    for row in whole:
        rows.append(row)
    rows.close()
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r" if n else None), whole)
