"""Entries of `phenotypes.covariates`: what they mean, and that nothing is evaluated that is not allowed."""

import random

import pytest

from ecgwas.errors import UserError
from ecgwas.phenotypes import formulas
from ecgwas.phenotypes.allowed_calls import is_safe

COLUMNS = ["age", "sex", "centre", "bmi", "f.54.0.0", "21003-0.0", "my col", "C", "log"]


def shown(*entries):
    """The terms by the names of columns."""
    made = formulas.read(entries, COLUMNS, "people.csv")
    return [made.shown(term) for term in made.terms]


@pytest.mark.parametrize(
    ("entry", "terms"),
    [
        ("age", ["age"]),
        ("age^2", ["age^2"]),
        ("age ** 2", ["age^2"]),
        ("age^1", ["age"]),
        ("age:sex", ["age:sex"]),
        ("age^2:sex", ["age^2:sex"]),
        ("age*sex", ["age", "sex", "age:sex"]),
        ("age/sex", ["age", "age:sex"]),
        ("age + sex", ["age", "sex"]),
        ("age*sex - sex", ["age", "age:sex"]),
        ("(age + sex)^2", ["age", "age:sex", "sex"]),
        ("C(centre)", ["C(centre)"]),
        ("numeric(centre)", ["centre"]),
        ("numeric(centre)^2:age", ["centre^2:age"]),
        ("bs(age, df=4)", ["bs(age, df=4)"]),
        ("bs(age, knots = c(40, 50))", ["bs(age, knots=[40, 50])"]),
        ("poly(age, 3, raw=TRUE)", ["poly(age, 3, raw=True)"]),
        ("cr(age, df=5)", ["cr(age, df=5)"]),
        ("scale(log(bmi))", ["scale(log(bmi))"]),
        ("21003-0.0", ["21003-0.0"]),
        ("21003-0.0^2:sex", ["21003-0.0^2:sex"]),
        ("f.54.0.0", ["f.54.0.0"]),
        ("C(f.54.0.0)", ["C(f.54.0.0)"]),
        ("my col", ["my col"]),
        ("C(`my col`)", ["C(my col)"]),
        ("`21003-0.0`*age", ["21003-0.0", "age", "21003-0.0:age"]),
        ("log(log)", ["log(log)"]),
        ("C(C)", ["C(C)"]),
    ],
)
def test_entries_are_formulas(entry, terms):
    assert shown(entry) == terms


def test_terms_keep_their_order_and_appear_once():
    assert shown("age", "age^2", "sex", "age:sex", "age") == ["age", "age^2", "sex", "age:sex"]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("I(age**2)", "write age\\^2"),
        ("I(__import__('os').system('touch pwned'))", "I\\(\\) is not allowed"),
        ("__import__('os')", "__import__\\(\\) is not allowed"),
        ("age.__class__", "'age.__class__' is not a column"),
        ("C(age.__class__)", "is not a column"),
        ("log(age.__class__)", "is not a column"),
        ("log(__import__('os').getcwd())", "not allowed"),
        ("bs(`__import__('os')`)", "is not a column"),
        ("lambda: 1", "'lambda' is not a column"),
        ("[x for x in (1,)]", "not allowed"),
        ("{age}", "not part of a formula"),
        ("eval('1')", "eval\\(\\) is not allowed"),
        ("np.log(age)", "np.log\\(\\) is not allowed"),
        ("exp(age)", "exp\\(\\) is not allowed"),
        ("Q('age')", "Q\\(\\) is not allowed"),
        ("hashed(age)", "hashed\\(\\) is not allowed"),
        ("log(age + 1)", "'\\+' is not allowed"),
        ("log('age')", "a call takes a column"),
        ("bs(age, _state={})", "not part of a formula"),
        ("bs(age, _state=None)", "a call takes a column"),
        ("bs(age, df=1000000000)", "a call takes a column"),
        ("bs(age, df=10**9)", "not allowed"),
        ("poly(age, degree=500)", "a call takes a column"),
        ("log(age, bmi)", "a call takes a column"),
        ("log()", "a call takes a column"),
        ("bs(bs(age))", "a call takes a column"),
        ("C(centre, contr.sum)", "takes the name of one column"),
        ("C(log(age))", "takes the name of one column"),
        ("C(centre)^2", "levels have no powers"),
        ("1", "the intercept is always in the model"),
        ("age - 1", "the intercept is always in the model"),
        ("2*age", "the intercept is always in the model"),
        ("qt ~ age", "not a column|not part of a formula"),
        (".", "not a column"),
        ("age | sex", "not part of a formula"),
        ("(age)^2", "of one column"),
        ("log(age)^2", "of one column"),
        ("age^0", "from 2 to 9"),
        ("age^2.5", "from 2 to 9"),
        ("age:age", "write age\\^2"),
        ("age:sex:age", "write age\\^2"),
        ("age +", "not a formula"),
        ("(age", "without its '\\)'"),
        ("age)", "without its '\\('"),
        ("", "an empty entry"),
        ("-age", "no term is left"),
        ("-age:sex", "no term is left"),
        ("missing", "'missing' is not a column; the table has age, sex"),
        ("+".join(["age"] * 200), "longer than"),
    ],
)
def test_what_is_no_formula_is_refused_before_it_is_evaluated(entry, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=why):
        formulas.read([entry], COLUMNS, "people.csv")
    assert not list(tmp_path.iterdir())


def test_whatever_is_written_ends_in_safe_terms_or_a_user_error():
    rng = random.Random(1)
    words = [
        *COLUMNS,
        "`my col`",
        "I",
        "C",
        "bs",
        "log",
        "numeric",
        "poly",
        "(",
        ")",
        "(",
        ")",
        "+",
        "*",
        ":",
        "^",
        "2",
        ",",
    ]
    words += [
        "df=4",
        "__import__",
        "'os'",
        ".",
        "-",
        "/",
        "[",
        "]",
        "=",
        "lambda",
        "{",
        "~",
        "eval",
        "c",
        "True",
        "\n",
        "\\",
    ]
    accepted = 0
    for _ in range(4000):
        entry = "".join(rng.choices(words, k=rng.randint(1, 8)))
        try:
            made = formulas.read([entry], COLUMNS, "people.csv")
        except UserError:
            continue
        accepted += 1
        for term in made.terms:
            for part in term.split(":"):
                assert part in made.uses or is_safe(part), (entry, part)
    assert accepted > 100


@pytest.mark.parametrize(
    "text",
    ["__r0__.__class__", "bs(__r0__)(1)", "bs(*__r0__)", "bs(__r0__, **{})", "I(__b0__ ** __b1__)", "I(__b0__ + 1)",
     "log(lambda: 1)", "log(x)", "getattr(__r0__, 'a')", "bs(__r0__, df=[__r0__])", "(lambda: 1)()",
     "bs(__r0__, df=f'{1}')",
     "bs(__r0__, df=True if 1 else 2)", "I(__b0__ ** 2, 3)", "log(bs(__r0__))"],
)  # fmt: skip
def test_syntax_trees_that_are_not_safe(text):
    assert not is_safe(text)
