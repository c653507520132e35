"""The same load, killed in the same way, on mastra, DBOS and LangGraph in turn: who loses, repeats, is back when.

    python bench/kill9_peers.py --cycles 60 --python peers/bin/python

`peers` is an environment with dbos, psycopg, langgraph and langgraph-checkpoint-sqlite. Eight lanes run workflows of
five steps one after another. A step works for 2 ms; its effect stands at its beginning, its middle or its end
(`--effect`). SIGKILL comes 0 to `--seconds` after the first workflow was begun; the next process takes up what is left
and goes on. The supervisor is the only truth: it hears of each effect before the step goes on.
"""

# ruff: noqa: PLC0415 - each worker loads its own engine
# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter

from kill9 import Nursery, fork_workers

LANES, STEPS = 8, 5
# How long a step works before and after its effect.
EFFECTS = {"begin": (0.0, 0.002), "middle": (0.001, 0.001), "end": (0.002, 0.0)}
HUNG_S = 90.0


# ---------------------------------------------------------------- the workers


def work(say, name, before, after):
    """The step of every engine."""

    async def act(run_id):
        await asyncio.sleep(before)
        say("effect", f"{run_id}/{name}")
        await asyncio.sleep(after)

    return act


async def lanes(one, say):
    async def lane():
        while True:
            run_id = f"r{time.time_ns()}-{random.randrange(1 << 30):x}"
            say("begin", run_id)
            await one(run_id)
            say("done", run_id)

    await asyncio.gather(*(lane() for _ in range(LANES)))


async def on_mastra(given, say):
    from mastra import Mastra, StepContext, Workflow, step
    from mastra.errors import RunMissing

    flow = Workflow("peer")
    for number in range(STEPS):
        act = work(say, f"s{number}", *given.pause)

        async def run(value: dict, ctx: StepContext, act=act) -> dict:
            await act(ctx.run_id)
            return value

        flow = flow.then(step(id=f"s{number}")(run))
    flow = flow.commit()
    app = Mastra(workflows=[flow], storage=given.url)
    await app.open()

    async def recover():
        for run_id in given.left:
            with contextlib.suppress(RunMissing):
                await (await flow.get_run(run_id)).wait()
                say("done", run_id)
        say("recovered", "-")

    async def one(run_id):
        await (await flow.create_run(run_id)).start({"n": 0})

    await asyncio.gather(recover(), *([lanes(one, say)] if given.load else []))


async def on_dbos(given, say):
    from dbos import DBOS, SetWorkflowID

    DBOS(
        config={
            "name": "peer",
            "system_database_url": given.url,
            "application_version": "1",
            "executor_id": "one",
            "log_level": "ERROR",
        }
    )
    steps = [DBOS.step(name=f"s{number}")(work(say, f"s{number}", *given.pause)) for number in range(STEPS)]

    @DBOS.workflow(name="peer")
    async def peer() -> str:
        run_id = DBOS.workflow_id
        for step in steps:
            await step(run_id)
        return "done"

    DBOS.launch()

    async def recover():
        for run_id in given.left:
            if await DBOS.get_workflow_status_async(run_id) is not None:
                await (await DBOS.retrieve_workflow_async(run_id)).get_result()
                say("done", run_id)
        say("recovered", "-")

    async def one(run_id):
        with SetWorkflowID(run_id):
            handle = await DBOS.start_workflow_async(peer)
        await handle.get_result()

    await asyncio.gather(recover(), *([lanes(one, say)] if given.load else []))


async def on_langgraph(given, say):
    from typing import TypedDict

    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.graph import END, START, StateGraph

    State = TypedDict("State", {"run": str})  # noqa: UP013 - as LangGraph's own pages write it
    graph = StateGraph(State)
    for number in range(STEPS):
        act = work(say, f"s{number}", *given.pause)

        async def node(state: State, act=act):
            await act(state["run"])
            return {"run": state["run"]}

        graph.add_node(f"s{number}", node)
        graph.add_edge(START if number == 0 else f"s{number - 1}", f"s{number}")
    graph.add_edge(f"s{STEPS - 1}", END)
    async with aiosqlite.connect(given.url) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=FULL")
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        made = graph.compile(checkpointer=saver)

        async def recover():
            # Unlike the others it carries nothing on by itself.
            await asyncio.gather(*map(carry_on, given.left))
            say("recovered", "-")

        async def carry_on(thread):
            config = {"configurable": {"thread_id": thread}}
            state = await made.aget_state(config)
            if state.next:
                await made.ainvoke(None, config, durability="sync")
            if state.values or state.next:
                say("done", thread)

        async def one(run_id):
            await made.ainvoke({"run": run_id}, {"configurable": {"thread_id": run_id}}, durability="sync")

        await asyncio.gather(recover(), *([lanes(one, say)] if given.load else []))


WORKERS = {"mastra": on_mastra, "dbos": on_dbos, "langgraph": on_langgraph}
LOADED = {
    "mastra": ("mastra", "mastra.workflows.run", "mastra.storage.sqlite", "mastra.storage.postgres"),
    "dbos": ("dbos", "psycopg", "sqlalchemy.dialects.postgresql.psycopg"),
    "langgraph": ("aiosqlite", "langgraph.graph", "langgraph.checkpoint.sqlite.aio"),
}


