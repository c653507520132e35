"""The verbs in a real terminal: prompts, history, Ctrl-C, colours, and how they end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal"),
    pytest.mark.timeout(300),
]
WAIT_S = 120
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")

APPLICATION = """
import asyncio
from mastra import Agent, Mastra, Memory, tool

@tool(require_approval=True)
async def wipe(id: str) -> str:
    "Wipes a record."
    return "wiped"

@tool
async def forever() -> str:
    "Never ends."
    await asyncio.sleep(1000)

mastra = Mastra(
    agents=[
        Agent("greeter", model="scripted/Hello there.", memory=Memory(last_messages=5)),
        Agent("cleaner", model='scripted/call wipe {"id": "7"} | All done.', tools=[wipe]),
        Agent("slow", model='scripted/call forever {} | never', tools=[forever]),
    ],
    storage="sqlite:///app.db",
)
"""


class Terminal:
    """A command in a pseudo terminal of its own: what it shows, and keys for it."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self.raw = ""

    @property
    def text(self) -> str:
        return ESCAPES.sub("", self.raw).replace("\r", "")

    def _read(self) -> bool:
        os.set_blocking(self._screen, False)
        try:
            data = os.read(self._screen, 65_536)
        except BlockingIOError:
            return True
        except OSError:
            return False  # nobody has it open any more
        self.raw += data.decode()
        return bool(data)

    def until(self, wanted: str, after: int = 0) -> int:
        """Wait for a text; where it ends."""
        end = time.monotonic() + WAIT_S
        while wanted not in self.text[after:]:
            assert self._read(), f"it ended without {wanted!r}: {self.text}"
            assert time.monotonic() < end, f"no {wanted!r} in: {self.text}"
            time.sleep(0.01)
        return self.text.index(wanted, after) + len(wanted)

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def ends(self) -> int:
        """Its exit code."""
        end = time.monotonic() + WAIT_S
        while self.process.poll() is None:
            self._read()
            assert time.monotonic() < end, self.text
            time.sleep(0.01)
        self._read()
        return self.process.returncode


@contextmanager
def terminal(folder: Path, *arguments: str, **environ: str) -> Iterator[Terminal]:
    screen, line = os.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "CI", "FORCE_COLOR"}}
    process = subprocess.Popen(
        # The terminal must be the controlling one, or Ctrl-C would reach nobody.
        [sys.executable, "-c", CONTROL, sys.executable, "-m", "mastra", *arguments],
        cwd=folder, stdin=line, stdout=line, stderr=line, start_new_session=True,
        env={**kept, "TERM": "xterm-256color", "COLUMNS": "100", **environ},
    )  # fmt: skip
    os.close(line)
    try:
        yield Terminal(process, screen)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(screen)


CONTROL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APPLICATION)
    return tmp_path


def test_create_asks_for_a_name_and_a_template(tmp_path: Path) -> None:
    with terminal(tmp_path, "create") as shown:
        shown.until("ame")
        shown.type("shop\r")
        shown.until("Template (")
        shown.type("workflow\r")
        assert shown.ends() == 0
        assert "mastra dev" in shown.text
    assert "Workflow(" in (tmp_path / "shop/app.py").read_text()


def test_a_conversation_has_history_and_ctrl_c_ends_it_at_the_prompt(folder: Path) -> None:
    with terminal(folder, "chat", "--agent", "greeter") as shown:
        shown.until("> ")
        shown.type("good morning\r")
        at = shown.until("> ", shown.until("Hello there."))
        shown.type("\x1b[A")  # the line before
        at = shown.until("good morning", at)
        shown.type("\r")
        at = shown.until("> ", shown.until("Hello there.", at))
        shown.type("/thread\r")
        at = shown.until("> ", shown.until("thread ", at))
        shown.type("/nonsense\r")
        at = shown.until("> ", shown.until("There is no /nonsense", at))
        shown.type("\x03")
        assert shown.ends() == 130
        assert "Traceback" not in shown.text


def test_ctrl_c_stops_an_answer_and_ctrl_d_ends_the_conversation(folder: Path) -> None:
    with terminal(folder, "chat", "--agent", "slow") as shown:
        shown.until("> ")
        shown.type("go\r")
        at = shown.until("[forever]")
        shown.type("\x03")
        at = shown.until("> ", shown.until("(stopped)", at))
        shown.type("\x04")
        assert shown.ends() == 0
        assert "Traceback" not in shown.text


def test_a_conversation_asks_before_a_tool_that_needs_approval(folder: Path) -> None:
    with terminal(folder, "chat", "--agent", "cleaner") as shown:
        shown.until("> ")
        shown.type("clean up\r")
        shown.until("Run wipe with {'id': '7'}? [y/N]:")
        shown.type("y\r")
        shown.until("> ", shown.until("All done."))
        shown.type("\r")
        assert shown.ends() == 0


def test_colours_are_for_terminals_that_want_them(folder: Path) -> None:
    with terminal(folder, "--help") as shown:
        assert shown.ends() == 0
        assert "\x1b[" in shown.raw
    with terminal(folder, "--help", NO_COLOR="1") as shown:
        assert shown.ends() == 0
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown.raw)
    for arguments in (["--help"], ["version", "--json"]):
        piped = subprocess.run(
            [sys.executable, "-m", "mastra", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
        assert "\x1b" not in piped.stdout + piped.stderr
