from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mastra.cli.main import make_app

APPLICATION = """
from typing import TypedDict
from mastra import Agent, Mastra, Workflow, step

class Number(TypedDict):
    n: int

@step(id="double")
async def double(input: Number) -> Number:
    return {"n": input["n"] * 2}

@step(id="broken")
async def broken(input: Number) -> Number:
    raise ValueError("no")

mastra = Mastra(
    agents=[Agent("one", model="scripted/I am one."), Agent("two", model="scripted/I am two.")],
    workflows=[Workflow(name, input=Number, output=Number).then(what).commit()
               for name, what in (("doubling", double), ("breaking", broken))],
)
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    (tmp_path / "run_app.py").write_text(APPLICATION)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(make_app("run"), ["run", "--app", "run_app.py", *arguments])


def test_a_prompt_is_answered_in_words_json_or_chunks(run: Callable[..., Result]) -> None:
    assert run("hello", "--agent", "two").stdout == "I am two.\n"
    assert json.loads(run("hello", "--agent", "one", "--json").stdout)["text"] == "I am one."
    chunks = [json.loads(line) for line in run("hello", "--agent", "one", "--chunks").stdout.splitlines()]
    assert chunks[0]["type"] == "start"
    assert chunks[-1]["type"] == "finish"


def test_a_workflow_is_run_on_its_input(run: Callable[..., Result]) -> None:
    done = run("doubling", "--input", '{"n": 4}')
    assert (done.exit_code, json.loads(done.stdout)["result"]) == (0, {"n": 8})
    lines = run("doubling", "--input", '{"n": 4}', "--chunks").stdout.splitlines()
    assert json.loads(lines[-1])["type"] == "workflow-finish"
    failed = run("breaking", "--input", '{"n": 4}')
    assert (failed.exit_code, json.loads(failed.stdout)["status"]) == (3, "failed")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["hello"], "--agent is one of: one, two"),
        (["doubling", "--input", "{"], "--input is not JSON"),
    ],
)
def test_a_wrong_use_is_told(run: Callable[..., Result], arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, told in done.stderr) == (2, True), done.output
