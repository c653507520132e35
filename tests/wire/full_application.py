"""The application with everything that the recordings called full were made with: control flow, processors, suspending
tools, semantic recall, owners."""

from __future__ import annotations

from typing import Any, TypedDict

from tests.wire.wire_application import HELLO, SUNNY, USAGE, Weather, agents, get_weather, workflows

from mastra import Agent, Mastra, Workflow, step, tool
from mastra.agents.processors.processor import Processor
from mastra.evals.scorer import create_scorer
from mastra.memory.memory import Memory
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.tools.context import ToolContext
from mastra.types.prompt import ToolMessage
from mastra.workflows.context import StepContext


class N(TypedDict):
    n: int


class Seen(TypedDict):
    seen: int


class Topic(TypedDict):
    topic: str


class Ok(TypedDict):
    ok: bool


class Said(TypedDict):
    answer: str


class Asked(TypedDict):
    question: str


def adds(name: str, more: int):
    """A step that says that it is at work and adds to the number."""

    @step(id=name)
    async def run(input: N, context: StepContext) -> N:
        await context.writer.write({"kind": "log", "at": name})
        return {"n": input["n"] + more}

    return run


@step(id="bail-step")
async def bail_step(input: N, context: StepContext) -> N:
    context.bail({"n": -1})


@step(id="approve-each", resume=Ok)
async def approve_each(input: N, context: StepContext) -> N:
    if context.resume_data is None:
        context.suspend({"ask": input["n"]}, label=f"item-{input['n']}")
    return input


def flows() -> dict[str, Workflow]:
    """The workflows by name."""
    nested = Workflow("nested", input=N, output=N).then(adds("inner", 100)).commit()
    begun: Any = Workflow("control-flow", description="All control flow", input=N, output=list[N], state=Seen)
    control = (
        begun.then(adds("first", 1))
        .branch(
            [(lambda value: value["n"] > 0, adds("positive", 10)), (lambda value: value["n"] <= 0, adds("negative", 0))]
        )
        .map(lambda value: {"n": (value.get("positive") or value.get("negative"))["n"]})
        .parallel([adds("p1", 1), adds("p2", 2)])
        .map(lambda value: {"n": value["p1"]["n"] + value["p2"]["n"]})
        .dowhile(adds("loop", 5), lambda value: value["n"] < 40)
        .sleep(0.02)
        .then(nested)
        .map(lambda value: [{"n": value["n"]}, {"n": 2}, {"n": 3}])
        .foreach(adds("each", 1), concurrency=2)
        .commit()
    )
    sleepy = Workflow("sleepy", description="Long sleep for cancel", input=N, output=N)
    bailer = Workflow("bailer", description="Bails early", input=N, output=N)
    return {
        **workflows(),
        "control-flow": control,
        "sleepy": sleepy.then(adds("s1", 1)).sleep(1.5).then(adds("s2", 1)).commit(),
        "bailer": bailer.then(bail_step).then(adds("never", 1)).commit(),
        "each-suspend": Workflow("each-suspend", input=list[N], output=list[N]).foreach(approve_each).commit(),
    }


class BlockBadWords(Processor):
    """Refuses what is forbidden."""

    id = "block-bad-words"
    name = "Block bad words"

    async def process_input(self, messages, context):
        if any("forbidden" in message.text for message in messages):
            context.abort("Blocked: forbidden word", metadata={"word": "forbidden"})
        return messages


@tool(id="get_weather", output=Weather)
async def looking_up(city: str, context: ToolContext) -> Weather:
    """Get the current weather for a city"""
    await context.write({"status": "looking-up"})
    await context.custom("data-progress", {"pct": 50})
    return {"city": city, "tempC": 21, "conditions": "sunny"}


@tool(resume=Said, suspend=Asked)
async def ask_human(question: str, context: ToolContext) -> dict:
    """Ask a person."""
    if context.resume_data is None:
        context.suspend({"question": question})
    return {"answer": context.resume_data["answer"]}


def asks(request):
    """Asks a person first, then tells."""
    if isinstance(request.messages[-1], ToolMessage):
        return Answer(text=SUNNY, usage=USAGE)
    return Answer(calls=(Call("ask_human", {"question": "Are you sure?"}),), usage=USAGE)


length = (
    create_scorer("length-scorer", name="Length", description="Output length above zero")
    .generate_score(lambda run: 1 if run.output_text else 0)
    .generate_reason(lambda run: f"score is {run.score:g}")
)


def make_full(**options) -> Mastra:
    """A fresh application."""
    hello = ScriptedModel([Answer(text=HELLO, usage=USAGE)], per_run=True)
    more = [
        Agent("tripper", model=hello, input_processors=[BlockBadWords()]),
        Agent("asker", model=ScriptedModel([asks], per_run=True), tools=[ask_human], memory=Memory(last_messages=10)),
    ]
    judged = {"length": {"scorer": length, "sampling": {"type": "ratio", "rate": 1}}}
    return Mastra(
        agents=[*agents(scorers=judged, tools=[looking_up]), *more],
        workflows=flows(),
        tools=[get_weather],
        scorers={"length-scorer": length},
        vectors={"main": "memory:"},
        **options,
    )
