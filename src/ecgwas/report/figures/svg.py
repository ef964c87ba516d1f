"""Points and scales -> SVG text: the elements of the report's figures.

Colours are classes of page.css, so that a figure follows the reader's light or dark setting; nothing depends
on installed fonts or on the time, so equal data give equal bytes.
"""

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np


@dataclass(frozen=True)
class Scale:
    """Linear map from data [low, high] to pixels [start, stop]."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, values: np.ndarray | float) -> np.ndarray:
        span = (self.high - self.low) or 1.0
        return self.start + (np.asarray(values, float) - self.low) / span * (self.stop - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 5 × 10ᵏ apart) within [low, high]."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def element(tag: str, content: str | None = None, **attributes: object) -> str:
    """One element; `class_` is class, underscores are hyphens, numbers keep two decimals. `content` is markup."""
    pairs = "".join(f' {_attribute(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    return f"<{tag}{pairs}/>" if content is None else f"<{tag}{pairs}>{content}</{tag}>"


def text(x: float, y: float, words: str, class_: str = "tick", **attributes: object) -> str:
    """Text at a position."""
    return element("text", escape(words), x=x, y=y, class_=class_, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def dot(x: float, y: float, r: float, class_: str, title: str | None = None) -> str:
    """A circle; `title` is shown as a tooltip."""
    content = None if title is None else element("title", escape(title))
    return element("circle", content, cx=float(x), cy=float(y), r=r, class_=class_)


def path(x: np.ndarray, y: np.ndarray, class_: str, closed: bool = False) -> str:
    """A polyline through (x, y) [point], or the area it bounds."""
    points = "L".join(f"{_value(float(a))},{_value(float(b))}" for a, b in zip(x, y, strict=True))
    return element("path", d=f"M{points}{'Z' if closed else ''}", class_=class_) if points else ""


def diamond(x: float, y: float, r: float, class_: str, title: str) -> str:
    """A diamond, the mark of a lead variant."""
    corners = f"M{x:.2f},{y - r:.2f}L{x + r:.2f},{y:.2f}L{x:.2f},{y + r:.2f}L{x - r:.2f},{y:.2f}Z"
    return element("path", element("title", escape(title)), d=corners, class_=class_)


def figure(width: int, height: int, parts: Sequence[str], title: str) -> str:
    """The whole figure, with a title for screen readers."""
    head = element("title", escape(title))
    return element("svg", head + "".join(parts), viewBox=f"0 0 {width} {height}", role="img", class_="figure")


def y_axis(scale: Scale, x: float, right: float, label: str, at: Sequence[float] | None = None) -> str:
    """Vertical axis at pixel `x` with light rules to pixel `right`; at most six numbers."""
    marks = ticks(scale.low, scale.high) if at is None else at
    parts = []
    for mark in marks:
        y = float(scale(mark))
        parts += [line(x, y, right, y, "rule"), text(x - 7, y + 4, number(mark), text_anchor="end")]
    middle = (scale.start + scale.stop) / 2
    turned = text(
        x - 42, middle, label, "label", text_anchor="middle", transform=f"rotate(-90 {x - 42:.0f} {middle:.0f})"
    )
    return "".join(parts) + turned


def x_axis(scale: Scale, y: float, label: str, divide: float = 1.0, about: int = 6) -> str:
    """Horizontal axis at pixel `y`; numbers are written divided by `divide` (1e6: Mb)."""
    parts = [line(scale.start, y, scale.stop, y, "axis")]
    for mark in ticks(scale.low / divide, scale.high / divide, about):
        x = float(scale(mark * divide))
        parts += [line(x, y, x, y + 4, "axis"), text(x, y + 18, number(mark), text_anchor="middle")]
    return "".join(parts) + text((scale.start + scale.stop) / 2, y + 38, label, "label", text_anchor="middle")


def number(value: float) -> str:
    """The number of a tick without trailing zeros."""
    written = f"{value:,.10g}".replace(",", "\u202f").replace("-", "−")
    return "0" if written == "−0" else written


def raster(
    x: np.ndarray, y: np.ndarray, colour: np.ndarray, box: tuple[float, float, float, float], radius: float
) -> str:
    """Points as one PNG image that fills `box` (left, top, width, height), for millions of points.

    x, y [point] are pixels of the figure, colour [point, 3] is 0 to 255, radius is in pixels. The image has
    twice the figure's resolution; points that fall on one of its pixels are drawn once.
    """
    left, top, width, height = box
    scale, shape = 2, (math.ceil(height * 2), math.ceil(width * 2))
    column = np.clip(np.rint((x - left) * scale), 0, shape[1] - 1).astype(np.int64)
    row = np.clip(np.rint((y - top) * scale), 0, shape[0] - 1).astype(np.int64)
    _, first = np.unique(row * shape[1] + column, return_index=True)
    pixels = np.zeros((*shape, 4), np.uint8)
    reach = math.ceil(radius * scale)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if math.hypot(dx, dy) <= radius * scale:
                r, c = row[first] + dy, column[first] + dx
                inside = (r >= 0) & (r < shape[0]) & (c >= 0) & (c < shape[1])
                pixels[r[inside], c[inside], :3] = colour[first][inside]
                pixels[r[inside], c[inside], 3] = 255
    data = "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
    return element("image", x=left, y=top, width=width, height=height, href=data)


def png(pixels: np.ndarray) -> bytes:
    """pixels [row, column, 4] uint8 -> PNG file, without metadata (PNG specification, W3C 2003)."""
    rows, columns, _ = pixels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _attribute(key: str) -> str:
    return key if key == "viewBox" else key.rstrip("_").replace("_", "-")


def _value(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(str(value))
