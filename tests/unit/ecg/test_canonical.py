"""Twelve leads whatever the file calls them, measures them in, or leaves out."""

import numpy as np
import pytest

from ecgwas.config import LEADS
from ecgwas.ecg.canonical import einthoven_residual, limb_leads_lost, twelve_leads
from ecgwas.ecg.leads import lead_row
from ecgwas.ingest.about import about
from ecgwas.signals.recording import Recording, Unreadable


def recording(leads: list[str], signal: np.ndarray, unit: str = "mV") -> Recording:
    """A 500-Hz recording of `signal` [lead, sample]."""
    return Recording(tuple(leads), (unit,) * len(leads), signal.astype(np.float32), 500.0, signal.shape[1] / 500)


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """[12, 100] whole multiples of 5 microvolts in mV that obey Einthoven and Goldberger."""
    rng = np.random.default_rng(0)
    one, two = rng.integers(-100, 100, (2, 100)) * 10
    limb = [one, two, two - one, -(one + two) // 2, one - two // 2, two - one // 2]
    return np.concatenate([limb, rng.integers(-200, 200, (6, 100)) * 5]).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        ("avr", "aVR"),
        ("AVF", "aVF"),
        ("Lead II", "II"),
        ("MDC_ECG_LEAD_V3", "V3"),
        ("v6", "V6"),
        (" i ", "I"),
        ("ECG V1", "V1"),
        ("MDC_ECG_LEAD_AVF", "aVF"),
        ("aVL", "aVL"),
    ],
)
def test_names(name: str, lead: str) -> None:
    assert lead_row(name) == LEADS.index(lead)


@pytest.mark.parametrize(
    "name", ["vx", "MLII", "MCL1", "MDC_ECG_LEAD_MLII", "2", "V", "ABP", "RESP", "V7", "ECG 1", ""]
)
def test_other_signals_are_not_leads(name: str) -> None:
    assert lead_row(name) is None


@pytest.mark.parametrize(("unit", "scale"), [("mV", 1), ("mv", 1), ("uV", 1000), ("µV", 1000), ("V", 1e-3)])
def test_units(signal: np.ndarray, unit: str, scale: float) -> None:
    leads, found = twelve_leads(recording(list(LEADS), signal * scale, unit))
    assert found == "mV"
    assert np.allclose(leads, signal, rtol=1e-5)


def test_a_unit_that_is_no_voltage_is_unknown(signal: np.ndarray) -> None:
    assert twelve_leads(recording(list(LEADS), signal, "NU"))[1] == "unknown"


def test_lead_order_does_not_matter(signal: np.ndarray) -> None:
    order = np.random.default_rng(1).permutation(12)
    leads, _ = twelve_leads(recording([LEADS[k].lower() for k in order], signal[order]))
    assert np.array_equal(leads, signal)


@pytest.mark.parametrize("absent", [{"III", "aVR", "aVL", "aVF"}, {"I", "aVR", "aVL", "aVF"}, {"II", "aVF"}, {"aVL"}])
def test_absent_limb_leads_are_derived_exactly(signal: np.ndarray, absent: set[str]) -> None:
    kept = [k for k, lead in enumerate(LEADS) if lead not in absent]
    leads, _ = twelve_leads(recording([LEADS[k] for k in kept], signal[kept]))
    assert np.array_equal(leads, signal)


def test_a_chest_lead_is_never_made_up(signal: np.ndarray) -> None:
    leads, _ = twelve_leads(recording(list(LEADS[:11]), signal[:11]))
    assert np.isnan(leads[11]).all()


def test_without_lead_one_only_lead_two_of_the_limb_leads_is_left() -> None:
    bad = np.zeros(12, bool)
    bad[0] = True
    assert np.flatnonzero(~limb_leads_lost(bad))[:2].tolist() == [1, 6]


def test_a_lone_third_lead_or_mlii_makes_no_other(signal: np.ndarray) -> None:
    """III alone gives neither I nor II; MLII is not II; the file's names stand in the table."""
    found = recording(["III", "MLII", "V5"], signal[[2, 1, 10]])
    leads, _ = twelve_leads(found)
    assert np.flatnonzero(np.isfinite(leads).any(axis=1)).tolist() == [2, 10]
    assert about(found)["leads"] == ["III", "MLII", "V5"]


def test_mimic_order_is_by_name(signal: np.ndarray) -> None:
    order = [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11]
    leads, _ = twelve_leads(recording(["I", "II", "III", "aVR", "aVF", "aVL", *LEADS[6:]], signal[order]))
    assert np.array_equal(leads, signal)


def test_residual_is_the_size_of_what_breaks_the_sums(signal: np.ndarray) -> None:
    """0 for exact leads, whatever their offsets; noise of SD s in one of the four sums gives s / 2."""
    assert einthoven_residual(recording(list(LEADS), signal + np.arange(12)[:, None])) < 0.1
    rng = np.random.default_rng(3)
    long = np.tile(signal, 100)
    long[3] += 0.08 * rng.standard_normal(long.shape[1]).astype(np.float32)
    assert einthoven_residual(recording(list(LEADS), long)) == pytest.approx(40, rel=0.03)
    swapped = signal[[1, 0, *range(2, 12)]]
    assert einthoven_residual(recording(list(LEADS), swapped)) > 300


def test_residual_of_what_cannot_be_checked_is_null(signal: np.ndarray) -> None:
    eight = [0, 1, 6, 7, 8, 9, 10, 11]
    assert np.isnan(einthoven_residual(recording([LEADS[k] for k in eight], signal[eight])))
    for unit in ("sd", "NU"):
        assert np.isnan(einthoven_residual(recording(list(LEADS), signal, unit)))
    assert twelve_leads(recording(list(LEADS), signal, "sd"))[1] == "sd"


@pytest.mark.parametrize("rate_hz", [61.0, 2001.0])
def test_a_rate_out_of_range_is_refused(signal: np.ndarray, rate_hz: float) -> None:
    found = Recording(LEADS, ("mV",) * 12, signal, rate_hz, 10.0)
    with pytest.raises(Unreadable) as caught:
        twelve_leads(found)
    assert caught.value.reason == "sampling_rate"


def test_valid_span(signal: np.ndarray) -> None:
    """Seconds from the start of the file: padding cut off before, missing samples at both ends."""
    padded = np.pad(signal, ((0, 0), (50, 25)), constant_values=np.nan)
    found = about(Recording(LEADS, ("mV",) * 12, padded, 500.0, 0.35, valid_from_s=0.2))
    assert (found["valid_from_s"], found["valid_to_s"]) == pytest.approx((0.3, 0.5))
