"""The output items of OpenAI's Responses API: calls of tools, what they gave, and the message, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from mastra.types.json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mastra.agents.result import RunResult
    from mastra.types.chunks import Chunk

Event: TypeAlias = tuple[str, dict[str, Any]]


def call_item(call_id: str, name: str, arguments: str | None) -> dict[str, Any]:
    """A call of a tool; without arguments while they are still said."""
    state = "in_progress" if arguments is None else "completed"
    facts = {"name": name, "arguments": arguments or "", "status": state}
    return {"id": call_id, "type": "function_call", "call_id": call_id, **facts}


def output_item(call_id: str, output: Any) -> dict[str, Any]:
    """What a tool gave."""
    text = output if isinstance(output, str) else dumps(output)
    return {"id": f"{call_id}:output", "type": "function_call_output", "call_id": call_id, "output": text}


def message_item(message_id: str, text: str | None) -> dict[str, Any]:
    """The message; without a text while it is still said."""
    part = [] if text is None else [text_part(text)]
    state = "in_progress" if text is None else "completed"
    return {"id": message_id, "type": "message", "role": "assistant", "status": state, "content": part}


def text_part(text: str) -> dict[str, Any]:
    """The text of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def items_of(result: RunResult, message_id: str) -> list[dict[str, Any]]:
    """The items of a run that is over."""
    items: list[dict[str, Any]] = []
    for step in result.steps:
        given = {one["toolCallId"]: one.get("result") for one in step.tool_results}
        for call in step.tool_calls:
            name = call["toolCallId"]
            items.append(call_item(name, call["toolName"], dumps(call.get("args") or {})))
            if name in given:
                items.append(output_item(name, given[name]))
    return [*items, message_item(message_id, result.text)]


class ResponseItems:
    """The items of a run that is followed, and the events that tell of them."""

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._items: list[dict[str, Any]] = []
        self._begun: dict[str, int] = {}
        self._message: int | None = None
        self._text: list[str] = []

    @property
    def items(self) -> list[dict[str, Any]]:
        """All items, in the order in which they began."""
        return list(self._items)

    def take(self, chunk: Chunk) -> list[Event]:
        """What a chunk of the run means."""
        facts = chunk.payload
        match chunk.type:
            case "text-delta":
                head = self._open_message()
                self._text.append(facts["text"])
                return [*head, ("output_text.delta", {**self._place(), "delta": facts["text"]})]
            case "tool-call-input-streaming-start":
                return self._open_call(facts)
            case "tool-call-delta":
                head = self._open_call(facts)
                at = {"item_id": facts["toolCallId"], "output_index": self._begun[facts["toolCallId"]]}
                return [*head, ("function_call_arguments.delta", {**at, "delta": facts["argsTextDelta"]})]
            case "tool-call":
                return [*self._open_call(facts), *self._close_call(facts)]
            case "tool-result":
                return self._add(output_item(facts["toolCallId"], facts.get("result")))
            case "tool-error":
                error = facts.get("error")
                said = error.get("message", "error") if isinstance(error, dict) else str(error)
                return self._add(output_item(facts["toolCallId"], said))
            case _:
                return []

    def finish(self) -> list[Event]:
        """The message is whole."""
        head, whole = self._open_message(), "".join(self._text)
        assert self._message is not None
        done = self._items[self._message] = message_item(self._message_id, whole)
        return [
            *head,
            ("output_text.done", {**self._place(), "text": whole}),
            ("content_part.done", {**self._place(), "part": text_part(whole)}),
            ("output_item.done", {"output_index": self._message, "item": done}),
        ]

    def _place(self) -> dict[str, Any]:
        return {"output_index": self._message, "content_index": 0, "item_id": self._message_id}

    def _open_message(self) -> list[Event]:
        if self._message is not None:
            return []
        self._message = len(self._items)
        item = message_item(self._message_id, None)
        self._items.append(item)
        added = ("output_item.added", {"output_index": self._message, "item": item})
        return [added, ("content_part.added", {**self._place(), "part": text_part("")})]

    def _open_call(self, facts: Mapping[str, Any]) -> list[Event]:
        name = facts["toolCallId"]
        if name in self._begun:
            return []
        index = self._begun[name] = len(self._items)
        item = call_item(name, facts["toolName"], None)
        self._items.append(item)
        return [("output_item.added", {"output_index": index, "item": item})]

    def _close_call(self, facts: Mapping[str, Any]) -> list[Event]:
        name, arguments = facts["toolCallId"], dumps(facts.get("args") or {})
        index = self._begun[name]
        item = self._items[index] = call_item(name, facts["toolName"], arguments)
        told = {"item_id": name, "output_index": index, "name": facts["toolName"], "arguments": arguments}
        return [
            ("function_call_arguments.done", told),
            ("output_item.done", {"output_index": index, "item": item}),
        ]

    def _add(self, item: dict[str, Any]) -> list[Event]:
        facts = {"output_index": len(self._items), "item": item}
        self._items.append(item)
        return [("output_item.added", facts), ("output_item.done", facts)]
