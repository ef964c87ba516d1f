"""Numbers, reasons and names -> text of the report."""

import math

REASONS = {
    "unreadable": "the file could not be read",
    "truncated": "the signal file is shorter than its header says",
    "too_short": "too short to measure",
    "missing_leads": "too few usable leads: missing from the file",
    "flat_lead": "too few usable leads: flat",
    "gaps": "too few usable leads: gaps",
    "saturation": "too few usable leads: amplifier saturation",
    "noise": "too few usable leads: noise",
    "implausible_amplitude": "physiologically implausible amplitude",
    "no_qrs": "too few QRS complexes detected",
    "few_beats": "too few beats of the dominant shape",
    "call_rate": "too many missing genotype calls",
    "sex_mismatch": "reported and genetic sex differ",
    "sex_ambiguous": "genetic sex is ambiguous",
    "heterozygosity": "heterozygosity outlier: contamination or inbreeding",
    "withdrawn": "withdrew consent",
    "hwe": "departs from Hardy-Weinberg proportions",
    "mac": "minor allele count too small",
    "info": "imputation INFO too small",
    "filter": "FILTER of the file is not PASS",
    "contig": "contig outside 1 to 22 and X",
    "position": "position below 1",
    "alleles": "alleles other than A, C, G and T",
    "duplicate": "duplicate or monozygotic twin of a person kept in the scan",
    "sample duplicate": "duplicate or monozygotic twin of another sample",
    "variant duplicate": "same position and alleles as another variant",
    "no_genotypes": "not in the genotype files",
    "genotype_qc": "genotypes failed quality control",
    "related": "relative of a person kept in the scan",
    "no_person": "no person of the sample is known",
    "no_ecg": "no ECG that passed quality control",
    "flagged": "every ECG is paced, in AF or with bundle branch block (phenotypes.exclude)",
    "missing_covariate": "a covariate is missing",
    "stronger_outside": "the strongest variant nearby is outside the region",
    "no_variants": "no variant with a test",
    "too_many_variants": "the region has too many variants",
    "no_joint_test": "there is no joint test",
}
UNITS = {"ms": "ms", "mv": "mV", "bpm": "beats/min", "deg": "°"}
METHODS = {
    "finetuned": "fine-tuned",
    "attention": "attention pooling",
    "probe": "linear probe",
    "combined": "probe and classical intervals",
    "random": "untrained encoder",
    "supervised": "supervised, same size",
    "xresnet1d": "xresnet1d",
    "intervals": "classical intervals",
    "demographics": "age and sex",
    "embedding": "embedding, age, sex",
}
WAVES = {"p", "pr", "qrs", "qt", "r", "t", "st", "rr"}


def reason(word: str, kind: str = "") -> str:
    """A reason of an exclusion table in plain words; an unknown one without its underscores."""
    head, _, rest = word.partition(": ")  # filter: LOWQ, info: R2
    if rest and head in REASONS:
        return f"{REASONS[head]} ({rest})"
    return REASONS.get(f"{kind} {word}", REASONS.get(word, word.replace("_", " ")))


def parameter(name: str) -> str:
    """qt_ms -> QT (ms): the name of an ECG measurement with its unit."""
    parts = name.split("_")
    unit = UNITS.get(parts[-1])
    said = " ".join(part.upper() if part in WAVES else part for part in (parts[:-1] if unit else parts))
    return f"{said} ({unit})" if unit else said


def count(number: float | None) -> str:
    """12345 -> 12 345, with thin spaces; null -> en dash."""
    return "–" if number is None else f"{int(number):,}".replace(",", "\u202f")


def decimal(number: float | None, digits: int = 2) -> str:
    """Fixed decimals with a minus sign; null or not finite -> en dash."""
    if number is None or not math.isfinite(number):
        return "–"
    return f"{number:.{digits}f}".replace("-", "−")


def estimate(value: float | None, error: float | None) -> str:
    """0.123 (0.045): an estimate with its standard error."""
    return "–" if value is None else f"{decimal(value, 3)} ({decimal(error, 3)})"


def significant(number: float | None, digits: int = 3) -> str:
    """`digits` significant figures, plain from 0.001 to 10 000, else 1.2 × 10⁻⁵."""
    if number is None or not math.isfinite(number):
        return "–"
    if number == 0 or 1e-3 <= abs(number) < 1e4:
        return f"{number:.{digits}g}".replace("-", "−")
    mantissa, exponent = f"{number:.{digits - 1}e}".split("e")
    return f"{mantissa.replace('-', '−')}\u00a0×\u00a010{superscript(int(exponent))}"


def p_value(neg_log10_p: float | None) -> str:
    """p written from −log10 p, so that 10⁻⁵⁰⁰ does not underflow to 0."""
    if neg_log10_p is None or not math.isfinite(neg_log10_p):
        return "–"
    if neg_log10_p < 3:
        return f"{10**-neg_log10_p:.2g}"
    exponent = math.floor(-neg_log10_p)
    mantissa = 10 ** (-neg_log10_p - exponent)
    if round(mantissa, 1) >= 10:
        mantissa, exponent = 1.0, exponent + 1
    return f"{mantissa:.1f}\u00a0×\u00a010{superscript(exponent)}"


def percent(part: float | None, whole: float | None) -> str:
    """`part` of `whole` in percent; en dash where `whole` is 0 or null."""
    if not whole or part is None:
        return "–"
    return f"{100 * part / whole:.1f}\u00a0%"


def distance(base_pairs: float | None) -> str:
    """0 bp, 830 bp, 12.4 kb, 1.30 Mb."""
    if base_pairs is None:
        return "–"
    size = abs(base_pairs)
    if size < 1000:
        return f"{int(size)} bp"
    return f"{size / 1e3:.1f} kb" if size < 1e6 else f"{size / 1e6:.2f} Mb"


def superscript(number: int) -> str:
    """-12 -> ⁻¹²."""
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def plural(number: int, one: str, many: str | None = None) -> str:
    """1 locus, 3 loci."""
    return f"{count(number)} {one if number == 1 else (many or one + 's')}"


def test_name(name: str) -> str:
    """joint -> joint test; mean -> mean of the traits; a trait as it is."""
    return {"joint": "joint test", "mean": "mean of the traits"}.get(name, name)


def anchor(locus: str) -> str:
    """`locus` as an HTML id."""
    return "".join(c if c.isalnum() else "-" for c in locus)
