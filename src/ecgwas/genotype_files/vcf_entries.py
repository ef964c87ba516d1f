"""The sample fields of one VCF record -> ALT dosages: bytes in, arrays out, a few numpy operations a record.

A span is a pair of int arrays (start, end) of bytes of the record's text after FORMAT.
"""

import itertools
from dataclasses import dataclass

import numpy as np

TAB, COLON, COMMA, DOT, ZERO = b"\t:,.0"
BAR, SLASH = b"|/"
PREFERRED = ("DS", "HDS", "GP", "GT")
MICRO = {"DSU": "DS", "HDSU": "HDS", "GPU": "GP"}  # whole millionths, as written from a MatrixTable
DIGITS = 15  # that float64 holds exactly; longer numbers are read one by one
SLACK = 0.01  # by which dosages of printed probabilities pass their limits


class Malformed(ValueError):
    """A record that cannot be read; the words say why."""


def check_count(raw: bytes, samples: int) -> None:
    """`Malformed` where the text after FORMAT has another number of sample fields."""
    found = raw.count(b"\t") + 1
    if found != samples:
        raise Malformed(f"{found} sample fields, but the header names {samples} samples")


@dataclass(frozen=True)
class Text:
    """The sample fields of one record."""

    bytes: np.ndarray  # uint8
    starts: np.ndarray  # of each sample's field
    ends: np.ndarray
    colons: np.ndarray  # places of all colons
    first: np.ndarray  # of each sample's colons among them
    last: np.ndarray

    @staticmethod
    def of(raw: bytes, samples: int) -> "Text":
        """Split `raw` into `samples` fields; `Malformed` where it has another number."""
        check_count(raw, samples)
        text = np.frombuffer(raw, np.uint8)
        tabs, colons = np.flatnonzero(text == TAB), np.flatnonzero(text == COLON)
        starts, ends = np.concatenate([[0], tabs + 1]), np.concatenate([tabs, [len(text)]])
        if samples and len(colons) % samples == 0:  # as many in each, mostly
            each = len(colons) // samples
            first = np.arange(samples) * each
            last = first + each
            table = colons.reshape(samples, each)
            if not each or ((table[:, 0] >= starts).all() and (table[:, -1] < ends).all()):
                return Text(text, starts, ends, colons, first, last)
        return Text(text, starts, ends, colons, np.searchsorted(colons, starts), np.searchsorted(colons, ends))

    def field(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Span of subfield `k` of each sample; empty where trailing ones are dropped."""
        n = self.last - self.first
        padded = np.append(self.colons, 0)
        start = (
            self.starts if k == 0 else np.where(n >= k, padded[np.minimum(self.first + k - 1, len(self.colons))] + 1, 0)
        )
        end = np.where(n > k, padded[np.minimum(self.first + k, len(self.colons))], self.ends)
        return (start, end) if k == 0 else (start, np.where(n >= k, end, start))


def numbers(text: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """float64 of each span: a decimal number; NaN where it is empty, '.' or nan."""
    length = end - start
    places = np.arange(min(int(length.max(initial=0)), DIGITS))[:, None]
    inside = places < length
    bytes_ = np.where(inside, text[np.minimum(start + places, max(len(text) - 1, 0))], 0)
    digit = bytes_ - np.uint8(ZERO)  # what is below '0' wraps
    digits, dots = digit < 10, bytes_ == DOT
    value, decimals, dotted = np.zeros(len(start)), np.zeros(len(start), np.int64), np.zeros(len(start), bool)
    for d, is_digit, is_dot in zip(digit, digits, dots, strict=True):
        value = np.where(is_digit, value * 10 + d, value)
        decimals += is_digit & dotted
        dotted |= is_dot
    odd = (inside & ~digits & ~dots).any(0) | (dots.sum(0) > 1) | (length > DIGITS)
    result = np.where(digits.any(0), value / 10.0**decimals, np.nan)
    for i in np.flatnonzero(odd):
        word = text[start[i] : end[i]].tobytes()
        try:
            result[i] = float(word)
        except ValueError:
            raise Malformed(f"{word.decode(errors='replace')!r} is no number") from None
    return result


def lists(text: np.ndarray, start: np.ndarray, end: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Values float64 [sample, n] of spans of numbers split by commas, NaN beyond their end, and how many each has."""
    if n == 1:
        return numbers(text, start, end)[:, None], (end > start).astype(int)
    commas = np.flatnonzero(text == COMMA)
    first, last = np.searchsorted(commas, start), np.searchsorted(commas, end)
    padded, count = np.append(commas, 0), last - first
    values = np.full((len(start), n), np.nan)
    for j in range(n):
        a = start if j == 0 else padded[np.minimum(first + j - 1, len(commas))] + 1
        b = np.where(count > j, padded[np.minimum(first + j, len(commas))], end)
        there = count >= j
        values[there, j] = numbers(text, a[there], b[there])
    return values, np.where(end > start, count + 1, 0)


def calls(text: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Allele numbers int [sample, 2] of GT (-1 missing; a haploid call twice) and whether it is haploid.

    A missing call is written `.` whatever its ploidy, so that only one known allele is a haploid call.
    """
    length = end - start
    alleles = np.full((len(start), 2), -1)
    short, long = length == 1, length == 3
    for k, rows, shift in ((0, short | long, 0), (1, long, 2)):
        byte = text[np.where(rows, start + shift, 0)].astype(np.int64)
        known = rows & (byte >= ZERO) & (byte < ZERO + 10)
        alleles[known, k] = byte[known] - ZERO
    alleles[short, 1] = alleles[short, 0]
    middle = text[np.where(long, start + 1, 0)]
    haploid = short & (alleles[:, 0] >= 0)
    odd = (length == 2) | (length > 3) | (long & (middle != BAR) & (middle != SLASH))
    for i in np.flatnonzero(odd):  # alleles of two digits
        words = text[start[i] : end[i]].tobytes().replace(b"|", b"/").split(b"/")
        if len(words) > 2 or not all(word.isdigit() or word == b"." for word in words):
            shown = text[start[i] : end[i]].tobytes().decode(errors="replace")
            raise Malformed(f"GT {shown!r} is not of one or two alleles")
        pair = [int(word) if word.isdigit() else -1 for word in words]
        alleles[i], haploid[i] = (pair * 2)[:2] if len(pair) == 1 else pair, len(pair) == 1 and pair[0] >= 0
    return alleles, haploid


def _of_calls(alleles: np.ndarray, n_alts: int) -> np.ndarray:
    """Dosages [alt, sample] of allele numbers; a call that misses an allele is missing."""
    found = np.stack([(alleles == a).sum(1) for a in range(1, n_alts + 1)]).astype(float)
    found[:, (alleles < 0).any(1)] = np.nan
    return found


def _of_probabilities(values: np.ndarray, count: np.ndarray, n_alts: int) -> np.ndarray:
    """Dosages [alt, sample] of genotype probabilities, diploid in VCF's order (0/0, 0/1, 1/1, 0/2, …) or haploid."""
    pairs = [(j, k) for k in range(n_alts + 1) for j in range(k + 1)]
    weight = np.array([[(j == a) + (k == a) for j, k in pairs] for a in range(1, n_alts + 1)], float)
    single = np.zeros_like(weight)
    single[np.arange(n_alts), np.arange(1, n_alts + 1)] = 2
    filled, one = np.nan_to_num(values), count == n_alts + 1
    total = filled.sum(1)
    whole = ~(np.isnan(values) & (np.arange(values.shape[1]) < count[:, None])).any(1)  # no value missing of several
    present = whole & (count > 0) & (total > 0)
    wrong = present & ((np.abs(total - 1) > 0.1) | ((count != len(pairs)) & ~one))
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise Malformed(
            f"GP of sample {i + 1} is {count[i]} values of sum {total[i]:.4g}; expected {len(pairs)} of sum 1"
        )
    found = np.where(one, single @ filled.T, weight @ filled.T)
    found[:, ~present] = np.nan
    return found


def _of_dosages(values: np.ndarray, haploid: np.ndarray | None) -> np.ndarray:
    """Dosages [alt, sample] of DS [sample, alt]; one copy, of DS from 0 to 1, counts as two."""
    copies = np.where(np.zeros(len(values), bool) if haploid is None else haploid, 1, 2)
    bad = (values < -SLACK) | (values > copies[:, None] + SLACK)
    if bad.any():
        i = int(np.flatnonzero(bad.any(1))[0])
        why = "" if copies[i] == 2 else ", as it has one copy of X by its GT, HDS or GP"
        raise Malformed(f"DS of sample {i + 1} is {values[i][bad[i]][0]:.4g}, not from 0 to {copies[i]}{why}")
    return np.clip(values.T * (2 / copies), 0, 2)


def _of_haplotypes(values: np.ndarray, count: np.ndarray, n_alts: int) -> np.ndarray:
    """Dosages [1, sample] of the haplotypes' dosages HDS [sample, 2]; one haplotype counts as two."""
    if n_alts > 1:
        raise Malformed(f"HDS of {n_alts} ALT is not read: split the record with bcftools norm -m -any")
    given = ~np.isnan(values)
    bad = (given & ((values < -SLACK) | (values > 1 + SLACK))).any(1) | (count > 2)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise Malformed(f"HDS of sample {i + 1} is {values[i][0]:.4g}, …; expected one or two values from 0 to 1")
    whole = (count > 0) & (given.sum(1) == count)
    found = np.where(count == 1, 2 * values[:, 0], values.sum(1, where=given))
    return np.clip(np.where(whole, found, np.nan), 0, 2)[None]


def _field(text: Text, name: str, k: int, n_alts: int, haploid: np.ndarray | None) -> np.ndarray:
    """Dosages [alt, sample] of subfield `k`, which is `name`."""
    start, end = text.field(k)
    if name == "GT":
        return _of_calls(calls(text.bytes, start, end)[0], n_alts)
    scale = 1e-6 if name in MICRO else 1.0
    if MICRO.get(name, name) == "GP":
        values, count = lists(text.bytes, start, end, (n_alts + 1) * (n_alts + 2) // 2)
        return _of_probabilities(values * scale, count, n_alts)
    if MICRO.get(name, name) == "HDS":
        values, count = lists(text.bytes, start, end, 2)
        return _of_haplotypes(values * scale, count, n_alts)
    values, count = lists(text.bytes, start, end, n_alts)
    if ((count != n_alts) & ~np.isnan(values[:, 0])).any():
        raise Malformed(f"DS must hold {n_alts} value{'s' * (n_alts > 1)} a sample, one for each ALT")
    return _of_dosages(values * scale, haploid)


def fields(form: list[str]) -> list[tuple[str, int]]:
    """The subfields of FORMAT that tell dosages, best first: (name, place)."""
    known = {MICRO.get(name, name): (name, k) for k, name in reversed(list(enumerate(form)))}
    return [known[name] for name in PREFERRED if name in known]


def copies(text: Text, form: list[str], n_alts: int) -> np.ndarray:
    """Copies int [sample] of a place on X that GT, else HDS, else GP of a sample has; 0 where none of them says."""
    found = np.zeros(len(text.starts), int)
    if "GT" in form:
        alleles, haploid = calls(text.bytes, *text.field(form.index("GT")))
        found = np.where(haploid, 1, np.where((alleles >= 0).all(1), 2, 0))
    for name, most in (("HDS", 2), ("GP", (n_alts + 1) * (n_alts + 2) // 2)):
        place = next((k for k, word in enumerate(form) if MICRO.get(word, word) == name), None)
        if place is not None:
            values, count = lists(text.bytes, *text.field(place), most)
            whole = (count > 0) & ((~np.isnan(values)).sum(1) == count)
            one = count == (1 if name == "HDS" else n_alts + 1)
            found = np.where((found == 0) & whole, np.where(one, 1, 2), found)
    return found


def dosages(
    raw: bytes, form: list[str], n_alts: int, samples: int, on_x: bool, single: np.ndarray | None = None
) -> np.ndarray:
    """ALT dosages float64 [alt, sample] of one record, NaN missing: DS, where that is missing HDS, GP, else GT.

    On X a sample with one copy by GT, HDS or GP, or one of `single` (bool [sample]) of which these say nothing, has
    DS from 0 to 1; one copy counts as two.
    """
    text, chosen = Text.of(raw, samples), fields(form)
    haploid = None
    if on_x:
        told = copies(text, form, n_alts)
        haploid = (told == 1) if single is None else (told == 1) | ((told == 0) & single)
    found = np.full((n_alts, samples), np.nan)
    for name, k in chosen:
        missing = np.isnan(found)
        if not missing.any():
            break
        found = np.where(missing, _field(text, name, k, n_alts, haploid), found)
    return found


def split(position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Smallest form of one ALT of several: common ends trimmed (Tan et al. 2015), as Hail's min_rep."""
    if not (ref.isalpha() and alt.isalpha()):
        return position, ref, alt
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(ref[:-1], alt[:-1], strict=False)))
    return position + shared, ref[shared:], alt[shared:]
