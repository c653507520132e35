"""Asks for an approval, or answers one and dies on the way: `approving.py FOLDER ask|claim|tool|model|first|second`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from mastra import Agent, Tool
from mastra.providers.scripted import Call, ScriptedModel
from mastra.registry import open_url
from mastra.runtime.services import Services


def die(where, wanted):
    if where == wanted:
        os.kill(os.getpid(), signal.SIGKILL)


def clerk(folder, lines, *, where="", idempotent=False, clock=None):
    """An agent whose tool leaves a line in a file each time it runs."""

    async def execute(arguments):
        with (folder / "ran").open("a") as file:
            file.write(f"{arguments['id']}\n")
        die(where, "tool")
        return f"deleted {arguments['id']}"

    def instructions(context):
        die(where, "claim")
        return "Delete."

    tool = Tool(
        "delete", description="Delete a record.", input={"id": str}, execute=execute,
        require_approval=True, idempotent=idempotent,
    )  # fmt: skip

    async def write(arguments):
        with (folder / "ran").open("a") as file:
            file.write(f"note-{arguments['id']}\n")
        die(where, f"note-{arguments['id']}")
        return f"noted {arguments['id']}"

    notes = Tool("note", description="Write a note.", input={"id": str}, execute=write, sequential=True,
                 idempotent=idempotent)  # fmt: skip
    services = Services(storage=open_url("mastra.storage", f"sqlite:///{folder}/runs.db"))
    if clock is not None:
        services.clock = clock
    model = ScriptedModel(lines)
    return Agent("clerk", instructions=instructions, model=model, tools=[tool, notes]).bind(services)


# Two steps after the answer, and in which call of them the process dies.
LATER = {
    "first": ([[Call("note", {"id": "1"}, "n1"), Call("note", {"id": "2"}, "n2")]], "note-2"),
    "second": ([Call("note", {"id": "3"}, "n3"), Call("note", {"id": "4"}, "n4")], "note-4"),
}


async def main(folder, where):
    if where == "ask":
        await clerk(folder, [Call("delete", {"id": "1"}, "c")]).generate("go", run_id="r")
    elif where in LATER:
        lines, place = LATER[where]
        await clerk(folder, lines, where=place).approve("r").result()
    else:
        agent = clerk(folder, [lambda request: die(where, "model")], where=where)
        await agent.approve("r").result()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
