"""On a platform without a wheel everything still runs in pure Python: slower, and with one warning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HIDE = """
import importlib.abc, sys, warnings

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "mastra._core":
            raise ImportError("hidden")

sys.meta_path.insert(0, Hidden())
"""

AGENTS = """
import asyncio
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import httpx
    from mastra import Agent, Mastra, Workflow, step, tool
    from mastra.memory.memory import Memory
    from mastra.native.sse import SseParser
    from mastra.server.http import create_app

    @tool
    async def double(number: int) -> int:
        "Twice the number."
        return 2 * number

    @step
    async def ask(value: dict, ctx) -> dict:
        if ctx.resume_data is None:
            ctx.suspend({"ok?": value})
        return {**value, "resumed": ctx.resume_data}

    async def main(url):
        memory = Memory(vectors="memory:", embedder="lexical/64", last_messages=1, semantic_recall=True)
        agent = Agent("a", model='scripted/call double {"number": 21} | It is 42.',
                      tools=[double], memory=memory)
        plain = Agent("plain", model="scripted/Over HTTP.")
        workflow = Workflow("w").then(ask).commit()
        async with Mastra(agents=[agent, plain], workflows=[workflow], storage=url) as app:
            print((await agent.generate("Double twenty-one.", thread="t", resource="r")).text)
            print((await agent.generate("What of twenty-one?", thread="t", resource="r")).text)
            found = await memory.recall(thread_id="t", resource_id="r", query="twenty-one doubled")
            print("Double twenty-one." in str(found))
            run = await workflow.create_run()
            print((await run.start({"n": 1})).status)
            served = httpx.ASGITransport(create_app(app))
            async with httpx.AsyncClient(transport=served, base_url="http://localhost") as client:
                answer = await client.post("/api/agents/plain/stream", json={"messages": "hi"})
                events = SseParser().feed(answer.content)
                print(answer.status_code, "Over HTTP." in "".join(event.data for event in events))
        again = Workflow("w").then(ask).commit()
        async with Mastra(workflows=[again], storage=url):
            print((await (await again.get_run(run.run_id)).resume({"yes": True})).result)

    asyncio.run(main(sys.argv[1]))
    ours = [str(item.message) for item in caught if "compiled core" in str(item.message)]
    print(len(ours), "_core" in " ".join(ours))
"""

BESIDE = """
import asyncio
from mastra import Agent, Mastra, create_scorer, tool
from mastra.agents.tasks import Tasks
from mastra.evals.judged import faithfulness
from mastra.evals.prebuilt import content_similarity, includes, keyword_coverage
from mastra.evals.scores import ScoreRepo
from mastra.mcp import McpServer, Resource
from mastra.rag.document import Document
from mastra.testing import Call, ScriptedModel

@tool
async def weather(city: str) -> str:
    "Weather in a city."
    return f"{city}: clear"

@tool(background=True)
async def report(topic: str) -> str:
    "A long report."
    return f"All about {topic}."

async def main(url):
    guide = Agent("guide", model="scripted/Oslo is lovely.", description="Knows towns.",
                  scorers={"oslo": {"scorer": includes("Oslo"), "sampling": {"type": "ratio", "rate": 1}}})
    writer = Agent("writer", model=ScriptedModel([Call("report", {"topic": "cats"}), "Begun.", "Here it is."]),
                   tools=[report])
    desk = McpServer("desk", tools=[weather], agents=[guide], resources=[Resource("weather://all", ["Oslo"])])
    async with Mastra(agents=[guide, writer], mcp_servers=[desk], storage=url) as app:
        print(await desk.get_tool("weather")(city="Oslo"), await desk.get_tool("ask_guide")(message="Where?"))
        print((await desk.read("weather://all"))[0]["text"])
        print((await writer.generate("cats?", until_idle=True)).text)
        print([one["status"] for one in (await Tasks.of(writer.services).list())["tasks"]])
        result = await guide.generate("Where to?")
        await app.services.background.settle()
        scores = await ScoreRepo(app.storage).list(run_id=result.run_id)
        print([one["score"] for one in scores["scores"]])
    judge = ScriptedModel(['{"items": [{"statement": "s", "verdict": "yes", "reason": "r"}]}'])
    print((await faithfulness(judge, context=["s"]).run(input="q", output="s")).score)
    print((await content_similarity().run(input="a b c", output="a b c")).score)
    print((await keyword_coverage().run(input="red cats", output="red cats")).score)
    print(len(Document("One. " * 200).chunk(size=100, overlap=0)) > 3)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    asyncio.run(main(sys.argv[1]))
"""

RANKING = """
import asyncio
from mastra.providers.lexical import LexicalReranker

try:
    asyncio.run(LexicalReranker().rerank("cats", ["cats", "dogs"]))
except Exception as error:
    print(error.code, error.hint)
"""

COMMAND = """
sys.argv[0] = "mastra"
from mastra.cli.main import main
sys.exit(main())
"""


def run(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDE + code, *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, check=False
    )


def test_agents_memory_with_vectors_workflows_and_the_server_run_without_the_compiled_core(tmp_path: Path) -> None:
    done = run(AGENTS, f"sqlite:///{tmp_path / 'app.db'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "It is 42.",
        "It is 42.",
        "True",
        "suspended",
        "200 True",
        "{'n': 1, 'resumed': {'yes': True}}",
        "1 True",
    ]


def test_mcp_background_tools_judges_scorers_and_documents_run_without_it(tmp_path: Path) -> None:
    done = run(BESIDE, f"sqlite:///{tmp_path / 'app.db'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Oslo: clear Oslo is lovely.",
        '["Oslo"]',
        "Here it is.",
        "['completed']",
        "[1.0]",
        "1.0",
        "1.0",
        "1.0",
        "True",
    ]


def test_the_tour_runs_without_the_compiled_core(tmp_path: Path) -> None:
    done = run(COMMAND, "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "by the vector index" in done.stdout
    assert done.stderr.count("RuntimeWarning") == 1


def test_the_doctor_says_that_the_compiled_core_is_missing(tmp_path: Path) -> None:
    done = run(COMMAND, "doctor", "--json", cwd=tmp_path)
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["core"]["state"] == "note"
    assert "wheel" in found["core"]["hint"]


def test_what_needs_the_compiled_core_says_so(tmp_path: Path) -> None:
    done = run(RANKING, cwd=tmp_path)
    assert done.stdout.startswith("native-unsupported Install mastra from a wheel"), done.stderr
