"""A durable run that dies on the way: `durable_agent.py FOLDER begin|model|first|second|later|end`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from mastra import Agent, Memory, Tool
from mastra.providers.scripted import Call, ScriptedModel
from mastra.registry import open_url
from mastra.runtime.services import Services


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def clerk(folder, lines, *, where="", idempotent=False, clock=None):
    """An agent whose tool leaves a line in a file each time it runs."""

    async def write(arguments):
        with (folder / "ran").open("a") as file:
            file.write(f"{arguments['id']}\n")
        if arguments["id"] == where:
            die()
        return f"noted {arguments['id']}"

    note = Tool("note", description="Write a note.", input={"id": str}, execute=write, sequential=True,
                idempotent=idempotent)  # fmt: skip
    services = Services(storage=open_url("mastra.storage", f"sqlite:///{folder}/runs.db"))
    if clock is not None:
        services.clock = clock
    return Agent("clerk", model=ScriptedModel(lines), tools=[note], memory=Memory()).bind(services)


# What the model says in each step; a number of those ends the process that asks.
STEPS = [[Call("note", {"id": "first"}, "n1"), Call("note", {"id": "second"}, "n2")],
         Call("note", {"id": "later"}, "n3"), "all noted"]  # fmt: skip
DYING = {"begin": 0, "model": 1, "end": 2}


async def main(folder, where):
    lines = [*STEPS]
    if where in DYING:
        lines[DYING[where]] = lambda request: die()
    agent = clerk(folder, lines, where=where)
    await agent.generate("note it", run_id="r", thread="t", resource="u", durable=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
