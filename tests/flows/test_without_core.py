"""On a platform without a wheel agents and workflows still run: slowly, with one warning."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, importlib.abc, sys, warnings

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "mastra._core":
            raise ImportError("hidden")

sys.meta_path.insert(0, Hidden())
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from mastra import Agent, Mastra, Workflow, step, tool

    @tool
    async def double(number: int) -> int:
        "Twice the number."
        return 2 * number

    @step
    async def add(value: dict) -> dict:
        return {"n": value["n"] + 1}

    async def main():
        agent = Agent("a", model='scripted/call double {"number": 21} | It is 42.', tools=[double])
        workflow = Workflow("w").then(add).commit()
        async with Mastra(agents=[agent], workflows=[workflow], storage="memory:"):
            print((await agent.generate("Double 21.")).text)
            print((await (await workflow.create_run()).start({"n": 1})).result)
            from mastra.native.sse import SseParser
            print([event.data for event in SseParser().feed(b"data: x\\n\\n")])

    asyncio.run(main())
    ours = [str(item.message) for item in caught if "compiled core" in str(item.message)]
    print(len(ours), "_core" in " ".join(ours))
"""


def test_without_the_compiled_core_agents_still_run() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["It is 42.", "{'n': 2}", "['x']", "1 True"]
