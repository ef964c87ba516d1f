"""Filters: no shift in time, the declared gain, the same at every rate; resampling keeps a tone."""

import numpy as np
import pytest

from ecgwas.ecg.filters import Spectrum, at_samples, highpass_gain, lowpass_gain, resample


def tone(frequency_hz: float, rate_hz: float, seconds: float = 10.0) -> np.ndarray:
    """[1, sample] float32 sine."""
    time = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.sin(2 * np.pi * frequency_hz * time)[None].astype(np.float32)


@pytest.mark.parametrize("frequency_hz", [1.0, 7.0, 30.0, 40.0])
def test_filters_scale_a_tone_by_the_declared_gain_and_do_not_shift_it(frequency_hz: float) -> None:
    signal = tone(frequency_hz, 500.0)
    filtered = Spectrum(signal, 500.0).filtered(0.5, 40.0)
    gain = highpass_gain(np.array([frequency_hz]), 0.5) * lowpass_gain(np.array([frequency_hz]), 40.0)
    middle = slice(1000, 4000)
    assert np.abs(filtered - gain[0] * signal)[:, middle].max() < 0.01


def test_corner_is_minus_six_decibels_and_a_constant_is_removed() -> None:
    assert highpass_gain(np.array([0.5]), 0.5)[0] == 0.5
    assert lowpass_gain(np.array([40.0]), 40.0)[0] == 0.5
    assert np.abs(Spectrum(np.full((2, 5000), 3.0, np.float32), 500.0).filtered(0.5)).max() < 1e-4


def test_filter_of_the_reversed_signal_is_the_reversed_filtered_signal() -> None:
    signal = np.random.default_rng(0).standard_normal((3, 2500)).cumsum(axis=1).astype(np.float32)
    forward = Spectrum(signal, 250.0).filtered(0.5, 40.0)
    backward = Spectrum(signal[:, ::-1].copy(), 250.0).filtered(0.5, 40.0)[:, ::-1]
    assert np.abs(forward - backward)[:, 250:-250].max() < 2e-3 * np.abs(signal).max()


def test_a_kept_tone_is_filtered_alike_at_all_rates() -> None:
    at = {
        rate: Spectrum(tone(5.0, rate), rate).filtered(0.5, 40.0)[:, :: round(rate / 250)] for rate in (250, 500, 1000)
    }
    assert np.abs(at[250] - at[500])[:, 1000:1500].max() < 2e-3
    assert np.abs(at[250] - at[1000])[:, 1000:1500].max() < 2e-3


def test_derivative_is_per_second() -> None:
    slope = Spectrum(tone(5.0, 500.0), 500.0).filtered(lowpass_hz=100.0, derivative=True)
    assert slope[:, 1000:4000].max() == pytest.approx(2 * np.pi * 5.0, rel=0.01)


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
def test_mains_goes_and_the_rest_stays(line_hz: float) -> None:
    wanted = tone(11.0, 500.0) + 0.01 * np.random.default_rng(1).standard_normal((1, 5000)).astype(np.float32)
    clean = Spectrum(wanted + 0.3 * tone(line_hz, 500.0), 500.0).without_mains().filtered()
    assert np.abs(clean - wanted)[:, 500:4500].std() < 0.03


@pytest.mark.parametrize(("rate_hz", "new_rate_hz"), [(500.0, 100.0), (1000.0, 250.0), (257.0, 100.0), (250.0, 1000.0)])
def test_resampling_keeps_a_tone(rate_hz: float, new_rate_hz: float) -> None:
    resampled = resample(tone(7.0, rate_hz), rate_hz, new_rate_hz)
    assert resampled.shape[1] == pytest.approx(10 * new_rate_hz, abs=1)
    edge = round(new_rate_hz)
    expected = tone(7.0, new_rate_hz)[:, : resampled.shape[1]]
    assert np.abs(resampled - expected[:, : resampled.shape[1]])[:, edge:-edge].max() < 0.01


def test_resampling_does_not_alias() -> None:
    assert np.abs(resample(tone(70.0, 500.0), 500.0, 100.0)[:, 50:-50]).max() < 0.02


def test_interpolation_is_exact_for_cubics() -> None:
    sample = np.arange(20.0)
    cubic = (0.01 * sample**3 - 0.2 * sample**2 + sample)[None]
    at = np.array([1.0, 3.25, 7.5, 16.9])
    assert np.allclose(at_samples(cubic, at)[0], 0.01 * at**3 - 0.2 * at**2 + at, atol=1e-5)


@pytest.mark.parametrize("rate_hz", [62.5, 250.0, 257.0, 360.0, 400.0, 500.0, 1000.0, 2000.0])
def test_resampling_by_the_spectrum_is_filtering_then_polyphase(sinus, rate_hz: float) -> None:
    signal = resample(sinus[1][0].astype(np.float32) / 1000, 500.0, rate_hz)
    whole = Spectrum(signal, rate_hz, new_rate_hz=100.0)
    ours = whole.resampled(0.5, 40.0)
    theirs = resample(whole.filtered(0.5, 40.0), rate_hz, 100.0)
    n = min(ours.shape[1], theirs.shape[1])
    assert ours.shape[1] == pytest.approx(1000, abs=1)
    difference = (ours[:, :n] - theirs[:, :n])[:, 20:-20]
    assert difference.std() < 0.02 * theirs.std()
    assert np.abs(difference.mean()) < 1e-3


@pytest.mark.parametrize("rate_hz", [257.0, 500.0])
def test_resampling_keeps_a_tone_and_its_time(rate_hz: float) -> None:
    time = np.arange(round(10 * rate_hz)) / rate_hz
    out = Spectrum(np.sin(2 * np.pi * 7 * time)[None].astype(np.float32), rate_hz, new_rate_hz=100.0).resampled()
    expected = np.sin(2 * np.pi * 7 * np.arange(out.shape[1]) / 100)
    assert np.abs(out[0] - expected)[30:-30].max() < 0.01
