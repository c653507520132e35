"""Numbers: arithmetic, statistics, units, bases, factors, growth."""

from __future__ import annotations

import ast
import math
import operator
import statistics as stats
from collections.abc import Callable
from typing import Any, Literal

from mastra.errors import InvalidInput
from mastra.tools.tool import tool

_MAX_BITS = 10_000
_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "round": round, "min": min, "max": max, "sqrt": math.sqrt, "exp": math.exp, "log": math.log,
    "log2": math.log2, "log10": math.log10, "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin,
    "acos": math.acos, "atan": math.atan, "atan2": math.atan2, "floor": math.floor, "ceil": math.ceil,
    "hypot": math.hypot, "degrees": math.degrees, "radians": math.radians, "gcd": math.gcd,
}  # fmt: skip
_NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau}


def evaluate(expression: str) -> float:
    """The value of an arithmetic expression; nothing but numbers, operators and the listed functions."""
    if len(expression) > 1000:
        raise InvalidInput("The expression is longer than 1000 characters.")
    try:
        tree = ast.parse(expression.replace("^", "**"), mode="eval")
        value: float | complex = _value(tree.body, 0)
        # A whole number may be too long to be a float: that is an overflow too.
        is_number = not isinstance(value, complex) and math.isfinite(value)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise InvalidInput("This is not an arithmetic expression.") from error
    except (ArithmeticError, ValueError, TypeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"This cannot be computed: {error}.") from error
    if not is_number or isinstance(value, complex):
        raise InvalidInput("The result is no finite real number.")
    return value


def _value(node: ast.AST, depth: int) -> Any:
    if depth > 100:
        raise InvalidInput("The expression is nested too deeply.")
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return _bounded(node.value)
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand, depth + 1)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, depth + 1), _value(node.right, depth + 1)
        if isinstance(node.op, ast.Pow):
            return _bounded(_power(left, right))
        if type(node.op) in _OPERATORS:
            return _bounded(_OPERATORS[type(node.op)](left, right))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _FUNCTIONS
        and not node.keywords
    ):
        return _bounded(_FUNCTIONS[node.func.id](*(_value(one, depth + 1) for one in node.args)))
    raise InvalidInput(
        "The expression uses something that is no arithmetic.", hint=f"Functions: {', '.join(sorted(_FUNCTIONS))}."
    )


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        if base.bit_length() * exponent > _MAX_BITS:
            raise InvalidInput("The power is too large.")
        return base**exponent
    return float(base) ** float(exponent)


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise InvalidInput("A number is too large.")
    return value


@tool
async def calculate(expression: str) -> float:
    """Compute an arithmetic expression exactly, like "2 * (3 + 4) ^ 2" or "sqrt(2) / 3".

    Args:
        expression: Numbers, + - * / // % ^, brackets, and functions like sqrt, log, sin, round, min, max.
    """
    return evaluate(expression)


@tool
async def describe_numbers(numbers: list[float]) -> dict[str, Any]:
    """Count, sum, mean, median, smallest, largest, standard deviation and quartiles of numbers."""
    if not numbers:
        raise InvalidInput("There are no numbers.")
    out: dict[str, Any] = {"count": len(numbers), "sum": math.fsum(numbers), "mean": stats.fmean(numbers)}
    out.update(median=stats.median(numbers), min=min(numbers), max=max(numbers))
    if len(numbers) > 1:
        out["standard_deviation"] = stats.stdev(numbers)
        out["quartiles"] = stats.quantiles(numbers, n=4, method="inclusive")
    return out


