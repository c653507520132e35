"""Agent runs as events of AG-UI, the protocol between agents and the pages that show them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mastra.server.problems import problem
from mastra.server.sse import dumps
from mastra.types.json import dumps as json_text

if TYPE_CHECKING:
    from mastra.runtime.stream import RunStream
    from mastra.types.chunks import Chunk

Event = dict[str, Any]


class Events:
    """Turns the chunks of one run into events. What is open is closed before the run ends."""

    def __init__(self, thread_id: str, run_id: str) -> None:
        self.thread_id = thread_id
        self.run_id = run_id
        self.interrupts: list[Event] = []
        self.ended = False
        self._number = 0
        self._step = 0
        # Id of a text or a thought -> the id of its message; ids repeat from step to step, messages may not.
        self._texts: dict[str, str] = {}
        self._thoughts: dict[str, str] = {}
        # Calls that have begun; True once their arguments are whole.
        self._calls: dict[str, bool] = {}
        self._answered: set[str] = set()
        self._usage: Event | None = None
        self._by_kind: dict[str, Callable[[Event], list[Event]]] = {
            "step-start": self._step_start,
            "step-finish": self._step_finish,
            "text-start": self._text_start,
            "text-delta": self._text_delta,
            "text-end": self._text_end,
            "reasoning-start": self._thought_start,
            "reasoning-delta": self._thought_delta,
            "reasoning-end": self._thought_end,
            "tool-call-input-streaming-start": self._call_start,
            "tool-call-delta": self._call_delta,
            "tool-call-input-streaming-end": self._call_end,
            "tool-call": self._call_whole,
            "tool-result": self._result,
            "tool-error": self._tool_error,
            "tool-output-denied": self._denied,
            "tool-call-approval": self._interrupt,
            "tool-call-suspended": self._interrupt,
            "finish": self._finish,
            "error": self._error,
            "tripwire": self._tripwire,
        }

    def start(self) -> Event:
        """The event that opens a run."""
        return {"type": "RUN_STARTED", "threadId": self.thread_id, "runId": self.run_id}

    def read(self, chunk: Chunk) -> list[Event]:
        """The events that a chunk stands for."""
        if self.ended:
            return []
        data = chunk.payload if isinstance(chunk.payload, dict) else {"value": chunk.payload}
        handler = self._by_kind.get(chunk.type)
        if handler is not None:
            return handler(data)
        if chunk.type.startswith("data-"):
            return [{"type": "CUSTOM", "name": chunk.type[5:], "value": data.get("data")}]
        if chunk.type in {"object-result", "tool-output", "source", "file"}:
            return [{"type": "CUSTOM", "name": chunk.type, "value": chunk.payload}]
        return []

    def end(self) -> list[Event]:
        """The events that close the run; none when an error has ended it."""
        if self.ended:
            return []
        self.ended = True
        out = self._close()
        last: Event = {"type": "RUN_FINISHED", "threadId": self.thread_id, "runId": self.run_id}
        if self.interrupts:
            last["outcome"] = {"type": "interrupt", "interrupts": self.interrupts}
        else:
            pending = [call for call in self._calls if call not in self._answered]
            last["outcome"] = {"type": "success", **({"pendingToolCallIds": pending} if pending else {})}
        if self._usage is not None:
            last["usage"] = [self._usage]
        return [*out, last]

    def fail(self, message: str, code: str | None) -> list[Event]:
        """The events of a run that broke."""
        if self.ended:
            return []
        self.ended = True
        return [*self._close(), {"type": "RUN_ERROR", "message": message, **({"code": code} if code else {})}]

    # ---------------------------------------------------------------- steps, texts, thoughts

    def _close(self) -> list[Event]:
        out = [event for key in list(self._texts) for event in self._text_end({"id": key})]
        out += [event for key in list(self._thoughts) for event in self._thought_end({"id": key})]
        out += [event for key, whole in list(self._calls.items()) if not whole for event in self._call_end({"toolCallId": key})]  # fmt: skip  # noqa: E501
        if self._step > 0:
            out += self._step_finish({})
        return out

    def _name(self) -> str:
        self._number += 1
        return f"{self.run_id}-{self._number}"

    def _step_start(self, _data: Event) -> list[Event]:
        self._step = abs(self._step) + 1
        return [{"type": "STEP_STARTED", "stepName": f"step-{self._step}"}]

    def _step_finish(self, _data: Event) -> list[Event]:
        if self._step <= 0:
            return []
        name, self._step = f"step-{self._step}", -self._step
        return [{"type": "STEP_FINISHED", "stepName": name}]

    def _text_start(self, data: Event) -> list[Event]:
        message = self._texts[data["id"]] = self._name()
        return [{"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}]

    def _text_delta(self, data: Event) -> list[Event]:
        if not data["text"]:
            return []
        opened = [] if data["id"] in self._texts else self._text_start(data)
        message = self._texts[data["id"]]
        return [*opened, {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": data["text"]}]

    def _text_end(self, data: Event) -> list[Event]:
        message = self._texts.pop(data["id"], None)
        return [] if message is None else [{"type": "TEXT_MESSAGE_END", "messageId": message}]

    def _thought_start(self, data: Event) -> list[Event]:
        message = self._thoughts[data["id"]] = self._name()
        start = {"type": "REASONING_MESSAGE_START", "messageId": message, "role": "reasoning"}
        return [{"type": "REASONING_START", "messageId": message}, start]

    def _thought_delta(self, data: Event) -> list[Event]:
        message = self._thoughts.get(data["id"])
        if message is None or not data["text"]:
            return []
        return [{"type": "REASONING_MESSAGE_CONTENT", "messageId": message, "delta": data["text"]}]

    def _thought_end(self, data: Event) -> list[Event]:
        message = self._thoughts.pop(data["id"], None)
        if message is None:
            return []
        return [{"type": kind, "messageId": message} for kind in ("REASONING_MESSAGE_END", "REASONING_END")]

    # ---------------------------------------------------------------- tools

    def _call_start(self, data: Event) -> list[Event]:
        call = data["toolCallId"]
        self._calls[call] = False
        return [{"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": data["toolName"]}]

    def _call_delta(self, data: Event) -> list[Event]:
        if not data["argsTextDelta"]:
            return []
        return [{"type": "TOOL_CALL_ARGS", "toolCallId": data["toolCallId"], "delta": data["argsTextDelta"]}]

    def _call_end(self, data: Event) -> list[Event]:
        call = data["toolCallId"]
        if self._calls.get(call) is not False:
            return []
        self._calls[call] = True
        return [{"type": "TOOL_CALL_END", "toolCallId": call}]

    def _call_whole(self, data: Event) -> list[Event]:
        call = data["toolCallId"]
        if self._calls.get(call) is True:
            return []
        if call in self._calls:
            return self._call_end(data)
        args = json_text(data.get("args") or {})
        return [*self._call_start(data), *self._call_delta({**data, "argsTextDelta": args}), *self._call_end(data)]

    def _result(self, data: Event) -> list[Event]:
        result = data.get("result")
        return self._answer(data, result if isinstance(result, str) else json_text(result))

    def _tool_error(self, data: Event) -> list[Event]:
        return self._answer(data, json_text({"error": _message(data.get("error"))}))

    def _denied(self, data: Event) -> list[Event]:
        reason = (data.get("approval") or {}).get("reason")
        return self._answer(data, json_text({"denied": True, **({"reason": reason} if reason else {})}))

    def _answer(self, data: Event, text: str) -> list[Event]:
        call = data["toolCallId"]
        self._answered.add(call)
        event = {"type": "TOOL_CALL_RESULT", "messageId": self._name(), "toolCallId": call, "content": text}
        return [*self._call_end(data), {**event, "role": "tool"}]

    def _interrupt(self, data: Event) -> list[Event]:
        call, name = data["toolCallId"], data["toolName"]
        waits = data.get("suspendPayload")
        asks = "approval_required" if waits is None else "input_required"
        told: Event = {"id": call, "reason": asks, "toolCallId": call}
        told["message"] = f"{name} needs approval" if waits is None else f"{name} asks for input"
        told["metadata"] = {"toolName": name, "args": data.get("args"), "suspendPayload": waits}
        self.interrupts.append(told)
        return []

    # ---------------------------------------------------------------- ends

    def _finish(self, data: Event) -> list[Event]:
        usage = (data.get("output") or {}).get("usage") or {}
        counts = {
            "inputTokens": usage.get("inputTokens"),
            "outputTokens": usage.get("outputTokens"),
            "totalTokens": usage.get("totalTokens"),
            "reasoningTokens": usage.get("reasoningTokens"),
            "cachedInputTokens": usage.get("cachedInputTokens"),
        }
        model = (data.get("metadata") or {}).get("modelMetadata") or {}
        self._usage = {
            **({"provider": model["modelProvider"]} if model.get("modelProvider") else {}),
            **({"model": model["modelId"]} if model.get("modelId") else {}),
            **{key: value for key, value in counts.items() if value is not None},
        }
        return []

    def _error(self, data: Event) -> list[Event]:
        error = data.get("error")
        return self.fail(_message(error), error.get("code") if isinstance(error, Mapping) else None)

    def _tripwire(self, data: Event) -> list[Event]:
        return self.fail(str(data.get("reason") or "A guard stopped the run."), "tripwire")


def _message(error: Any) -> str:
    return str(error.get("message", "error")) if isinstance(error, Mapping) else "error"


def _frames(events: Iterable[Event]) -> bytes:
    return b"".join([b"data: " + dumps(event) + b"\n\n" for event in events])


async def event_body(events: Events, runs: Iterable[Callable[[], RunStream[Any]]]) -> AsyncIterator[bytes]:
    """One run after another (answers to several interrupts are several) as one stream of events."""
    started = False
    for begin in runs:
        events.interrupts = []
        async with begin() as run:
            try:
                while batch := await run.take():
                    found = [event for chunk in batch for event in events.read(chunk)]
                    if not started:
                        found.insert(0, events.start())
                        started = True
                    if found:
                        yield _frames(found)
            except Exception as error:
                if not started:
                    raise
                told = problem(error)
                yield _frames(events.fail(told.body.get("error", "error"), told.code or None))
                return
    yield _frames(events.end())
