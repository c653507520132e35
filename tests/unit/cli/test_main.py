from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import mastra
from mastra.cli import main as command
from mastra.cli.reference import verbs
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


APPLICATION = """
from mastra import Agent, Mastra
mastra = Mastra(agents=[Agent("a", model="scripted/Hi")], storage="memory:")
"""


def ask(*words: str, **options: Any) -> Result:
    return CliRunner().invoke(command.make_app(), [*words], **options)


@pytest.mark.parametrize("verb", [pytest.param(one, id=name) for name, one in verbs()])
def test_every_verb_speaks_json(verb: Any) -> None:
    assert any("--json" in option.opts for option in verb.params)


# What a verb is asked in an empty folder with one application; the rest has tests of its own with --json.
ASKED = ("version", "doctor", "migrate --dry-run", "bench --seconds 0.05", "completion bash", "keys new", "audit list",
         "audit verify", "run hello", "create shop --yes", "init --yes --template mcp", "demo",
         "deploy --target compose")  # fmt: skip


@pytest.mark.parametrize("words", ASKED)
def test_what_a_verb_says_with_json_is_one_document(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASTRA_AUDIT_SECRET", "x9" * 20)
    if not words.startswith("init"):
        (tmp_path / "app.py").write_text(APPLICATION, encoding="utf-8")
    done = ask(*words.split(), "--json")
    assert done.exit_code in {0, 3}, done.output
    assert json.loads(done.stdout) is not None


def test_an_answer_of_a_conversation_is_a_line_of_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APPLICATION, encoding="utf-8")
    done = ask("chat", "--json", input="Hello\nAgain\n\n")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["text"] for line in lines] == ["Hi", "Hi"]


def test_a_key_is_judged_in_json() -> None:
    made = json.loads(ask("keys", "new", "--json").stdout)
    assert json.loads(ask("keys", "hash", "--json", input=made["key"]).stdout) == {"hash": made["hash"]}
    assert json.loads(ask("keys", "check", "--json", input=made["key"]).stdout) == {"wellFormed": True}
    wrong = ask("keys", "check", "--json", input="nonsense")
    assert (wrong.exit_code, json.loads(wrong.stdout)) == (3, {"wellFormed": False})