_UNITS: dict[str, dict[str, float]] = {
    "length": {"m": 1, "km": 1000, "cm": 0.01, "mm": 0.001, "mi": 1609.344, "yd": 0.9144, "ft": 0.3048, "in": 0.0254,
               "nmi": 1852},
    "mass": {"kg": 1, "g": 0.001, "mg": 1e-6, "t": 1000, "lb": 0.45359237, "oz": 0.028349523125, "st": 6.35029318},
    "volume": {"l": 1, "ml": 0.001, "m3": 1000, "gal": 3.785411784, "qt": 0.946352946, "pt": 0.473176473,
               "cup": 0.2365882365, "floz": 0.0295735295625},
    "area": {"m2": 1, "km2": 1e6, "ha": 1e4, "acre": 4046.8564224, "ft2": 0.09290304, "mi2": 2589988.110336},
    "time": {"s": 1, "ms": 0.001, "min": 60, "h": 3600, "day": 86400, "week": 604800},
    "speed": {"m/s": 1, "km/h": 1 / 3.6, "mph": 0.44704, "kn": 1852 / 3600},
    "data": {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1024, "mib": 1024**2, "gib": 1024**3},
    "energy": {"j": 1, "kj": 1000, "cal": 4.184, "kcal": 4184, "wh": 3600, "kwh": 3.6e6},
    "pressure": {"pa": 1, "hpa": 100, "kpa": 1000, "bar": 1e5, "atm": 101325, "psi": 6894.757293168},
}  # fmt: skip


@tool
async def convert_units(value: float, from_unit: str, to_unit: str) -> float:
    """Convert a value between units of length, mass, volume, area, time, speed, data, energy, pressure, temperature.

    Args:
        value: The number.
        from_unit: Its unit, like "km", "lb", "C", "gib", "mph".
        to_unit: The unit that is wanted.
    """
    source, target = from_unit.strip().lower().lstrip("°"), to_unit.strip().lower().lstrip("°")
    kelvin: dict[str, Callable[[float], float]] = {
        "c": lambda x: x + 273.15,
        "f": lambda x: (x - 32) * 5 / 9 + 273.15,
        "k": lambda x: x,
    }
    back: dict[str, Callable[[float], float]] = {
        "c": lambda x: x - 273.15,
        "f": lambda x: (x - 273.15) * 9 / 5 + 32,
        "k": lambda x: x,
    }
    if source in kelvin and target in back:
        return round(back[target](kelvin[source](value)), 10)
    for units in _UNITS.values():
        if source in units and target in units:
            return value * units[source] / units[target]
    known = ", ".join(unit for units in _UNITS.values() for unit in units)
    raise InvalidInput(f"{from_unit!r} cannot be converted to {to_unit!r}.", hint=f"Known: {known}, C, F, K.")


@tool
async def convert_base(number: str, from_base: int, to_base: int) -> str:
    """Write a whole number in another base (2 to 36), like "ff" from 16 to 2."""
    if not (2 <= from_base <= 36 and 2 <= to_base <= 36) or len(number) > 1000:
        raise InvalidInput("Bases are 2 to 36 and numbers at most 1000 digits.")
    try:
        value = int(number, from_base)
    except ValueError as error:
        raise InvalidInput(f"{number[:40]!r} is no number in base {from_base}.") from error
    digits = ""
    left = abs(value)
    while left:
        left, digit = divmod(left, to_base)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return ("-" if value < 0 else "") + (digits or "0")


@tool
async def factorize(number: int) -> list[int]:
    """The prime factors of a whole number from 2 to 10^12, smallest first; one factor means it is prime."""
    if not 2 <= number <= 10**12:
        raise InvalidInput("The number must be from 2 to 10^12.")
    factors: list[int] = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1 if divisor == 2 else 2
    return [*factors, number] if number > 1 else factors


@tool
async def percentage(part: float, whole: float, mode: Literal["share", "change", "of"] = "share") -> float:
    """Percentages: "share" is part of whole, "change" the change from whole to part, "of" is part % of whole."""
    if mode == "of":
        return part * whole / 100
    if whole == 0:
        raise InvalidInput("The whole cannot be 0.")
    return part / whole * 100 if mode == "share" else (part - whole) / abs(whole) * 100


@tool
async def compound_interest(principal: float, rate_percent: float, years: float, per_year: int = 1) -> dict[str, Any]:
    """What an amount grows to with compound interest, and the interest earned."""
    if per_year < 1 or years < 0 or years > 1000 or rate_percent <= -100:
        raise InvalidInput("per_year is 1 or more, years 0 to 1000, the rate over -100 %.")
    total = principal * (1 + rate_percent / 100 / per_year) ** (per_year * years)
    return {"total": total, "interest": total - principal}


TOOLS = (calculate, describe_numbers, convert_units, convert_base, factorize, percentage, compound_interest)
