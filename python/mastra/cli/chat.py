"""`mastra chat`: a conversation in the terminal, with history."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mastra.cli.options import App
from mastra.cli.output import wait
from mastra.cli.run import pick_agent

if TYPE_CHECKING:
    from mastra.mastra import Mastra


def chat(
    *,
    app: App = None,
    agent: Annotated[str | None, typer.Option(help="The agent; without it the only one.")] = None,
    thread: Annotated[str | None, typer.Option(help="A thread to go on with; without it a new one.")] = None,
    resource: Annotated[str, typer.Option(help="Whose thread it is.")] = "local",
) -> None:
    """Talk to an agent. An empty line or Ctrl-D ends; /new starts a new thread, /thread says which one it is."""
    from mastra.server.loading import load_application  # noqa: PLC0415 - loads the application
    from mastra.types.ids import new_id  # noqa: PLC0415 - the same

    wait(_talk(load_application(app), agent, thread or new_id(), resource))


async def _talk(mastra: Mastra, name: str | None, thread: str, resource: str) -> None:
    from mastra.types.ids import new_id  # noqa: PLC0415 - the same

    agent = pick_agent(mastra, name)
    typer.echo(f"{agent.name} (thread {thread}); an empty line ends", err=True)
    async with mastra:
        while True:
            try:
                said = (await asyncio.to_thread(input, "> ")).strip()
            except EOFError:
                break
            if not said:
                break
            if said == "/new":
                thread = new_id()
                typer.echo(f"thread {thread}", err=True)
            elif said == "/thread":
                typer.echo(f"thread {thread}", err=True)
            else:
                await _turn(agent, said, thread, resource)


async def _turn(agent: Any, said: str, thread: str, resource: str) -> None:
    async with agent.stream(said, thread=thread, resource=resource) as going:
        async for chunk in going:
            if chunk.type == "text-delta":
                typer.echo(chunk.payload["text"], nl=False)
            elif chunk.type == "tool-call":
                typer.echo(f"\n[{chunk.payload['toolName']}]", err=True)
        result = await going.result()
    typer.echo()
    waits = result.suspend_payload
    while waits is not None:
        yes = typer.confirm(f"Run {waits['toolName']} with {waits['args']}?")
        answer = agent.approve if yes else agent.decline
        async with answer(result.run_id, waits["toolCallId"]) as going:
            async for chunk in going:
                if chunk.type == "text-delta":
                    typer.echo(chunk.payload["text"], nl=False)
            result = await going.result()
        typer.echo()
        waits = result.suspend_payload
