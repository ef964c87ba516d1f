"""Measures of a recording -> one quality score, and the words for what is wrong with it.

The score is a logistic model of twelve measures. Its weights were fitted by `benchmarks/quality.py --fit_weights true`
on the labels of the PhysioNet/CinC Challenge 2011 (set-a); the benchmark also says how well recordings are judged
that had no part in the fit.
"""

from collections.abc import Mapping

import numpy as np

FAULTY_LEADS = ("missing_leads", "flat_leads", "saturated_leads", "noisy_leads", "large_leads")
# Measure, what is added before the logarithm, and what stands for a measure that could not be taken (the worst).
LOGARITHMS = (
    ("step_mv", 0.01, 5.0),
    ("wander_mv", 0.01, 5.0),
    ("largest_mv", 0.1, 30.0),
    ("noise_mv", 0.003, 0.1),
    ("spread_mv", 0.003, 0.5),
    ("spread_ratio", 0.01, 0.5),
    ("mains_mv", 0.002, 0.1),
    ("lead_range_mv", 0.01, 0.02),
)
FEATURES = ("intercept", "faulty", "faulty_leads", "disagreeing", "bursts", *(name for name, _, _ in LOGARITHMS))
WEIGHTS = np.array([-0.587, 2.284, 2.057, 1.481, 0.282, 0.337, 0.118, 0.235, -0.355, 0.273, 0.946, 0.479, -0.027])

# Words for measures beyond a limit that need not cost the recording: name, measure, limit, whether above is wrong.
WARNINGS = (
    ("mains", "mains_mv", 0.1, True),
    ("wander", "wander_mv", 1.0, True),
    ("muscle_noise", "noise_mv", 0.05, True),
    ("step", "step_mv", 1.5, True),
    ("limb_leads_disagree", "einthoven_uv", 100.0, True),
    ("few_alike_beats", "agreeing_share", 0.6, False),
    ("limb_reversal", "arm_agreement", -0.4, False),
    ("small_amplitude", "qrs_mv", 0.45, False),
    ("large_amplitude", "qrs_mv", 8.0, True),
    ("flat_lead", "flat_leads", 0, True),
    ("missing_lead", "missing_leads", 0, True),
    ("saturation", "saturated_leads", 0, True),
    ("noisy_lead", "noisy_leads", 0, True),
    ("large_lead", "large_leads", 0, True),
    ("no_qrs", "qrs_per_s", 0.4, False),
)
MILLIVOLT_WORDS = {"mains", "wander", "muscle_noise", "step", "small_amplitude", "large_amplitude"}


def features(measures: Mapping) -> np.ndarray:
    """[feature] of FEATURES; larger is worse, but for the intercept and the range of the smallest lead."""
    faulty = sum(measures.get(name, len(FAULTY_LEADS)) for name in FAULTY_LEADS)
    logs = []
    for name, least, worst in LOGARITHMS:
        value = measures.get(name, worst)
        logs.append(np.log10(least + min(value if np.isfinite(value) else worst, 100.0)))
    start = [1.0, float(faulty > 0), min(faulty, 4) / 4, 1 - measures.get("agreeing_share", 0.0)]
    return np.array([*start, measures.get("burst_share", 1.0), *logs])


def quality_score(measures: Mapping) -> float:
    """Probability, 0 to 1, that an annotator calls the recording acceptable."""
    return float(1 / (1 + np.exp(np.clip(features(measures) @ WEIGHTS, -50, 50))))


def words(measures: Mapping) -> list[str]:
    """What is beyond its limit, after the `words` that come with the measures."""
    found = list(measures.get("words", []))
    for word, name, limit, above in WARNINGS:
        value = measures.get(name)
        if value is None or (word in MILLIVOLT_WORDS and measures.get("unit") != "mV"):
            continue
        if value > limit if above else value < limit:
            found.append(word)
    return found


def with_score(measures: dict) -> dict:
    """`measures` with score and words; the score is null without mV, in which most of it is measured."""
    known = measures.get("unit") == "mV" or "unit" not in measures
    return measures | {"score": quality_score(measures) if known else None, "warnings": words(measures)}
