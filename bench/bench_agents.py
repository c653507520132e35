"""Cost of the framework around a model that answers at once: text, tools, streamed deltas; ours and the peers'.

Run: python bench/bench_agents.py
 or: pytest bench/bench_agents.py -o python_files='bench_*.py' --benchmark-only --benchmark-group-by=group
Peers that are not installed are left out: agno, agent-framework-core, pydantic-ai-slim, openai-agents, langgraph.
"""

# ruff: noqa: PLC0415 - each peer is loaded only when it is measured

from __future__ import annotations

import asyncio
import cProfile
import pstats
import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import pytest

PASSES = 3
Run = Callable[[], Awaitable[Any]]
# How often each is run in a pass.
TIMES = {"text run": 1000, "text run, 20 tools": 1000, "3 tools in sequence": 500, "3 tools side by side": 500,
         "stream of 1,000 deltas": 50}  # fmt: skip
SLOW_TIMES = 100


async def add_three(a: int, b: int, c: int) -> int:
    """Add three numbers.

    Args:
        a: The first.
        b: The second.
        c: The third.
    """
    return a + b + c


def best(run: Run, count: int) -> float:
    """Microseconds of one run, best of three passes."""

    async def measure() -> float:
        for _ in range(max(20, count // 10)):
            await run()
        times = []
        for _ in range(PASSES):
            start = time.perf_counter()
            for _ in range(count):
                await run()
            times.append((time.perf_counter() - start) / count * 1e6)
        return min(times)

    return asyncio.run(measure())


# ---------------------------------------------------------------- ours


@cache
def mastra() -> dict[str, Any]:
    from mastra import Agent, tool
    from mastra.ports.model import ChatModel
    from mastra.types.model import Finish, ResponseStart, TextDelta, TextEnd, TextStart, ToolCall
    from mastra.types.usage import Usage

    class Fake(ChatModel):
        provider, model_id = "fake", "fake"

        def __init__(self, rounds=0, side_by_side=1, deltas=1):
            self.rounds, self.side_by_side, self.deltas = rounds, side_by_side, deltas

        async def stream(self, request):
            yield ResponseStart("r", "fake")
            step = sum(message.role == "assistant" for message in request.messages)
            if step < self.rounds:
                for n in range(self.side_by_side):
                    yield ToolCall(f"c{step}{n}", "add_three", {"a": 1, "b": 2, "c": 3})
                yield Finish("tool-calls", Usage(10, 5))
                return
            yield TextStart("t")
            for _ in range(self.deltas):
                yield TextDelta("t", "Hello ")
            yield TextEnd("t")
            yield Finish("stop", Usage(10, 5))

    add = tool(add_three)

    def agent(model, tools=()):
        return Agent("a", instructions="Be brief.", model=model, tools=tools)

    async def read(one):
        async with one.stream("Hi") as run:
            async for _ in run:
                pass

    text, seq = agent(Fake()), agent(Fake(3), [add])
    side, many = agent(Fake(1, 3), [add]), agent(Fake(), [add.but(name=f"add{n}") for n in range(20)])
    long = agent(Fake(deltas=1001))
    return {
        "text run": lambda: text.generate("Hi"),
        "text run, 20 tools": lambda: many.generate("Hi"),
        "3 tools in sequence": lambda: seq.generate("Hi", max_steps=10),
        "3 tools side by side": lambda: side.generate("Hi"),
        "stream of 1,000 deltas": lambda: read(long),
        "declare a tool": tool,
    }


def declared(declare: Callable[[Any], Any], count: int = 1000) -> float:
    """Microseconds of the declaration of a tool with three parameters."""
    start = time.perf_counter()
    for _ in range(count):
        declare(add_three)
    return (time.perf_counter() - start) / count * 1e6


def calls(run: Run) -> int:
    """Function calls of one run, as cProfile counts them."""
    profile = cProfile.Profile()

    async def once() -> None:
        await run()
        profile.enable()
        await run()
        profile.disable()

    asyncio.run(once())
    stats: Any = pstats.Stats(profile)
    count: int = stats.total_calls
    return count


# ---------------------------------------------------------------- peers


@cache
def pydantic_ai() -> dict[str, Any]:
    from pydantic_ai import Agent, Tool
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.models.test import TestModel

    def answer(messages, info):
        step = sum(isinstance(message, ModelResponse) for message in messages)
        if step < 3:
            return ModelResponse(parts=[ToolCallPart("add", {"a": 1, "b": 2, "c": 3})])
        return ModelResponse(parts=[TextPart("Hello")])

    text = Agent(TestModel(custom_output_text="Hello", call_tools=[]), instructions="Be brief.")
    seq = Agent(FunctionModel(answer), instructions="Be brief.")

    @seq.tool_plain
    async def add(a: int, b: int, c: int) -> int:
        return a + b + c

    return {
        "text run": lambda: text.run("Hi"),
        "3 tools in sequence": lambda: seq.run("Hi"),
        "declare a tool": Tool,
    }


@cache
def openai_agents() -> dict[str, Any]:
    from agents import Agent, ModelResponse, Runner, function_tool, set_tracing_disabled
    from agents.models.interface import Model
    from agents.usage import Usage
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    set_tracing_disabled(True)

    class Fake(Model):
        def __init__(self, rounds=0):
            self.rounds = rounds

        async def get_response(self, system_instructions, input, *args, **kwargs):
            done = 0 if isinstance(input, str) else sum(one.get("type") == "function_call" for one in input)
            if done < self.rounds:
                arguments = '{"a": 1, "b": 2, "c": 3}'
                item = ResponseFunctionToolCall(
                    arguments=arguments, call_id=f"c{done}", name="add", type="function_call"
                )
            else:
                text = ResponseOutputText(text="Hello", type="output_text", annotations=[])
                item = ResponseOutputMessage(
                    id="m", content=[text], role="assistant", status="completed", type="message"
                )
            return ModelResponse(output=[item], usage=Usage(), response_id=None)

        def stream_response(self, *args, **kwargs):
            raise NotImplementedError

    @function_tool
    async def add(a: int, b: int, c: int) -> int:
        """Add."""
        return a + b + c

    text = Agent(name="a", instructions="Be brief.", model=Fake())
    seq = Agent(name="a", instructions="Be brief.", model=Fake(3), tools=[add])
    return {
        "text run": lambda: Runner.run(text, "Hi"),
        "3 tools in sequence": lambda: Runner.run(seq, "Hi"),
        "declare a tool": function_tool,
    }


@cache
def langgraph() -> dict[str, Any]:
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langgraph.graph import START, MessagesState, StateGraph

    def forever():
        while True:
            yield AIMessage("Hello")

    model = GenericFakeChatModel(messages=forever())

    async def call(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", call)
    graph.add_edge(START, "model")
    compiled: Any = graph.compile()
    return {"text run": lambda: compiled.ainvoke({"messages": [("user", "Hi")]})}


@cache
def agent_framework() -> dict[str, Any]:
    from agent_framework import (
        Agent,
        BaseChatClient,
        ChatResponse,
        ChatResponseUpdate,
        Content,
        FunctionInvocationLayer,
        Message,
        tool,
    )

    class Fake(FunctionInvocationLayer, BaseChatClient):
        def __init__(self, rounds=0, side_by_side=1, deltas=1):
            super().__init__()
            self.rounds, self.side_by_side, self.deltas = rounds, side_by_side, deltas

        def _inner_get_response(self, *, messages, stream, options, **kwargs):
            return self._build_response_stream(self._told()) if stream else self._answer(messages)

        async def _answer(self, messages):
            step = sum(message.role == "assistant" for message in messages)
            if step < self.rounds:
                arguments = '{"a": 1, "b": 2, "c": 3}'
                said = [
                    Content.from_function_call(f"c{step}{n}", "add_three", arguments=arguments)
                    for n in range(self.side_by_side)
                ]
            else:
                said = ["Hello"]
            return ChatResponse(messages=[Message("assistant", said)], response_id="r")

        async def _told(self):
            for _ in range(self.deltas):
                yield ChatResponseUpdate(role="assistant", contents=[Content.from_text("Hello ")])

    add = tool(add_three)
    text, long = Agent(Fake(), "Be brief."), Agent(Fake(deltas=1001), "Be brief.")
    seq, side = Agent(Fake(3), "Be brief.", tools=[add]), Agent(Fake(1, 3), "Be brief.", tools=[add])

    async def read():
        async for _ in long.run("Hi", stream=True):
            pass

    return {
        "text run": lambda: text.run("Hi"),
        "3 tools in sequence": lambda: seq.run("Hi"),
        "3 tools side by side": lambda: side.run("Hi"),
        "stream of 1,000 deltas": read,
        "declare a tool": tool,
    }


@cache
def agno() -> dict[str, Any]:
    from dataclasses import dataclass

    from agno.agent import Agent
    from agno.models.base import Model
    from agno.models.response import ModelResponse
    from agno.tools.function import Function

    @dataclass
    class Fake(Model):
        id: str = "fake"
        rounds: int = 0
        side_by_side: int = 1
        deltas: int = 1

        def invoke(self, *args, **kwargs):
            raise NotImplementedError

        async def ainvoke(self, messages, *args, **kwargs):
            step = sum(message.role == "assistant" for message in messages)
            if step < self.rounds:
                function = {"name": "add_three", "arguments": '{"a": 1, "b": 2, "c": 3}'}
                calls = [
                    {"id": f"c{step}{n}", "type": "function", "function": function} for n in range(self.side_by_side)
                ]
                return ModelResponse(role="assistant", tool_calls=calls)
            return ModelResponse(role="assistant", content="Hello")

        def invoke_stream(self, *args, **kwargs):
            raise NotImplementedError

        async def ainvoke_stream(self, *args, **kwargs):
            for _ in range(self.deltas):
                yield ModelResponse(role="assistant", content="Hello ")

        def _parse_provider_response(self, response, **kwargs):
            return response

        def _parse_provider_response_delta(self, response):
            return response

    def agent(model, tools=()):
        return Agent(model=model, instructions="Be brief.", tools=list(tools), telemetry=False)

    text, long = agent(Fake()), agent(Fake(deltas=1001))
    seq, side = agent(Fake(rounds=3), [add_three]), agent(Fake(rounds=1, side_by_side=3), [add_three])

    async def read():
        async for _ in long.arun("Hi", stream=True):
            pass

    return {
        "text run": lambda: text.arun("Hi"),
        "3 tools in sequence": lambda: seq.arun("Hi"),
        "3 tools side by side": lambda: side.arun("Hi"),
        "stream of 1,000 deltas": read,
        "declare a tool": Function.from_callable,
    }


LIBRARIES = (mastra, agno, agent_framework, pydantic_ai, openai_agents, langgraph)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@pytest.mark.parametrize("what", TIMES)
def test_run(benchmark, library, what):
    try:
        run = library().get(what)
    except ImportError as error:
        pytest.skip(f"{error.name} is not installed")
    if run is None:
        pytest.skip("not measured for this one")
    benchmark.group, count = what, 50

    async def several():
        for _ in range(count):
            await run()

    with asyncio.Runner() as runner:
        # One round is fifty runs: starting a loop costs nothing then.
        benchmark(lambda: runner.run(several()))


def test_declare(benchmark):
    benchmark.group = "declare a tool"
    benchmark(lambda: mastra()["declare a tool"](add_three))


def measured(library: Callable[[], dict[str, Any]]) -> dict[str, float]:
    """Microseconds of each of a library's runs."""
    mine = library is mastra
    runs = dict(library())
    declare: Any = runs.pop("declare a tool", None)
    out = {what: best(run, TIMES[what] if mine else min(TIMES[what], SLOW_TIMES)) for what, run in runs.items()}
    if declare is not None:
        out["declare a tool"] = min(declared(declare, 1000 if mine else SLOW_TIMES) for _ in range(PASSES))
    if "stream of 1,000 deltas" in out:
        out["streamed delta"] = (out.pop("stream of 1,000 deltas") - out["text run"]) / 1000
    if mine:
        out["Python calls (text run)"] = float(calls(library()["text run"]))
    return out


def main() -> None:
    rows = {}
    for library in LIBRARIES:
        try:
            rows[library.__name__] = measured(library)
        except ImportError as error:
            print(f"{library.__name__}: not installed ({error.name})")
        except Exception as error:  # noqa: BLE001 - a peer that changed its interface must not hide the others
            print(f"{library.__name__}: {type(error).__name__}: {error}")
    mine = rows["mastra"]
    for name in mine:
        for peer, row in rows.items():
            if name in row:
                ratio = "" if peer == "mastra" else f"  {row[name] / mine[name]:6.1f}x"
                print(f"{name:28} {peer:16} {row[name]:10.1f}{ratio}")


if __name__ == "__main__":
    main()
