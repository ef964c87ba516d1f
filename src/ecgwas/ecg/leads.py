"""Names of leads in files -> rows of `LEADS`: one meaning for every spelling in use."""

import functools
import re
import unicodedata

from ecgwas.config import LEADS

# Words around the name: English, German, French, Spanish, Portuguese, Italian, Dutch, Scandinavian, Polish, Russian;
# MDC_ECG_LEAD_I and MDC_ECG_ELEC_POTL_I of ISO 11073-10101. The longest first, for they may be glued to the name.
_WORDS = sorted(
    {
        *("LEAD", "LEADS", "ECG", "EKG", "MDC", "ELEC", "POTL", "CHEST", "PRECORDIAL", "LIMB"),
        *("ABLEITUNG", "ABL", "DERIVATION", "DERIVACION", "DERIVACAO", "DERIVAZIONE", "DERIVATIE", "DERIV"),
        *("AFLEIDING", "AVLEDNING", "ODPROWADZENIE", "ОТВЕДЕНИЕ"),
    },
    key=len,
    reverse=True,
)
_UNITS = re.compile(r"(?<=[^ ]) (MV|UV|µV|ΜV|NV|MILLIVOLTS?|MICROVOLTS?)$")
_ROMAN = re.compile(r"D? ?(I{1,3})")  # DI, DII, DIII of Spanish and Portuguese
_DIGIT = re.compile(r"D ?([123])")
_AUGMENTED = re.compile(r"D? ?A? ?V ?([RLF])")
_CHEST = re.compile(r"D? ?V ?0?([1-6])")
_CHEST_C = re.compile(r"C ?([1-6])")  # of the IEC; C3 and C4 are also places of the EEG
_ROWS = {name.upper(): row for row, name in enumerate(LEADS)}
_LIMB_ROWS = range(6)


def plain(name: str) -> str | None:
    """The bare name in capitals, words and units around it taken off; None of an inverted lead such as -aVR.

    Accents, Roman numerals of Unicode, blanks, underscores, hyphens, dots and brackets do not matter.
    """
    text = unicodedata.normalize("NFKD", name.replace("\u2212", "-"))  # the minus sign is a hyphen
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).upper()
    text = re.sub(r"[(\[{].*$", "", text).strip()  # 'I (mV)' is I
    if re.search(r"(^|[\s_.:])-(?=\w)", text):
        return None
    text = _UNITS.sub("", re.sub(r"[\W_]+", " ", text).strip())
    while word := next((word for word in _WORDS if text.startswith(word) and text != word), None):
        text = text[len(word) :].strip()
    return " ".join(token for token in text.split() if token not in _WORDS)


def lead_row(name: str, chest_c: bool = True) -> int | None:
    """Row in `LEADS` of a lead called `name` in some file ('avr', 'Lead II', 'MDC_ECG_LEAD_V1', 'D3', 'C4'), or None.

    By the whole name only: MLII is not II, a V without a number is no chest lead, and -aVR (Cabrera) is not aVR.
    C1 to C6 are chest leads where `chest_c`.
    """
    text = plain(name)
    if not text:
        return None
    if match := _ROMAN.fullmatch(text):
        return len(match[1]) - 1
    if match := _DIGIT.fullmatch(text):
        return int(match[1]) - 1
    if match := _AUGMENTED.fullmatch(text):
        return _ROWS[f"AV{match[1]}"]
    match = _CHEST.fullmatch(text) or (_CHEST_C.fullmatch(text) if chest_c else None)
    return _ROWS[f"V{match[1]}"] if match else None


@functools.lru_cache(maxsize=1024)
def lead_rows(names: tuple[str, ...]) -> tuple[int | None, ...]:
    """Row in `LEADS` of every channel of a file, None of other signals.

    C1 to C6 are chest leads where the file also names a limb lead: alone they are places of the EEG.
    """
    rows = tuple(lead_row(name, chest_c=False) for name in names)
    if not any(row in _LIMB_ROWS for row in rows if row is not None):
        return rows
    return tuple(lead_row(name) for name in names)
