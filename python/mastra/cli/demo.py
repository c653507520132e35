"""`mastra demo`: a guided run through what mastra does, without a key or a network."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer

from mastra import Agent, Mastra, StepContext, Workflow, step, tool
from mastra.cli.options import AsJson
from mastra.cli.output import emit
from mastra.memory.memory import Memory
from mastra.native import build_info
from mastra.native.distance import active_kernel
from mastra.rag.document import Document
from mastra.rag.retriever import Retriever
from mastra.registry import open_url
from mastra.runtime.models import resolve_embedder

SCRIPT = 'scripted/call get_weather {"city": "Oslo"} | It is 21 °C and clear in Oslo. Take the bicycle!'
QUESTION = "How do I write an adapter of my own?"


def demo(
    model: Annotated[str, typer.Option(help="A real model, like openai/gpt-5-mini or ollama/qwen3.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """See it work, in a few seconds, without a key or a network."""
    if as_json:
        with redirect_stdout(StringIO()) as told:
            demo(model)
        emit({"core": build_info(), "kernel": active_kernel(), "lines": told.getvalue().splitlines()})
        return
    with tempfile.TemporaryDirectory(prefix="mastra-demo-") as folder:
        asyncio.run(_tour(model, Path(folder) / "demo.db"))


async def _tour(model: str, file: Path) -> None:
    began = time.perf_counter()
    info = build_info()
    _say(f"mastra {info['version']} · core: {info['compiler']}, {info['architecture']}, kernel {active_kernel()}")
    _say(f"model: {model or 'a script, so no key is needed'} · storage: {file.name} (SQLite)")
    url = f"sqlite:///{file}"
    await _agent(model, url)
    await _memory(url)
    await _workflow(url)
    await _documentation(model)
    _say(f"\nDone in {time.perf_counter() - began:.1f} s. Where to go next:")
    _say('  with a real model:   export OPENAI_API_KEY=... and  mastra demo --model "openai/gpt-5-mini"')
    _say(f"  the guide:           {docs_folder() / 'guide'}")
    _say("  every command:       mastra --help")


# ---------------------------------------------------------------- 1. an agent


@tool
async def get_weather(city: str) -> str:
    """Current weather in a city."""
    return f"{city}: 21 °C, clear"


def weather_agent(model: str) -> Agent:
    """The agent of the tour: a model, a tool, a memory."""
    return Agent(
        "assistant",
        instructions="You are a helpful assistant. Use your tools, then answer in one sentence.",
        model=model or SCRIPT,
        tools=[get_weather],
        memory=Memory(last_messages=10),
    )


async def _agent(model: str, url: str) -> None:
    _title(1, "An agent calls a tool and streams its answer")
    question = "What is the weather in Oslo?"
    _say(f"   user       {question}")
    agent = weather_agent(model)
    async with Mastra(agents=[agent], storage=url), agent.stream(question, thread="tour", resource="you") as run:
        speaking = False
        async for chunk in run:
            if chunk.type == "tool-call":
                _say(f"   tool call  {chunk.payload['toolName']}({chunk.payload['args']})")
            elif chunk.type == "tool-result":
                _say(f"   result     {chunk.payload['result']}")
            elif chunk.type == "text-delta":
                typer.echo(("" if speaking else "   assistant  ") + chunk.payload["text"], nl=False)
                speaking = True
        result = await run.result()
    _say(f"\n   {len(result.steps)} steps, {result.total_usage.total_tokens} tokens, finished: {result.finish_reason}")


# ---------------------------------------------------------------- 2. memory


async def _memory(url: str) -> None:
    _title(2, "It was remembered: the file is opened again, by another application")
    memory = Memory(last_messages=10)
    async with Mastra(memory=memory, storage=url) as mastra:
        memory.bind(mastra.services)
        recalled = await memory.recall(thread_id="tour", resource_id="you", query=None)
    for message in recalled.messages:
        _say(f"   {message.role:<10} {message.text or '(a tool call)'}")


# ---------------------------------------------------------------- 3. a durable workflow


@step
async def draft(value: dict[str, Any]) -> dict[str, Any]:
    """Write something that somebody must approve."""
    return {"text": f"Release notes of {value['version']}"}


@step(resume=dict[str, bool])
async def approve(value: dict[str, Any], ctx: StepContext) -> dict[str, Any]:
    """Wait for a person, for as long as it takes."""
    if ctx.resume_data is None:
        ctx.suspend({"please approve": value["text"]})
    return {**value, "approved": bool((ctx.resume_data or {}).get("ok"))}


def release() -> Workflow[Any, Any]:
    """The workflow of the tour."""
    return Workflow("release").then(draft).then(approve).commit()


async def _workflow(url: str) -> None:
    _title(3, "A workflow waits for a person and survives a restart")
    first = release()
    async with Mastra(workflows=[first], storage=url):
        run = await first.create_run()
        waiting = await run.start({"version": "1.0"})
        places = ", ".join(".".join(path) for path in waiting.suspended)
        _say(f"   run {run.run_id[:8]}  {waiting.status} at: {places}")
    _say("   ... the application stops and starts again ...")
    second = release()
    async with Mastra(workflows=[second], storage=url):
        again = await second.get_run(run.run_id)
        done = await again.resume({"ok": True})
        _say(f"   run {run.run_id[:8]}  {done.status}: {done.result}")


# ---------------------------------------------------------------- 4. the documentation, searched


def docs_folder() -> Path:
    """The documentation that came with the package; in a checkout, the one of the repository."""
    package = Path(__file__).resolve().parents[1]
    bundled = package / "docs"
    return bundled if bundled.is_dir() else package.parents[1] / "docs"


async def _documentation(model: str) -> None:
    _title(4, "A question is answered from the documentation, by the vector index")
    folder = docs_folder()
    pages = sorted(folder.rglob("*.md"))
    if not pages:
        _say("   left out: this is the wheel of pure Python, which carries no documentation")
        return
    documents = [
        Document.from_file(page, id=page.stem, metadata={"source": page.relative_to(folder).as_posix()})
        for page in pages
    ]
    retriever = Retriever(open_url("mastra.vectors", "memory:"), resolve_embedder("lexical/1024"))
    began = time.perf_counter()
    count = await retriever.add(documents)
    _say(f"   {len(pages)} pages in {count} chunks indexed in {time.perf_counter() - began:.2f} s")
    _say(f"   user       {QUESTION}")
    passages = await retriever.retrieve(QUESTION, k=3)
    for passage in passages:
        place = " > ".join([passage.metadata["source"], *passage.metadata.get("headings", [])])
        _say(f"   {passage.score:.2f}       {place}")
    if model:
        sources = "\n\n".join(passage.text for passage in passages)
        reader = Agent("reader", instructions="Answer briefly, from the given text alone.", model=model)
        answer = (await reader.generate(f"{sources}\n\nQuestion: {QUESTION}")).text
    else:
        # A script cannot read: the best passage is the answer.
        answer = "\n".join(line for line in passages[0].text.splitlines() if line.strip())
    _say("   answer     " + "\n              ".join(answer.splitlines()[:6]))


def _title(number: int, text: str) -> None:
    typer.echo()
    typer.secho(f"{number}. {text}", bold=True)


def _say(text: str) -> None:
    typer.echo(text)