def serve(name):
    """Load an engine, then fork its workers."""
    for module in LOADED[name]:
        importlib.import_module(module)

    async def run(job):
        link = socket.create_connection(("127.0.0.1", job["port"]))
        await WORKERS[name](argparse.Namespace(**job), lambda kind, what: link.sendall(f"{kind} {what}\n".encode()))

    fork_workers(run)


# ---------------------------------------------------------------- the supervisor


class Engine:
    """One engine on one database, and what the supervisor knows of it."""

    def __init__(self, name, python, url):
        self.name, self.url = name, url
        # Imports are not what is compared: the peers' take longer than a run.
        self.nursery = Nursery([python, __file__, "--worker", name.partition("-")[0]])
        self.begun, self.done, self.effects = set(), set(), Counter()
        self.kills, self.recovery = 0, []

    def cycle(self, server, effect, seconds):
        """One process: killed after a while, or (`seconds` of 0) left to finish what it finds."""
        begun = time.perf_counter()
        job = {"url": self.url, "port": server.getsockname()[1], "load": bool(seconds), "pause": EFFECTS[effect]}
        with tempfile.TemporaryFile("w+") as told:
            child = self.nursery.start({**job, "left": sorted(self.begun - self.done)}, "", told)
            try:
                server.settimeout(HUNG_S)
                with server.accept()[0] as link:
                    self._hear(link, child, begun, seconds)
            except TimeoutError:
                child.send_signal(signal.SIGKILL)
                told.seek(0)
                raise SystemExit(f"{self.name} hangs: {told.read()[-3000:]}") from None
            if child.wait() not in (0, -9):
                told.seek(0)
                print(self.name, "failed:", told.read()[-2000:], file=sys.stderr)

    def _hear(self, link, child, begun, seconds):
        link.settimeout(0.02)
        buffer, end, heard = b"", None, time.perf_counter()
        while True:
            try:
                data = link.recv(1 << 16)
                if not data:
                    return
                heard = time.perf_counter()
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    kind, _, what = line.decode().partition(" ")
                    if kind == "effect":
                        self.effects[what] += 1
                    elif kind == "recovered":
                        self.recovery.append(heard - begun)
                        if not seconds:
                            child.send_signal(signal.SIGKILL)
                    else:
                        (self.begun if kind == "begin" else self.done).add(what)
                        if kind == "begin" and seconds and end is None:
                            end = heard + random.uniform(0.0, seconds)
            except TimeoutError:
                if time.perf_counter() - heard > HUNG_S:
                    raise
            except ConnectionResetError:
                return
            if end is not None and time.perf_counter() >= end and child.poll() is None:
                child.send_signal(signal.SIGKILL)
                self.kills += 1
                end = float("inf")

    def facts(self):
        """What became of it. A run whose effects are known and that never ends has left no trace."""
        repeats = sum(count - 1 for count in self.effects.values())
        left = {what.partition("/")[0] for what in self.effects} - self.done
        times = sorted(self.recovery) or [0.0]
        return {
            "kills": self.kills,
            "runs": len(self.done),
            "steps": len(self.effects),
            "unfinished": len(left),
            "repeats": repeats,
            "repeats_a_kill": round(repeats / max(1, self.kills), 2),
            "repeats_of_1000_steps": round(1000 * repeats / max(1, len(self.effects)), 1),
            "recovery_p50_s": round(times[len(times) // 2], 2),
            "recovery_p99_s": round(times[int(len(times) * 0.99)], 2),
        }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--effect", choices=EFFECTS, default="end")
    parser.add_argument("--engines", default="mastra-sqlite,langgraph-sqlite,mastra-postgres,dbos-postgres")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--postgres", default="postgresql://root@127.0.0.1:5432/")
    parser.add_argument("--worker", choices=WORKERS)
    given = parser.parse_args()
    if given.worker:
        serve(given.worker)
        return
    folder = tempfile.mkdtemp()
    engines = []
    for name in given.engines.split(","):
        python = sys.executable if name.startswith("mastra") else given.python
        url = {
            "mastra-sqlite": f"sqlite:///{folder}/mastra.db",
            "langgraph-sqlite": f"{folder}/langgraph.db",
            "mastra-postgres": f"{given.postgres}kill9_mastra",
            "dbos-postgres": f"{given.postgres}kill9_dbos",
            "dbos-sqlite": f"sqlite:///{folder}/dbos.db",
        }[name]
        engines.append(Engine(name, python, url))
    server = socket.create_server(("127.0.0.1", 0))
    for number in range(given.cycles + 1):
        for engine in engines:
            engine.cycle(server, given.effect, given.seconds if number < given.cycles else 0)
        if number % 10 == 9:
            print(number + 1, {one.name: one.facts()["repeats"] for one in engines}, file=sys.stderr, flush=True)
    print(json.dumps({one.name: one.facts() for one in engines}, indent=1))


if __name__ == "__main__":
    main()
