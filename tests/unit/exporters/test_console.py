from __future__ import annotations

import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mastra.exporters.console import ConsoleExporter
from mastra.types.spans import SpanRecord

AT = datetime(2026, 3, 1, tzinfo=UTC)


def span(name: str = "run", **facts: Any) -> SpanRecord:
    return SpanRecord("ab" * 16, "cd" * 8, None, name, "agent_run", AT, AT + timedelta(milliseconds=12.5), {}, **facts)


async def test_each_span_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mastra.spans")
    exporter = ConsoleExporter.from_url("console:")
    await exporter.export([span(), span("bad", error={"message": "no such city"})])
    assert caplog.messages == [
        f"agent_run run 12.5 ms ok trace={'ab' * 16}",
        f"agent_run bad 12.5 ms failed: no such city trace={'ab' * 16}",
    ]


async def test_a_name_with_breaks_cannot_pass_for_another_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mastra.spans")
    await ConsoleExporter().export([span("a\nagent_run forged", error={"message": "x\r\ny"})])
    assert len(caplog.messages) == 1
    assert caplog.messages[0].splitlines() == [f"agent_run a agent_run forged 12.5 ms failed: x y trace={'ab' * 16}"]


def test_a_program_without_logging_still_shows_its_spans() -> None:
    script = (
        "import asyncio\n"
        "from mastra import Agent, Mastra\n"
        "async def main():\n"
        "    agent = Agent(id='clerk', instructions='x', model='scripted/hello')\n"
        "    async with Mastra(agents=[agent], exporters=['console:']) as mastra:\n"
        "        await mastra.get_agent('clerk').generate('hi')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "agent_run agent run: 'clerk'" in done.stderr
