"""Names of leads: one meaning of every spelling in use, none where a name is another signal's."""

import dataclasses

import numpy as np
import pytest

from ecgwas.config import LEADS
from ecgwas.ecg.canonical import made_leads, twelve_leads
from ecgwas.ecg.leads import lead_row, lead_rows
from ecgwas.signals.recording import Recording, Unreadable

SPELLINGS = {
    "I": ("i", "I (mV)", "I [uV]", "I mV", "Dérivation I", "EKG-I", " I ", "MDC_ECG_ELEC_POTL_I", "\u2160", "I/mV"),
    "I ": (
        "MDC_ECG_LEAD_I",
        "D1",
        "DI",
        "d_i",
        "Lead I",
        "LEAD_I",
        "LeadI",
        "Ableitung I",
        "derivación I",
        "Derivação I",
        "ECG I",
    ),
    "II": ("D2", "D-II", "LEAD II", "derivación II", "\u2161", "II_ECG", "Abl. II", "\uff29\uff29", "lead-ii"),
    "III": ("D3", "DIII", "D 3", "LeadIII", "Derivazione III", "\u2162", "Lead\u00a0III"),
    "aVR": ("VR", "avr", "AVR", "a VR", "aV-R", "aV_R", "Lead aVR", "MDC_ECG_LEAD_AVR", "ECG_aVR", "DaVR"),
    "aVL": ("vl", "aVl", "a-VL", "MDC_ECG_LEAD_aVL", "avl (mV)"),
    "aVF": ("VF", "AvF", "lead aVF", "Ableitung aVF"),
    "V1": ("C1", "c 1", "V 1", "V_1", "V-1", "v01", "ECG V1", "Precordial V1", "Derivation C1", "DV1"),
    "V6": ("C6", "C-6", "lead_v6", "MDC_ECG_LEAD_V6", "V6 µV"),
}
OTHERS = ("-aVR", "\u2212aVR", "Lead -I", "MDC_ECG_LEAD_-aVR", "MLII", "MCL1", "ECG 1", "Lead 1", "2", "V", "V7", "V4R")
OTHERS += (
    "II I",
    "IV",
    "vx",
    "LEAD",
    "ECG",
    "D",
    "D4",
    "C",
    "C7",
    "C3-M2",
    "EEG C3",
    "aV",
    "RESP",
    "",
    " ",
    "x(I)",
    "(I)",
)


@pytest.mark.parametrize(("lead", "name"), [(lead, name) for lead, names in SPELLINGS.items() for name in names])
def test_every_spelling_is_its_lead(lead: str, name: str) -> None:
    assert lead_row(name) == LEADS.index(lead.strip())


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_no_lead(name: str) -> None:
    assert lead_row(name) is None


def test_places_of_the_eeg_are_no_chest_leads() -> None:
    """C3 and C4 are chest leads beside limb leads alone."""
    assert lead_rows(("C3", "C4", "EMG")) == (None, None, None)
    assert lead_rows(("DI", "C3", "C4")) == (0, 8, 9)


@pytest.fixture
def recording() -> Recording:
    """Twelve leads of 500 samples in mV."""
    signal = np.random.default_rng(0).normal(size=(12, 500)).astype(np.float32)
    return Recording(LEADS, ("mV",) * 12, signal, 500.0, 1.0)


def with_another(recording: Recording, name: str, samples: np.ndarray, unit: str = "mV") -> Recording:
    return dataclasses.replace(
        recording,
        leads=(*recording.leads, name),
        units=(*recording.units, unit),
        signal=np.vstack([recording.signal, samples[None].astype(np.float32)]),
    )


def test_two_signals_of_one_lead_that_differ_are_reported(recording: Recording) -> None:
    other = recording.signal[1].copy()
    other[100:200] += 0.5
    with pytest.raises(
        Unreadable, match=r"lead II is in channels 2 \('II'\) and 13 \('Lead II'\).*ecg\.leads"
    ) as caught:
        twelve_leads(with_another(recording, "Lead II", other))
    assert caught.value.reason == "repeated_lead"


@pytest.mark.parametrize(("unit", "scale"), [("mV", 1.0), ("uV", 1000.0)])
def test_copies_of_a_lead_are_one(recording: Recording, unit: str, scale: float) -> None:
    twice = with_another(recording, "D2", recording.signal[1] * scale, unit)
    assert np.array_equal(twelve_leads(twice)[0], recording.signal)


def test_copies_complete_each_other(recording: Recording) -> None:
    """A rhythm strip beside the leads: what one has missing the other may have."""
    whole = recording.signal[1].copy()
    recording.signal[1, 250:] = np.nan
    found = with_another(recording, "D2", whole)
    assert np.array_equal(twelve_leads(found)[0][1], whole)
    assert made_leads(found) == set()
