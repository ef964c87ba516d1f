"""The device of a job, and the settings that make its results reproducible."""

import os

import torch


def set_threads(threads: int) -> torch.device:
    """Fix the number of threads and deterministic algorithms, for reproducible results; returns the device."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a check for reads of empty memory that costs 4 %
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
