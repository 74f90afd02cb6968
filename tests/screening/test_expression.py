"""Expressions: values as Python's, unknown as SQL's, everything else refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vanhove.errors import ConfigError
from vanhove.screening.expression import Variable, names_in, parse_expression

VARIABLES = {
    "x": Variable("number"),
    "y": Variable("number"),
    "system": Variable("text", ("cubic", "trigonal")),
    "formula": Variable("text"),
    "metal": Variable("flag"),
    "elements": Variable("set"),
}
ROW = {
    "x": 3.0,
    "y": -0.5,
    "system": "cubic",
    "formula": "NaCl",
    "metal": False,
    "elements": ["Cl", "Na"],
}
NUMBERS = st.one_of(
    st.sampled_from(["x", "y"]),
    st.integers(-9, 9).map(str),
    st.floats(-9, 9).map(lambda value: f"{value:.3f}"),
)
FLAGS = st.sampled_from(["metal", "True", "False", "system == 'cubic'", "'Na' in elements"])


def numbers(depth: int = 3) -> st.SearchStrategy[str]:
    if depth == 0:
        return NUMBERS
    inner = numbers(depth - 1)
    return st.one_of(
        NUMBERS,
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("-{}".format, inner),
    )


def flags(depth: int = 3) -> st.SearchStrategy[str]:
    if depth == 0:
        return FLAGS
    inner = flags(depth - 1)
    operators = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return st.one_of(
        FLAGS,
        st.builds("({} {} {})".format, numbers(2), operators, numbers(2)),
        st.builds(
            "({} {} {} {} {})".format, numbers(1), operators, numbers(1), operators, numbers(1)
        ),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("(not {})".format, inner),
    )


def flag(text: str, **values):
    return parse_expression(text, VARIABLES, "flag")({**ROW, **values})


@settings(max_examples=150, deadline=None)
@given(text=numbers(), x=st.floats(-100, 100), y=st.floats(-100, 100))
def test_numbers_are_those_of_python(text, x, y):
    row = {**ROW, "x": x, "y": y}
    try:
        expected = eval(text, {}, row)
    except ZeroDivisionError:
        expected = None
    got = parse_expression(text, VARIABLES, "number")(row)
    assert got == pytest.approx(expected) or (expected is not None and math.isnan(expected))


@settings(max_examples=150, deadline=None)
@given(text=flags(), x=st.floats(-100, 100), y=st.floats(-100, 100))
def test_truth_is_that_of_python(text, x, y):
    row = {**ROW, "x": x, "y": y}
    try:
        expected = eval(text, {}, row)
    except ZeroDivisionError:
        return
    assert parse_expression(text, VARIABLES, "flag")(row) is bool(expected)


@settings(max_examples=100, deadline=None)
@given(text=flags())
def test_a_missing_value_never_changes_what_is_known(text):
    """Known without x means: the same for every x."""
    try:
        known = flag(text, x=None)
        values = [flag(text, x=x) for x in (-1e3, 0.0, 2.5, 1e3)]
    except ZeroDivisionError:
        pytest.fail("division by zero is unknown, not an error")
    if known is not None:
        assert set(values) <= {known, None}
    assert flag(text, x=math.nan) is known


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.text(alphabet="xy() +-*/<>=!'\"[]{}.,:0123456789inotandr", max_size=40),
    )
)
def test_any_text_is_understood_or_refused(text):
    try:
        expression = parse_expression(text, VARIABLES, "flag")
    except ConfigError:
        return
    assert expression(ROW) in (True, False, None)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "x.real > 1",
        "elements[0] == 'Na'",
        "x ** 9 > 1",
        "(lambda: x)() > 1",
        "[x for x in elements] == elements",
        "x if metal else y",
        "f'{x}' == 'a'",
        "(x := 2) > 1",
        "x % 2 == 0",
        "x is 3",
        "b'a' == formula",
        "*x",
        "",
        "x > 1; y",
        "x >",
        "(" * 500 + "x" + ")" * 500 + " > 1",
        "x > 1 or " * 300 + "metal",
        "\0",
    ],
)
def test_what_is_not_listed_is_refused(text):
    with pytest.raises(ConfigError, match="expression"):
        parse_expression(text, VARIABLES, "flag")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("z > 1", "no property 'z'; allowed: x, y, system"),
        ("x", "gives a number; needed: true or false"),
        ("system > 3", "cannot be compared"),
        ("x == 'cubic'", "cannot be compared"),
        ("'Na' in formula", "cannot be compared"),
        ("x in ('a', 'b')", "cannot be compared"),
        ("1 in elements", "cannot be compared"),
        ("x and metal", "is a number, not true or false"),
        ("system == 'cubik'", "'cubik' is never a value of system; allowed: cubic, trigonal"),
        ("system in ('cubic', 'hex')", "'hex' is never a value"),
        ("('a', x) == elements", "may hold only"),
    ],
)
def test_kinds_must_fit(text, reason):
    with pytest.raises(ConfigError, match=reason.replace("(", r"\(")):
        parse_expression(text, VARIABLES, "flag")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("system in ('cubic', 'trigonal')", True),
        ("x in (1, 3)", True),
        ("x not in [1, 2]", True),
        ("{'Na'} < {'Na', 'Cl'}", True),
        ("elements == {'Na', 'Cl'}", True),
        ("elements <= ('Na', 'K')", False),
        ("'K' not in elements and formula != 'KCl'", True),
        ("1 < x <= 3", True),
        ("x / 0 > 1", None),
        ("x / 0 > 1 or x > 1", True),
    ],
)
def test_examples(text, expected):
    assert flag(text) is expected


def test_names():
    assert names_in("y > x and 'a' in elements or x < y") == ["y", "x", "elements"]
