import asyncio
import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import InvalidInput, ToolError
from mastra.tools.builtin import calculator


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 * (3 + 4) ^ 2", 98),
        ("-2 ** 2", -4),
        ("sqrt(16) / 3", 4 / 3),
        ("10 // 3 + 10 % 3", 4),
        ("max(1, pi)", math.pi),
    ],
)
def test_arithmetic(expression, value):
    assert calculator.evaluate(expression) == pytest.approx(value)


@pytest.mark.parametrize(
    "expression",
    ["", "1 +", "__import__('os')", "a.b", "(lambda: 1)()", "'a' * 3", "9 ** 9 ** 9", "10 ^ 310", "1 / 0", "1e308 * 10",
     "(-1) ** 0.5",
     "[1][0]", "True", "open('x')", "(" * 500 + ")" * 500, "1" * 2000],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused(expression):
    with pytest.raises(InvalidInput):
        calculator.evaluate(expression)


@given(st.text("0123456789+-*/%^(). e", max_size=30))
def test_any_text_gives_a_number_or_a_refusal(text):
    with contextlib.suppress(InvalidInput):
        assert math.isfinite(calculator.evaluate(text))


@given(st.integers(2, 10**6))
def test_factors_multiply_to_the_number(number):
    assert math.prod(asyncio.run(calculator.factorize(number=number))) == number


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        (calculator.calculate, {"expression": "1 + 1"}, 2),
        (calculator.describe_numbers, {"numbers": [1, 2, 3, 4]}, {"count": 4, "sum": 10, "mean": 2.5, "median": 2.5,
         "min": 1, "max": 4, "standard_deviation": pytest.approx(1.29099, abs=1e-4), "quartiles": [1.75, 2.5, 3.25]}),
        (calculator.convert_units, {"value": 1, "from_unit": "mi", "to_unit": "km"}, pytest.approx(1.609344)),
        (calculator.convert_units, {"value": 100, "from_unit": "°C", "to_unit": "F"}, pytest.approx(212)),
        (calculator.convert_base, {"number": "ff", "from_base": 16, "to_base": 2}, "11111111"),
        (calculator.factorize, {"number": 84}, [2, 2, 3, 7]),
        (calculator.percentage, {"part": 1, "whole": 4}, 25),
        (calculator.percentage, {"part": 5, "whole": 4, "mode": "change"}, 25),
        (calculator.compound_interest, {"principal": 100, "rate_percent": 10, "years": 2},
         {"total": pytest.approx(121), "interest": pytest.approx(21)}),
    ],
)  # fmt: skip
async def test_each_tool_answers(tool, arguments, expected):
    assert await tool(arguments) == expected


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (calculator.describe_numbers, {"numbers": []}),
        (calculator.convert_units, {"value": 1, "from_unit": "km", "to_unit": "kg"}),
        (calculator.convert_base, {"number": "9", "from_base": 8, "to_base": 2}),
        (calculator.percentage, {"part": 1, "whole": 0}),
        (calculator.factorize, {"number": 1}),
    ],
)
async def test_each_tool_refuses(tool, arguments):
    with pytest.raises(ToolError):
        await tool(arguments)
