from __future__ import annotations

from typing import Any

from mastra import Agent, tool
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.server.response_items import ResponseItems, items_of
from mastra.types.chunks import Chunk


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def told(items: ResponseItems, kind: str, **payload: Any) -> list[str]:
    return [name for name, _ in items.take(Chunk(kind, payload, "r1", "AGENT"))]


def test_calls_results_and_the_message_come_in_their_order() -> None:
    items = ResponseItems("msg_1")
    call = {"toolCallId": "c1", "toolName": "add"}
    assert told(items, "tool-call-input-streaming-start", **call) == ["output_item.added"]
    assert told(items, "tool-call-delta", **call, argsTextDelta="{") == ["function_call_arguments.delta"]
    assert told(items, "tool-call", **call, args={"a": 1}) == ["function_call_arguments.done", "output_item.done"]
    assert told(items, "tool-result", **call, result={"sum": 3}) == ["output_item.added", "output_item.done"]
    assert told(items, "text-delta", id="t", text="Th") == [
        "output_item.added", "content_part.added", "output_text.delta",
    ]  # fmt: skip
    assert told(items, "text-delta", id="t", text="ree") == ["output_text.delta"]
    assert told(items, "step-start") == []
    events = dict(items.finish())
    assert events["output_text.done"] == {
        "output_index": 2, "content_index": 0, "item_id": "msg_1", "text": "Three",
    }  # fmt: skip
    assert [(one["type"], one.get("status")) for one in items.items] == [
        ("function_call", "completed"), ("function_call_output", None), ("message", "completed"),
    ]  # fmt: skip
    assert items.items[0]["arguments"] == '{"a":1}'
    assert items.items[1]["output"] == '{"sum":3}'


def test_a_call_that_was_not_streamed_a_tool_that_failed_and_an_answer_without_words() -> None:
    items = ResponseItems("msg_1")
    call = {"toolCallId": "c1", "toolName": "add"}
    assert told(items, "tool-call", **call, args=None)[0] == "output_item.added"
    told(items, "tool-error", **call, error={"message": "broke"})
    assert [name for name, _ in items.finish()][:2] == ["output_item.added", "content_part.added"]
    assert [one.get("output", one.get("content")) for one in items.items][1] == "broke"
    assert items.items[2]["content"][0]["text"] == ""


async def test_a_run_that_is_over_has_the_items_that_its_stream_told() -> None:
    def agent() -> Agent:
        model = ScriptedModel([Answer(calls=(Call("add", {"a": 1, "b": 2}),)), Answer(text="3")])
        return Agent("adder", model=model, tools=[add])

    followed = ResponseItems("msg_1")
    async with agent().stream("1 + 2") as run:
        async for chunk in run:
            followed.take(chunk)
    followed.finish()

    def shape(items: list[dict[str, Any]]) -> list[Any]:
        return [(one["type"], one.get("arguments"), one.get("output"), one.get("content")) for one in items]

    whole = items_of(await agent().generate("1 + 2"), "msg_1")
    assert shape(whole) == shape(followed.items)
    assert [one["type"] for one in whole] == ["function_call", "function_call_output", "message"]
