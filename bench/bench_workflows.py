"""Workflows against their peers, in one process and one run: trivial steps, durable steps, fan-out, recovery.

python bench/bench_workflows.py
python bench/bench_workflows.py --peers       # also LangGraph, DBOS and Agno where they are installed
"""

# ruff: noqa: PLC0415, ASYNC110, UP013 - peers are optional; a benchmark may poll
from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time

from mastra import Workflow, step
from mastra.runtime.services import Services
from mastra.storage.memory import MemoryStorage
from mastra.storage.sqlite import SqliteStorage
from mastra.types.records import Put, Table
from mastra.workflows.tables import WORKERS
from mastra.workflows.worker import Worker


def trivial(number):
    @step(id=f"s{number}")
    async def act(value: dict) -> dict:
        return value

    return act


def chain(name, count=10):
    flow = Workflow(name)
    for number in range(count):
        flow = flow.then(trivial(number))
    return flow.commit()


async def best(work, repeats, tries=3):
    found = []
    for _ in range(tries):
        begun = time.perf_counter()
        for _ in range(repeats):
            await work()
        found.append((time.perf_counter() - begun) / repeats)
    return min(found)


async def in_memory():
    flow, fan = chain("plain"), Workflow("fan").parallel([trivial(n) for n in range(1000)]).commit()

    async def run(one):
        await (await one.create_run()).start({"n": 1})

    print(f"10 trivial steps, no persistence: {await best(lambda: run(flow), 2000) * 1e6:.0f} us")
    print(f"fan-out of 1,000 steps: {await best(lambda: run(fan), 3) * 1e3:.1f} ms")


async def durable(folder, durability):
    storage = SqliteStorage(f"{folder}/{durability}.db", durability=durability)
    await storage.open()
    services, flow = Services(storage=storage), chain("durable")
    flow.bind(services)

    async def run():
        await (await flow.create_run()).start({"n": 1})

    one = await best(run, 200)
    floor, numbers = Table("floor"), iter(range(10**9))
    # Another value each time: writing what is there already costs SQLite nothing.
    commit = await best(lambda: storage.write([Put(floor, "a", {"n": next(numbers)})]), 300)

    async def many():
        for _ in range(10):
            await run()

    begun = time.perf_counter()
    await asyncio.gather(*(many() for _ in range(64)))
    together = (time.perf_counter() - begun) / 640
    print(f"10 durable steps, SQLite {durability}: {one * 1e3:.2f} ms (bare commit {commit * 1e6:.0f} us), "
          f"64 at once {together * 1e3:.2f} ms each ({one / together:.1f}x the rate)")  # fmt: skip
    await Worker.of(services).stop()
    await storage.close()


async def long_run(folder):
    storage = SqliteStorage(f"{folder}/long.db", durability="process")
    await storage.open()
    marks = []

    @step(id="tick")
    def tick(value: dict) -> dict:
        if value["n"] % 1000 == 0:
            marks.append(time.perf_counter())
        return {"n": value["n"] + 1}

    flow = Workflow("long").dountil(tick, lambda value: value["n"] >= 20_000).commit()
    flow.bind(Services(storage=storage))
    await (await flow.create_run()).start({"n": 0})
    first, last = marks[2] - marks[1], marks[-1] - marks[-2]
    print(f"a run of 20,000 steps: {first:.2f} s for the second thousand, {last:.2f} s for the last")
    await flow.runs.worker.stop()
    await storage.close()


async def sleepers(count):
    storage = MemoryStorage()
    flow = Workflow("sleepers").sleep(36_000).then(trivial(0)).commit()
    services = Services(storage=storage)
    flow.bind(services)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        await (await flow.create_run(f"r{number}")).start_async({"n": number})
        if number % 500 == 0:
            await services.background.settle()
    await services.background.settle()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    cpu = time.process_time()
    await asyncio.sleep(2)
    used = time.process_time() - cpu
    print(f"{count} sleeping runs: {grown:.0f} MB with their rows in memory, {len(services.workflow_worker.active)} "
          f"held by the worker, {used / 2 * 100:.1f} % of a core")  # fmt: skip
    await services.workflow_worker.stop()


async def recovery(folder, count=1000):
    path = f"{folder}/recovery.db"
    storage = SqliteStorage(path)
    await storage.open()
    gate = asyncio.Event()

    def build():
        return Workflow("left").then(trivial(0)).then(step(id="wait")(lambda value: gate.wait())).commit()

    first, flow = Services(storage=storage), build()
    flow.bind(first)
    await asyncio.gather(*[(await flow.create_run(f"r{n}")).start_async({"n": n}) for n in range(count)])
    worker = first.workflow_worker
    while not all(
        "s0" in run.state.steps and run.state.steps["s0"].status == "success" for run in worker.active.values()
    ):
        await asyncio.sleep(0.01)
    for task in [*worker._tasks, *[run.task for run in worker.active.values()]]:
        task.cancel()
    await asyncio.sleep(0)
    await storage.write([Put(WORKERS, worker.id, {"leaseUntil": 0, "host": "x", "pid": 0, "born": None})])
    second, again = Services(storage=storage), build()
    again.bind(second)
    gate.set()
    begun = time.perf_counter()
    await second.workflow_worker.start()
    while await again.count_runs("success") < count:
        await asyncio.sleep(0.01)
    print(f"recovery of {count} in-flight runs: {time.perf_counter() - begun:.2f} s until all are done")
    await second.workflow_worker.stop()
    await storage.close()


async def peers(folder):
    try:
        from typing import TypedDict

        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
        from langgraph.graph import END, START, StateGraph
    except ImportError:
        print("LangGraph: not installed")
    else:
        State = TypedDict("State", {"n": int})
        graph = StateGraph(State)
        for number in range(10):
            graph.add_node(f"s{number}", lambda state: {"n": state["n"]})
            graph.add_edge(START if number == 0 else f"s{number - 1}", f"s{number}")
        graph.add_edge("s9", END)
        plain = graph.compile()
        print(f"LangGraph, 10 steps, no persistence: {await best(lambda: plain.ainvoke({'n': 1}), 100) * 1e6:.0f} us")
        async with AsyncSqliteSaver.from_conn_string(f"{folder}/lg.db") as saver:
            kept, count = graph.compile(checkpointer=saver), iter(range(10**9))

            async def run():
                config = {"configurable": {"thread_id": str(next(count))}}
                await kept.ainvoke({"n": 1}, config, durability="sync")

            print(f"LangGraph, 10 durable steps, SQLite: {await best(run, 30) * 1e3:.1f} ms")
    try:
        from agno.workflow import Step, StepInput, StepOutput
        from agno.workflow import Workflow as AgnoWorkflow
    except ImportError:
        print("Agno: not installed")
    else:

        async def act(given: StepInput) -> StepOutput:
            return StepOutput(content="x")

        flow = AgnoWorkflow(name="b", steps=[Step(name=f"s{n}", executor=act) for n in range(10)])
        print(f"Agno, 10 steps: {await best(lambda: flow.arun(input='x'), 200) * 1e6:.0f} us")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--sleepers", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        await in_memory()
        await durable(folder, "full")
        await durable(folder, "process")
        await long_run(folder)
        await recovery(folder)
        if given.peers:
            await peers(folder)
        await sleepers(given.sleepers)


if __name__ == "__main__":
    asyncio.run(main())
