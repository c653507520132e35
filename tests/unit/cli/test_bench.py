from __future__ import annotations

import json

from typer.testing import CliRunner, Result

from mastra.cli.main import make_app


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(make_app("bench"), ["bench", *arguments])


def test_three_things_are_measured_and_told_in_words_or_json() -> None:
    rows = json.loads(bench("--seconds", "0.05", "--json").stdout)
    assert list(rows) == ["agent run, text", "one streamed delta", "workflow, 10 steps"]
    assert all(value > 0 for value in rows.values())
    lines = bench("--seconds", "0.05").stdout.splitlines()
    assert [line.endswith(" µs") for line in lines] == [True] * 3


def test_a_measurement_has_a_length_that_makes_sense() -> None:
    assert bench("--seconds", "0").exit_code == 2
