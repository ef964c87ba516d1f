"""ECG parameters per recording -> int16 12-lead recordings: Gaussian waves on a heart vector, projected to leads.

The heart vector is a sum of waves, each a Gaussian in time around its beat's R peak with a fixed direction, after
McSharry et al. 2003 (IEEE TBME 50:289, a sum of Gaussians per beat) and Clifford et al. 2010 (heart vector and Dower
projection). Frontal plane: x to the left arm, y to the feet, both in mV as Einthoven's triangle sees them, so lead I
is x, and a lead at angle a of the hexaxial system sees A cos(a - axis). z points backwards. V1 to V6 use the
coefficients of Dower et al. 1980 (J Electrocardiol 13:203).

What the parameters mean, for waves exp(-u²/2), u = (time - centre)/sigma:
- QRS onset and offset lie 2.5 sigma outside the centres of Q and S; R is in the middle; `qrs_ms` is their distance.
- `pr_ms`: P onset (2.5 sigma before its centre, where the wave is at 4 % of its height) to QRS onset.
- `qt_ms`: QRS onset to T end, where the tangent at the steepest descent meets the baseline: 2 sigma after the peak
  (Lepeschkin and Surawicz 1952). It is the QT at the recording's mean rate; a beat adapts by 0.08 of the deviation of
  its RR interval from the mean.
- amplitudes: length of the wave's frontal vector at its peak; axes: its direction, 0° = lead I, 90° = aVF.
- AF, pacing, bundle branch block and extrasystoles override what they must (no P, wider QRS, faster rate).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ecgwas.simulate.ecg_noise import ARTEFACTS, add_artefacts, background
from ecgwas.simulate.ecg_rhythm import RHYTHMS, Beats, draw_beats

CHUNK = 64  # recordings generated at once; part of the definition of a seed's output

# Rows I, II, V1..V6; columns x, y, z. Dower's frontal unit is about 1.35 of the triangle's.
LEAD_FIELD = np.array(
    [
        [1.0, 0.0, 0.0],
        [0.5, 3**0.5 / 2, 0.0],
        [-0.70, 0.21, -1.24],
        [0.06, 0.22, -1.87],
        [1.19, 0.13, -1.72],
        [1.64, 0.17, -0.81],
        [1.52, 0.17, -0.12],
        [1.12, 0.10, 0.31],
    ]
)


@dataclass(frozen=True)
class Parameter:
    """A person's ECG parameter. Effects are in its SD: age, bmi and heart_rate per SD of those, male against female."""

    mean: float
    sd: float
    low: float
    high: float
    unit: str
    age: float = 0.0
    male: float = 0.0
    bmi: float = 0.0
    heart_rate: float = 0.0


# Round figures for middle-aged adults, chosen to be plausible (normal limits: Rijnbeek et al. 2014, J Electrocardiol
# 47:914). P waves vary enough in height for it to be told from their timing in a median beat.
PARAMETERS = {
    "heart_rate_bpm": Parameter(68.0, 10.0, 42.0, 115.0, "beats/min", male=-0.25, bmi=0.15),
    "pr_ms": Parameter(160.0, 20.0, 115.0, 260.0, "ms", age=0.20, male=0.25, bmi=0.10, heart_rate=-0.15),
    "qrs_ms": Parameter(92.0, 10.0, 66.0, 135.0, "ms", age=0.05, male=0.70),
    "qt_ms": Parameter(400.0, 28.0, 310.0, 500.0, "ms", age=0.15, male=-0.30, heart_rate=-0.60),
    "p_amplitude_mv": Parameter(0.14, 0.045, 0.04, 0.30, "mV", age=-0.05, heart_rate=0.15),
    "r_amplitude_mv": Parameter(1.00, 0.28, 0.35, 2.20, "mV", age=-0.10, male=0.15, bmi=-0.20),
    "t_amplitude_mv": Parameter(0.30, 0.09, 0.07, 0.75, "mV", age=-0.20, male=0.40, heart_rate=-0.20),
    "qrs_axis_deg": Parameter(40.0, 26.0, -60.0, 110.0, "degrees", age=-0.30, bmi=-0.30),
    "t_axis_deg": Parameter(42.0, 16.0, -20.0, 95.0, "degrees", age=-0.10),
}

