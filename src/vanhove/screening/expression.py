"""Expressions over named properties: ``mean_frequency > 300 and "Li" not in elements``.

An expression is parsed by Python's own parser, but only the few kinds of nodes below are
understood. Everything else (calls, attributes, subscripts, powers, ...) is refused, and nothing is
ever evaluated by Python itself. Kinds are checked before the work begins.

A property can be missing (a crystal without a spectrum has no mean frequency). As in SQL, what
depends on a missing value is unknown, and only a row for which the whole is true is selected.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from vanhove.errors import ConfigError

Kind = Literal["number", "text", "flag", "set"]
"""A set holds texts, or (on the right side of ``in`` alone) numbers."""
Row = Mapping[str, Any]
Value = Callable[[Row], Any]

MAXIMUM_LENGTH = 2000
"""Characters of an expression; bounds the depth of its tree."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_ALLOWED = (
    "names of properties, numbers, texts in quotes, + - * /, == != < <= > >=, in, not in, and, or, "
    "not, parentheses"
)


@dataclass(frozen=True)
class Variable:
    """A name that an expression may use; ``choices`` are the only values of a text, if not None."""

    kind: Kind
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes:
        text: as given.
        kind: of its value.
        names: of the properties that it needs.
    """

    text: str
    kind: Kind
    names: frozenset[str]
    _value: Value

    def __call__(self, row: Row) -> Any:
        """Its value for the properties of one crystal; None: unknown."""
        value = self._value(row)
        return None if isinstance(value, float) and math.isnan(value) else value


def names_in(text: str) -> list[str]:
    """The names that an expression uses, in the order of their first use.

    Raises:
        ConfigError: the text is no expression.
    """
    nodes = [node for node in ast.walk(_tree(text)) if isinstance(node, ast.Name)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(node.id for node in nodes))


def parse_expression(
    text: str, variables: Mapping[str, Variable], kind: Literal["number", "flag"]
) -> Expression:
    """Parse and check an expression whose value is a number or a flag (true or false).

    Raises:
        ConfigError: not an expression, an unknown name, or kinds that do not fit.
    """
    parser = _Parser(text, variables)
    got, value = parser.parse(_tree(text))
    if got != kind:
        wanted = "true or false" if kind == "flag" else "a number"
        raise ConfigError(f"expression {text!r} gives a {got}; needed: {wanted}")
    return Expression(text, kind, frozenset(parser.names), value)


def _tree(text: str) -> ast.expr:
    if len(text) > MAXIMUM_LENGTH:
        raise ConfigError(
            f"expression of {len(text)} characters; allowed: {MAXIMUM_LENGTH} or fewer"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is refused anyway
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"expression {text!r} cannot be read; allowed: {_ALLOWED}") from error


class _Parser:
    """Turns nodes into their kind and a function of the row."""

    def __init__(self, text: str, variables: Mapping[str, Variable]):
        self.text = text
        self.variables = variables
        self.names: set[str] = set()

    def refuse(self, reason: str) -> NoReturn:
        raise ConfigError(f"expression {self.text!r}: {reason}")

    def parse(self, node: ast.expr) -> tuple[Kind, Value]:
        if isinstance(node, ast.Name):
            return self.variable(node.id)
        if isinstance(node, ast.Constant):
            return self.constant(node.value)
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return self.collection(node)
        if isinstance(node, ast.BoolOp):
            return self.logic(node)
        if isinstance(node, ast.UnaryOp):
            return self.unary(node)
        if isinstance(node, ast.BinOp):
            return self.arithmetic(node)
        if isinstance(node, ast.Compare):
            return self.comparison(node)
        self.refuse(f"{ast.unparse(node)!r} is not allowed; allowed: {_ALLOWED}")

    def variable(self, name: str) -> tuple[Kind, Value]:
        if name not in self.variables:
            self.refuse(f"no property {name!r}; allowed: {', '.join(self.variables)}")
        self.names.add(name)
        kind = self.variables[name].kind
        if kind == "set":
            return kind, lambda row: None if row[name] is None else frozenset(row[name])
        return kind, lambda row: row[name]

    def constant(self, value: Any) -> tuple[Kind, Value]:
        if isinstance(value, bool):
            return "flag", lambda row: value
        if isinstance(value, int | float):
            number = float(value)
            return "number", lambda row: number
        if isinstance(value, str):
            return "text", lambda row: value
        self.refuse(f"{value!r} is neither a number nor a text")

    def collection(self, node: ast.Tuple | ast.List | ast.Set) -> tuple[Kind, Value]:
        if not all(isinstance(item, ast.Constant) for item in node.elts):
            self.refuse(f"{ast.unparse(node)!r} may hold only numbers or only texts in quotes")
        values = frozenset(item.value for item in node.elts)  # type: ignore[attr-defined]
        for kinds in (str, int | float):
            if all(isinstance(v, kinds) and not isinstance(v, bool) for v in values):
                return "set", lambda row: values
        self.refuse(f"{ast.unparse(node)!r} may hold only numbers or only texts in quotes")

    def flag(self, node: ast.expr) -> Value:
        kind, value = self.parse(node)
        if kind != "flag":
            self.refuse(f"{ast.unparse(node)!r} is a {kind}, not true or false")
        return value

    def number(self, node: ast.expr) -> Value:
        kind, value = self.parse(node)
        if kind != "number":
            self.refuse(f"{ast.unparse(node)!r} is a {kind}, not a number")
        return value

    def logic(self, node: ast.BoolOp) -> tuple[Kind, Value]:
        values = [self.flag(item) for item in node.values]
        decides = isinstance(node.op, ast.Or)  # the value that settles it: True for or

        def value(row: Row) -> bool | None:
            results = [item(row) for item in values]
            if decides in results:
                return decides
            return None if None in results else not decides

        return "flag", value

    def unary(self, node: ast.UnaryOp) -> tuple[Kind, Value]:
        if isinstance(node.op, ast.Not):
            flag = self.flag(node.operand)

            def inverse(row: Row) -> bool | None:
                got = flag(row)
                return None if got is None else not got

            return "flag", inverse
        if not isinstance(node.op, ast.USub | ast.UAdd):
            self.refuse(f"{ast.unparse(node)!r} is not allowed; allowed: {_ALLOWED}")
        number = self.number(node.operand)
        sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
        return "number", lambda row: None if (got := number(row)) is None else sign * got

    def arithmetic(self, node: ast.BinOp) -> tuple[Kind, Value]:
        operation = _ARITHMETIC.get(type(node.op))
        if operation is None:
            self.refuse(f"{ast.unparse(node)!r} is not allowed; allowed: {_ALLOWED}")
        left, right = self.number(node.left), self.number(node.right)

        def value(row: Row) -> float | None:
            a, b = left(row), right(row)
            if a is None or b is None or (b == 0 and operation is operator.truediv):
                return None
            return float(operation(float(a), float(b)))

        return "number", value

    def comparison(self, node: ast.Compare) -> tuple[Kind, Value]:
        sides = [node.left, *node.comparators]
        parts = [self.parse(side) for side in sides]
        for i, operation in enumerate(node.ops):
            self.check_sides(operation, sides[i], parts[i][0], sides[i + 1], parts[i + 1][0])
        steps = [_COMPARISONS[type(operation)] for operation in node.ops]

        def value(row: Row) -> bool | None:
            results = []
            values = [part(row) for _, part in parts]
            for step, a, b in zip(steps, values, values[1:], strict=False):
                results.append(None if _missing(a) or _missing(b) else bool(step(a, b)))
            if False in results:
                return False
            return None if None in results else True

        return "flag", value

    def check_sides(
        self, operation: ast.cmpop, left: ast.expr, a: Kind, right: ast.expr, b: Kind
    ) -> None:
        shown = f"{ast.unparse(left)!r} (a {a}) and {ast.unparse(right)!r} (a {b})"
        if type(operation) not in _COMPARISONS:
            self.refuse(f"{shown} cannot be compared so; allowed: {_ALLOWED}")
        if isinstance(operation, ast.In | ast.NotIn):
            fits = b == "set" and a in ("text", "number") and self.holds(right, a)
        elif isinstance(operation, ast.Eq | ast.NotEq):
            fits = a == b
        else:
            fits = a == b and a in ("number", "set")
        if not fits:
            self.refuse(f"{shown} cannot be compared so")
        self.check_choices(left, right)
        self.check_choices(right, left)

    def holds(self, node: ast.expr, kind: Kind) -> bool:
        """Whether a set is of this kind of values; properties are sets of texts."""
        if isinstance(node, ast.Name):
            return kind == "text"
        return all(isinstance(v, str) == (kind == "text") for v in _constants(node))

    def check_choices(self, node: ast.expr, other: ast.expr) -> None:
        """A misspelt value would select nothing without a word."""
        choices = self.variables[node.id].choices if isinstance(node, ast.Name) else None
        for value in _constants(other) if choices is not None else ():
            if value not in choices:  # type: ignore[operator]
                listed = ", ".join(choices)  # type: ignore[arg-type]
                self.refuse(f"{value!r} is never a value of {node.id}; allowed: {listed}")  # type: ignore[attr-defined]


def _constants(node: ast.expr) -> list[Any]:
    items = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return [item.value for item in items if isinstance(item, ast.Constant)]


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
