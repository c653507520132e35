from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mastra.cli.main import make_app

APPLICATION = """
from mastra import Agent, Mastra, Memory, tool

@tool(require_approval=True)
async def wipe(name: str) -> str:
    "Wipes."
    return f"wiped {name}"

mastra = Mastra(agents=[
    Agent("parrot", model="scripted/Hello. | Again.", memory=Memory()),
    Agent("cleaner", model='scripted/call wipe {"name": "x"} | Done.', tools=[wipe], memory=Memory()),
])
"""


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    (tmp_path / "chat_app.py").write_text(APPLICATION)
    monkeypatch.chdir(tmp_path)

    def talk(agent: str, said: str) -> Result:
        arguments = ["chat", "--app", "chat_app.py:mastra", "--agent", agent, "--thread", "t1"]
        return CliRunner().invoke(make_app("chat"), arguments, input=said)

    return talk


def test_each_line_is_answered_until_an_empty_one(chat: Callable[..., Result]) -> None:
    done = chat("parrot", "hi\n\nnever asked\n")
    assert done.exit_code == 0
    assert done.stdout.strip() == "Hello."
    assert "parrot (thread t1)" in done.stderr
    assert chat("parrot", "").exit_code == 0


def test_words_with_a_slash_are_for_the_chat_itself(chat: Callable[..., Result]) -> None:
    said = chat("parrot", "/thread\n/new\n/unknown\n").stderr
    assert "thread t1\n" in said
    assert said.count("thread ") == 3
    assert "There is no /unknown; there are /new and /thread." in said


@pytest.mark.parametrize("yes", [True, False])
def test_a_tool_that_needs_it_is_asked_for(chat: Callable[..., Result], *, yes: bool) -> None:
    done = chat("cleaner", f"clean\n{'y' if yes else 'n'}\n\n")
    assert done.exit_code == 0
    assert "Run wipe with {'name': 'x'}?" in done.output
    assert "Done." in done.stdout
