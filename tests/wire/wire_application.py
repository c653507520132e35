"""The application that the wire tests talk to: two agents, four workflows, tools, a vector store and a scorer."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from pydantic import Field

from mastra import Agent, Mastra, Workflow, step, tool
from mastra.errors import ModelUnavailable
from mastra.memory.memory import Memory
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.tools.context import ToolContext
from mastra.types.prompt import ToolMessage, UserMessage
from mastra.types.usage import Usage
from mastra.workflows.context import StepContext

HELLO = "Hello from the mock model."
SUNNY = "It is 21 degrees and sunny in Paris."
USAGE = Usage(10, 5, 15)


class Msg(TypedDict):
    message: str


class Amount(TypedDict):
    amount: int


class Decision(TypedDict):
    amount: int
    approved: bool


class Approval(TypedDict):
    approved: bool


class Reason(TypedDict):
    reason: str


class Status(TypedDict):
    status: str


class Weather(TypedDict):
    city: str
    tempC: float
    conditions: str


class Deleted(TypedDict):
    deleted: bool


@tool(output=Weather)
async def get_weather(city: Annotated[str, Field(description="City name")]) -> Weather:
    """Get the current weather for a city"""
    return {"city": city, "tempC": 21, "conditions": "sunny"}


@tool(require_approval=True, output=Deleted)
async def delete_record(id: str) -> Deleted:
    """Delete a record (needs approval)"""
    return {"deleted": bool(id)}


@tool(resume=Approval)
async def ask_human(question: str, context: ToolContext) -> str:
    """Ask a person."""
    if context.resume_data is None:
        context.suspend({"question": question})
    return f"approved: {context.resume_data['approved']}"


def answer(request):
    """What the model says: it looks at the last user message and at whether a tool has answered."""
    said = next((one for one in reversed(request.messages) if isinstance(one, UserMessage)), None)
    text = "".join(getattr(part, "text", "") for part in said.parts) if said else ""
    if isinstance(request.messages[-1], ToolMessage):
        return Answer(text=SUNNY, usage=USAGE)
    if "fail-please" in text:
        return ModelUnavailable("mock model failure", retryable=False)
    if "weather" in text:
        return Answer(calls=(Call("get_weather", {"city": "Paris"}),), usage=USAGE)
    if "secret" in text:
        return Answer(calls=(Call("delete_record", {"id": "42"}),), usage=USAGE)
    if "human" in text:
        return Answer(calls=(Call("ask_human", {"question": "may I?"}),), usage=USAGE)
    if "color" in text:
        name = next((one.name for one in request.tools if one.name.endswith("color")), "set_color")
        return Answer(calls=(Call(name, {"color": "red"}),), usage=USAGE)
    if "JSON" in text:
        return Answer(text='{"city":"Paris","tempC":21}', usage=USAGE)
    if "slowly" in text:
        return Answer(text="one two three four five six seven eight nine ten", delta_delay_s=0.05, usage=USAGE)
    return Answer(text=HELLO, usage=USAGE)


def model() -> ScriptedModel:
    return ScriptedModel([answer], per_run=True)


def echo(name: str):
    @step(id=name)
    async def run(input: Msg) -> Msg:
        return {"message": input["message"]}

    return run


@step(id="ask-approval", suspend=Reason, resume=Approval)
async def ask_approval(input: Amount, context: StepContext) -> Decision:
    if context.resume_data is None:
        context.suspend({"reason": f"approve {input['amount']}?"})
    return {"amount": input["amount"], "approved": context.resume_data["approved"]}


@step(id="finalize")
async def finalize(input: Decision) -> Status:
    return {"status": "paid" if input["approved"] else "rejected"}


@step(id="boom")
async def boom(input: Msg) -> Msg:
    raise ValueError("step exploded")


def workflows() -> dict[str, Workflow]:
    chain = Workflow("echo-chain", description="Ten echo steps", input=Msg, output=Msg)
    for number in range(10):
        chain = chain.then(echo(f"echo-{number}"))
    fan = Workflow("fan-out", description="Ten parallel echo steps", input=Msg, output=dict)
    flow = Workflow("approval-flow", description="Suspends for approval", input=Amount, output=Status)
    return {
        "echo-chain": chain.commit(),
        "fan-out": fan.parallel([echo(f"branch-{number}") for number in range(10)]).commit(),
        "approval-flow": flow.then(ask_approval).then(finalize).commit(),
        "failing": Workflow("failing", description="Always fails", input=Msg, output=Msg).then(boom).commit(),
    }


def agents(*, scorers: Any = None, tools: Any = None) -> list[Agent]:
    memory = Memory(last_messages=10)
    return [
        Agent(
            "assistant",
            description="A minimal assistant",
            instructions="You are a helpful assistant.",
            model=model(),
            tools=tools or [get_weather],
            memory=memory,
            scorers=scorers,
        ),
        Agent(
            "guarded",
            description="An agent with a tool that needs approval",
            instructions="You manage records.",
            model=model(),
            tools=[delete_record, ask_human],
            memory=memory,
        ),
    ]


def make(**options) -> Mastra:
    """A fresh application."""
    options.setdefault("vectors", {"main": "memory:"})
    return Mastra(agents=agents(), workflows=workflows(), tools=[get_weather, delete_record], **options)
