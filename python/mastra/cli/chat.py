"""`mastra chat`: a conversation in the terminal, with history."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mastra.cli.options import App
from mastra.cli.output import emit_line
from mastra.cli.run import pick_agent

if TYPE_CHECKING:
    from mastra.mastra import Mastra


def chat(
    *,
    app: App = None,
    agent: Annotated[str | None, typer.Option(help="The agent; without it the only one.")] = None,
    thread: Annotated[str | None, typer.Option(help="A thread to go on with; without it a new one.")] = None,
    resource: Annotated[str, typer.Option(help="Whose thread it is.")] = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print each answer as a line of JSON.")] = False,
) -> None:
    """Talk to an agent. An empty line or Ctrl-D ends; /new starts a new thread, /thread says which one it is.

    Ctrl-C stops an answer; at the prompt it ends the conversation.
    """
    from mastra.server.loading import load_application  # noqa: PLC0415 - loads the application
    from mastra.types.ids import new_id  # noqa: PLC0415 - the same

    mastra = load_application(app)
    chosen = pick_agent(mastra, agent)
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):  # there is none on Windows
            import readline  # noqa: F401, PLC0415 - gives `input` its editing and the lines before
    with asyncio.Runner() as runner:
        runner.run(mastra.open())
        try:
            _talk(runner, chosen, thread or new_id(), resource, as_json=as_json)
        finally:
            runner.run(_close(mastra))


async def _close(mastra: Mastra) -> None:
    await mastra.close()


def _talk(runner: asyncio.Runner, agent: Any, thread: str, resource: str, *, as_json: bool) -> None:
    """Turn by turn. The prompt waits outside of the event loop, so that Ctrl-C and Ctrl-D reach it at once."""
    from mastra.types.ids import new_id  # noqa: PLC0415 - the same

    typer.echo(f"{agent.name} (thread {thread}); an empty line ends", err=True)
    prompt = "> " if sys.stdin.isatty() else ""
    while True:
        try:
            said = input(prompt).strip()
        except EOFError:
            return
        if not said:
            return
        if said == "/new":
            thread = new_id()
        if said in {"/new", "/thread"}:
            typer.echo(f"thread {thread}", err=True)
        elif said.startswith("/"):
            typer.echo(f"There is no {said.split()[0]}; there are /new and /thread.", err=True)
        else:
            try:
                runner.run(_turn(agent, said, thread, resource, as_json=as_json))
            except KeyboardInterrupt:
                typer.echo("\n(stopped)", err=True)


async def _turn(agent: Any, said: str, thread: str, resource: str, *, as_json: bool) -> None:
    async with agent.stream(said, thread=thread, resource=resource) as going:
        result = await _show(going, as_json=as_json)
    waits = result.suspend_payload
    while waits is not None:
        yes = typer.confirm(f"Run {waits['toolName']} with {waits['args']}?", err=as_json)
        answer = agent.approve if yes else agent.decline
        async with answer(result.run_id, waits["toolCallId"]) as going:
            result = await _show(going, as_json=as_json)
        waits = result.suspend_payload


async def _show(going: Any, *, as_json: bool) -> Any:
    """Print a run as it comes, or as a whole; its result."""
    if as_json:
        result = await going.result()
        emit_line({"runId": result.run_id, "text": result.text, "finishReason": result.finish_reason})
        return result
    async for chunk in going:
        if chunk.type == "text-delta":
            typer.echo(chunk.payload["text"], nl=False)
        elif chunk.type == "tool-call":
            typer.echo(f"\n[{chunk.payload['toolName']}]", err=True)
    typer.echo()
    return await going.result()
