"""`mastra run`: one prompt or one workflow from the shell, streaming."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mastra.cli.options import App, AsJson
from mastra.cli.output import Exit, emit, emit_line, fail, wait

if TYPE_CHECKING:
    from mastra.mastra import Mastra


def run(
    what: Annotated[str, typer.Argument(help="A prompt for the agent, or the id of a workflow with --input.")],
    *,
    app: App = None,
    agent: Annotated[str | None, typer.Option(help="The agent; without it the only one.")] = None,
    input: Annotated[str | None, typer.Option("--input", help="The input of a workflow, as JSON.")] = None,
    thread: Annotated[str | None, typer.Option(help="The thread to go on with.")] = None,
    resource: Annotated[str, typer.Option(help="Whose thread it is.")] = "local",
    chunks: Annotated[bool, typer.Option("--chunks", help="Print every chunk as a line of JSON.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run an agent on a prompt, or a workflow on an input, and print the answer as it comes."""
    from mastra.server.loading import load_application  # noqa: PLC0415 - loads the application

    mastra = load_application(app)
    if input is not None or what in mastra.workflows:
        wait(_workflow(mastra, what, input, chunks=chunks))
    else:
        wait(_agent(mastra, what, agent, thread, resource, chunks=chunks, as_json=as_json))


async def _agent(
    mastra: Mastra, prompt: str, name: str | None, thread: str | None, resource: str, *, chunks: bool, as_json: bool
) -> None:
    agent = pick_agent(mastra, name)
    options: dict[str, Any] = {} if thread is None else {"thread": thread, "resource": resource}
    async with mastra, agent.stream(prompt, **options) as going:
        async for chunk in going:
            if chunks:
                emit_line(chunk.to_wire())
            elif chunk.type == "text-delta" and not as_json:
                typer.echo(chunk.payload["text"], nl=False)
        result = await going.result()
        if as_json:
            emit(result.to_wire())
        elif not chunks:
            typer.echo()
            if result.suspend_payload is not None:
                typer.echo(
                    f"waits for approval of {result.suspend_payload['toolName']} (run {result.run_id})", err=True
                )


async def _workflow(mastra: Mastra, name: str, given: str | None, *, chunks: bool) -> None:
    try:
        value = None if given is None else json.loads(given)
    except ValueError as error:
        raise fail(f"--input is not JSON: {error}", code=Exit.USAGE) from None
    workflow = mastra.get_workflow(name)
    async with mastra:
        made = await workflow.create_run()
        if chunks:
            async with made.stream(value) as going:
                async for chunk in going:
                    emit_line(chunk.to_wire())
                result = await going.result()
        else:
            result = await made.start(value)
            emit(result.to_wire())
    if result.status == "failed":
        raise typer.Exit(int(Exit.FINDINGS))


def pick_agent(mastra: Mastra, name: str | None) -> Any:
    """The named agent, or the only one."""
    if name is not None:
        return mastra.get_agent(name)
    if len(mastra.agents) != 1:
        raise fail("Say which agent.", f"--agent is one of: {', '.join(mastra.agents) or 'none'}.", Exit.USAGE)
    return next(iter(mastra.agents.values()))
