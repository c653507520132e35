from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

import mastra
from mastra.cli import main as command
from mastra.errors import BadSetting


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(command.make_app(), ["--version"])
    assert result.exit_code == 0
    assert result.output == f"mastra {mastra.__version__}\n"


def test_help_lists_every_verb() -> None:
    result = CliRunner().invoke(command.make_app(), ["--help"])
    assert result.exit_code == 0
    assert all(verb in result.output for verb in command.VERBS)


def test_an_unknown_verb_is_refused() -> None:
    result = CliRunner().invoke(command.make_app(), ["demmo"])
    assert result.exit_code == 2
    assert "demmo" in result.output


def test_our_errors_are_two_lines_and_exit_code_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise BadSetting("The port is not a number.", hint="Write a number.")

    monkeypatch.setattr(command, "make_app", broken)
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert stopped.value.code == 1
    assert capsys.readouterr().err == "error[bad-setting]: The port is not a number.\n  Write a number.\n"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "mastra", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("mastra ")
