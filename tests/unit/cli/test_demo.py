from __future__ import annotations

from typer.testing import CliRunner

from mastra.cli.main import make_app


def test_the_demo_runs_without_a_key() -> None:
    result = CliRunner().invoke(make_app(), ["demo"])
    assert result.exit_code == 0, result.output
    assert "the same code runs with a real one" in result.output


def test_the_demo_takes_another_model() -> None:
    result = CliRunner().invoke(make_app(), ["demo", "--model", "scripted/Something else."])
    assert "Something else." in result.output