WITHIN_PERSON = 0.2  # SD of a recording about its person's value, in SD of the population
WITHIN_PERSON_RATE = 0.5  # the same of heart rate: ICC about 0.8
QT_ADAPTATION = 0.08  # s of QT per s of RR, beat to beat

# Waves in the order of the source arrays: extra = terminal or notch of bundle branch block, v = extrasystole.
WAVES = ("p", "q", "r", "s", "t", "extra", "v_qrs", "v_t", "spike")
FIBRILLATION = len(WAVES)  # one more source: the fibrillation of the atria


class Waves(NamedTuple):
    """Waves of n recordings, w = len(WAVES): what is common to a recording's beats."""

    offset: np.ndarray  # [n, w] s, centre relative to the R peak
    rise: np.ndarray  # [n, w] s, sigma before the peak
    fall: np.ndarray  # [n, w] s, sigma after the peak
    vector: np.ndarray  # [n, w + 1, 3] mV


def recording_parameters(person: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Parameters [n] of one recording each of n people: the person's value, plus what differs from day to day.

    Heart rate varies most and takes QT with it, with the population's slope.
    """
    drift = {name: WITHIN_PERSON * rng.standard_normal(len(values)) for name, values in person.items()}
    drift["heart_rate_bpm"] *= WITHIN_PERSON_RATE / WITHIN_PERSON
    drift["qt_ms"] += PARAMETERS["qt_ms"].heart_rate * drift["heart_rate_bpm"]
    return {
        name: np.clip(values + drift[name] * PARAMETERS[name].sd, PARAMETERS[name].low, PARAMETERS[name].high)
        for name, values in person.items()
    }


def simulate_recordings(
    parameters: dict[str, np.ndarray],
    rhythm: np.ndarray,
    rng: np.random.Generator,
    rate_hz: float = 500,
    seconds: float = 10.0,
    artefact: np.ndarray | None = None,
) -> np.ndarray:
    """Recordings [n, 12, samples] int16 in microvolts, leads in the order of `config.LEADS`.

    `parameters` holds [n] values for each name of PARAMETERS; `rhythm` [n] of RHYTHMS; `artefact` [n] of ARTEFACTS.
    """
    n, samples = len(rhythm), round(rate_hz * seconds)
    artefact = np.full(n, "none") if artefact is None else np.asarray(artefact)
    assert set(rhythm) <= set(RHYTHMS), set(rhythm)
    assert set(artefact) <= set(ARTEFACTS), set(artefact)
    out = np.empty((n, 12, samples), np.int16)
    for start in range(0, n, CHUNK):
        rows = slice(start, min(start + CHUNK, n))
        chunk = {name: np.asarray(values[rows], float) for name, values in parameters.items()}
        signals = _chunk(chunk, np.asarray(rhythm)[rows], artefact[rows], rng, rate_hz, samples)
        out[rows] = twelve_leads(np.rint(signals).astype(np.int16))
    return out


def twelve_leads(independent: np.ndarray) -> np.ndarray:
    """Integer leads [..., 12, samples] from I, II, V1..V6 [..., 8, samples].

    III = II - I exactly; the augmented leads follow Goldberger, rounded down to a whole count: aVR = -(I + II)/2,
    aVL = I - II/2, aVF = II - I/2.
    """
    one, two = independent[..., :1, :].astype(np.int32), independent[..., 1:2, :].astype(np.int32)
    limb = [one, two, two - one, -(one + two) >> 1, (2 * one - two) >> 1, (2 * two - one) >> 1]
    return np.concatenate([np.concatenate(limb, -2).astype(independent.dtype), independent[..., 2:, :]], -2)


def _chunk(
    parameters: dict[str, np.ndarray],
    rhythm: np.ndarray,
    artefact: np.ndarray,
    rng: np.random.Generator,
    rate_hz: float,
    samples: int,
) -> np.ndarray:
    """Leads [n, 8, samples] float32 in microvolts of one chunk, noise and artefacts included."""
    beats = draw_beats(parameters["heart_rate_bpm"], rhythm, rng, samples / rate_hz)
    waves = _waves(parameters, rhythm, rng)
    sources = _sources(waves, beats, rate_hz, samples)
    sources[:, FIBRILLATION] = _fibrillation(rhythm, rng, rate_hz, samples)
    leads = np.matmul(
        (_lead_field(len(rhythm), rng) @ waves.vector.transpose(0, 2, 1) * 1e3).astype(np.float32), sources
    )
    leads += background(artefact, rng, rate_hz, samples)
    return add_artefacts(leads, artefact, rng, rate_hz)


def _lead_field(n: int, rng: np.random.Generator) -> np.ndarray:
    """Projections [n, 8, 3]: electrodes never sit twice in the same place, which matters for the chest leads."""
    gain = 1 + np.array([0.02] * 2 + [0.03] * 6)[:, None] * rng.standard_normal((n, 8, 1))
    shift = np.array([0.01] * 2 + [0.03] * 6)[:, None] * rng.standard_normal((n, 8, 3))
    return LEAD_FIELD * gain + shift


def _frontal(length: np.ndarray, degrees: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Vectors [n, 3] from frontal length and axis, and z as a share of the length."""
    angle = np.deg2rad(degrees)
    return np.stack([length * np.cos(angle), length * np.sin(angle), length * z], -1)


def _waves(parameters: dict[str, np.ndarray], rhythm: np.ndarray, rng: np.random.Generator) -> Waves:
    """The waves of each recording, with the variation that no parameter describes (heights of Q and S, depth z)."""
    n = len(rhythm)
    wide = {name: rhythm == name for name in ("paced", "lbbb", "rbbb")}
    qrs = parameters["qrs_ms"] / 1e3
    qrs = qrs + np.select(list(wide.values()), [0.070, 0.055, 0.045], 0.0)
    qt = parameters["qt_ms"] / 1e3 + 0.6 * (qrs - parameters["qrs_ms"] / 1e3)
    fall = 0.105 * qt
    p_sigma = np.full(n, 0.022)
    onset = -qrs / 2
    offset = np.stack(
        [
            onset - parameters["pr_ms"] / 1e3 + 2.5 * p_sigma,
            -0.30 * qrs,
            np.zeros(n),
            0.30 * qrs,
            onset + qt - 2 * fall,
            np.where(wide["rbbb"], 0.30, 0.22) * qrs,
            np.zeros(n),
            np.full(n, 0.30),
            onset - 0.006,
        ],
        -1,
    )
    broad = wide["lbbb"] | wide["paced"]
    rise = np.stack(
        [
            p_sigma,
            0.08 * qrs,
            np.where(broad, 0.15, 0.11) * qrs,
            0.08 * qrs,
            1.5 * fall,
            0.08 * qrs,
            np.full(n, 0.032),
            np.full(n, 0.060),
            np.full(n, 0.0012),
        ],
        -1,
    )
    tail = rise.copy()
    tail[:, WAVES.index("t")] = fall
    return Waves(offset, rise, tail, _vectors(parameters, rhythm, rng))


def _vectors(parameters: dict[str, np.ndarray], rhythm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Heart vectors [n, w + 1, 3] in mV of the waves of WAVES and of the fibrillation."""
    n = len(rhythm)
    r, axis, one = parameters["r_amplitude_mv"], parameters["qrs_axis_deg"], np.ones(n)
    t, t_axis = parameters["t_amplitude_mv"], parameters["t_axis_deg"]
    paced, left, right = (rhythm == name for name in ("paced", "lbbb", "rbbb"))
    broad = paced | left

    def vary(mean: float, sd: float) -> np.ndarray:
        return mean + sd * rng.standard_normal(n)

    axis = np.where(paced, -65.0, np.where(left, axis - 35, axis))
    # Secondary T: against the QRS where conduction is abnormal.
    t_axis = np.where(broad, axis + 180, t_axis)
    extra = np.where(right, 0.45, np.where(broad, 0.5, 0.0)) * r
    extra_axis = np.where(right, 180.0, axis)
    return np.stack(
        [
            _frontal(parameters["p_amplitude_mv"], vary(55, 6), vary(0.05, 0.05)),
            _frontal(np.where(broad, 0, vary(0.17, 0.03)) * r, axis + vary(170, 10), vary(-1.3, 0.15)),
            _frontal(r, axis, np.where(broad, 0.9, vary(0.45, 0.08))),
            _frontal(np.where(broad | right, 0.05, vary(0.20, 0.03)) * r, axis + vary(-140, 10), vary(1.3, 0.15)),
            _frontal(t, t_axis, np.where(broad, 0.9, vary(-0.25, 0.08))),
            _frontal(extra, extra_axis, np.where(right, -1.0, 0.6)),
            _frontal(vary(1.5, 0.2), vary(100, 30), vary(-0.5, 0.3)),
            _frontal(vary(0.5, 0.1), vary(-80, 30), vary(0.5, 0.3)),
            _frontal(1.2 * one, vary(-70, 10), vary(-0.3, 0.1)),
            _frontal(vary(0.06, 0.01), vary(70, 10), vary(-0.8, 0.1)),
        ],
        1,
    )


def _sources(waves: Waves, beats: Beats, rate_hz: float, samples: int) -> np.ndarray:
    """Unit-height time courses [n, w + 1, samples] float32 of every wave; each is evaluated near its beat only."""
    pad = round(3 * rate_hz)
    padded = np.zeros((len(waves.offset), len(WAVES) + 1, samples + 2 * pad), np.float32)
    for w, name in enumerate(WAVES):
        height = beats.height(name)
        shift = QT_ADAPTATION * beats.rr_deviation if name == "t" else 0.0
        centre = (beats.r_time + waves.offset[:, w, None] + shift) * rate_hz
        # Neighbouring beats' windows may overlap, those of every second beat do not: the index stays unique.
        for parity in (0, 1):
            row, beat = np.nonzero(height[:, parity::2])
            if len(row):
                beat = 2 * beat + parity
                rise, fall = waves.rise[row, w] * rate_hz, waves.fall[row, w] * rate_hz
                _add_gaussians(padded[:, w], row, centre[row, beat] + pad, rise, fall, height[row, beat])
    return np.ascontiguousarray(padded[:, :, pad : pad + samples])


def _add_gaussians(
    target: np.ndarray, row: np.ndarray, centre: np.ndarray, rise: np.ndarray, fall: np.ndarray, height: np.ndarray
) -> None:
    """Add height * exp(-u²/2), u = (sample - centre)/(rise before, fall after), within 4 sigma, to `target` [n, s]."""
    first, last = -int(4 * rise.max()) - 1, int(4 * fall.max()) + 2
    sample = np.rint(centre).astype(np.int64)[:, None] + np.arange(first, last)
    u = (sample - centre[:, None]).astype(np.float32)
    u *= np.where(u < 0, 1 / rise[:, None], 1 / fall[:, None]).astype(np.float32)
    u *= u
    u *= -0.5
    np.exp(u, out=u)
    target[row[:, None], sample] += u * height[:, None].astype(np.float32)


def _fibrillation(rhythm: np.ndarray, rng: np.random.Generator, rate_hz: float, samples: int) -> np.ndarray:
    """Fibrillation waves [n, samples]: 4 to 7 Hz with wandering phase and height, and one harmonic; 0 unless AF."""
    out = np.zeros((len(rhythm), samples), np.float32)
    rows = np.flatnonzero(rhythm == "af")
    if len(rows):
        time = np.arange(samples) / rate_hz
        frequency = rng.uniform(4, 7, (len(rows), 1))
        phase = rng.uniform(0, 2 * np.pi, (2, len(rows), 1))
        angle = 2 * np.pi * frequency * time + phase[0] + 1.5 * np.sin(2 * np.pi * 0.31 * time + phase[1])
        out[rows] = (0.8 + 0.2 * np.sin(1.7 * time + phase[1])) * (np.sin(angle) + 0.35 * np.sin(2 * angle))
    return out
