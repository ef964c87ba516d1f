"""Angles in degrees -> means and deviations that do not depend on where the circle is cut.

The mean of angles is the direction of the sum of their unit vectors; 179 and -177 degrees average to -179 (Mardia &
Jupp 2000, Directional Statistics, chapter 2). Angles become numbers as deviations from a mean direction, so that the
cut lies opposite to it, where angles are rarest.
"""

import numpy as np

SHORT = 1e-9  # a mean vector shorter than this has no direction: opposite angles


def wrap(angles: np.ndarray) -> np.ndarray:
    """Angles, degrees, in [-180, 180)."""
    return (angles + 180.0) % 360.0 - 180.0


def mean(angles: np.ndarray) -> float:
    """Mean direction of [angle], degrees in [-180, 180), NaN excluded; NaN where there is none."""
    angles = angles[np.isfinite(angles)]
    if not len(angles):
        return float("nan")
    vector = np.exp(1j * np.radians(angles)).mean()
    return float(wrap(np.angle(vector, deg=True))) if abs(vector) > SHORT else float("nan")


def group_means(angles: np.ndarray, group: np.ndarray, n: int) -> np.ndarray:
    """[group] mean directions of [angle], degrees, by `group` [angle], 0 to n - 1; NaN where there is none."""
    seen = np.isfinite(angles)
    x, y = (np.bincount(group[seen], f(np.radians(angles[seen])), n) for f in (np.cos, np.sin))
    count = np.bincount(group[seen], minlength=n)
    short = np.hypot(x, y) <= SHORT * np.maximum(count, 1)
    return np.where(short | (count == 0), np.nan, wrap(np.degrees(np.arctan2(y, x))))


def around(angles: np.ndarray) -> np.ndarray:
    """[angle] as deviations from their mean direction, degrees in [-180, 180); from 0 where they have none."""
    middle = mean(angles)
    return wrap(angles - (middle if np.isfinite(middle) else 0.0))
