"""Answers in every wire format, built from the vendors' published schemas, for contracts and mock servers."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mastra import registry
from mastra.ports.model import ChatModel

Event = tuple[str, Any]
"""The name of an event and its payload: an object as JSON, a text as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """One wire format: how a model of it is made, and what its answers look like."""

    name: str
    kind: Literal["sse", "lines", "event-stream"]
    make: Callable[..., ChatModel]
    text: Callable[[Sequence[str]], list[Event]]
    call: Callable[[str, str, Sequence[str]], list[Event]]
    # Ends the answer of `text` for a limit on its length.
    cut_short: Callable[[Sequence[str]], list[Event]]
    # How many events at the end make the answer whole: without them it must not count.
    terminal: int
    overloaded: Event
    named_events: bool = False
    # The id of the call is the provider's own, or one that we make.
    keeps_call_id: bool = True

    @property
    def content_type(self) -> str:
        """The media type of the answer."""
        return {
            "sse": "text/event-stream; charset=utf-8",
            "lines": "application/x-ndjson",
            "event-stream": "application/vnd.amazon.eventstream",
        }[self.kind]

    def encode(self, events: Sequence[Event], *, newline: str = "\n", space: str = " ", between: str = "") -> bytes:
        """The bytes of an answer; the options are the liberties that the format leaves."""
        return b"".join(self.encode_one(event, newline=newline, space=space, between=between) for event in events)

    def encode_one(self, event: Event, *, newline: str = "\n", space: str = " ", between: str = "") -> bytes:
        """The bytes of one event."""
        name, payload = event
        text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        if self.kind == "lines":
            return f"{between}{text}{newline}".encode()
        if self.kind == "event-stream":
            return event_stream_message(name, text.encode())
        head = f"event:{space}{name}{newline}" if self.named_events and name else ""
        return f"{between}{head}data:{space}{text}{newline}{newline}".encode()

    def raw(self, name: str, body: bytes) -> bytes:
        """One event with a body that need not be right."""
        if self.kind == "lines":
            return body + b"\n"
        if self.kind == "event-stream":
            return event_stream_message(name, body)
        return b"data: " + body + b"\n\n"


def event_stream_message(name: str, body: bytes) -> bytes:
    """A message of AWS's event-stream; a name that begins with `!` is an exception."""
    if name.startswith("!"):
        headers = {":message-type": "exception", ":exception-type": name[1:], ":content-type": "application/json"}
    else:
        headers = {":message-type": "event", ":event-type": name, ":content-type": "application/json"}
    packed = b"".join(
        struct.pack(">B", len(key)) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(body), len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + body
    return message + struct.pack(">I", zlib.crc32(message))


def _maker(name: str) -> Callable[..., ChatModel]:
    """Makes a model of a provider as a model string does, at another place."""

    def make(url: str, *, http: Any = None, api_key: Any = "test-key-0123456789") -> ChatModel:
        model: ChatModel = registry.find("mastra.providers", name)("a-model", url=url, api_key=api_key, http=http)
        return model

    return make


# ---------------------------------------------------------------- Chat Completions


def _chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> Event:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return "", {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "a-model-1",
                "choices": [choice], **more}  # fmt: skip


_CHAT_USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def _chat_end(reason: str) -> list[Event]:
    _, usage = _chunk({})
    return [_chunk({}, reason), ("", {**usage, "choices": [], "usage": _CHAT_USAGE}), ("", "[DONE]")]


def _chat_text(pieces: Sequence[str], reason: str = "stop") -> list[Event]:
    start = _chunk({"role": "assistant", "content": "", "refusal": None})
    return [start, *(_chunk({"content": piece}) for piece in pieces), *_chat_end(reason)]


def _chat_call(name: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
    function = {"name": name, "arguments": ""}
    start = {"index": 0, "id": call_id, "type": "function", "function": function}
    return [
        _chunk({"role": "assistant", "content": None, "tool_calls": [start]}),
        *(_chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in pieces),
        *_chat_end("tool_calls"),
    ]


# ---------------------------------------------------------------- Responses


def _response(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "model": "a-model-1", "status": status, "output": [], **more}


_RESPONSES_USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 3},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 18,
}


def _typed(payload: dict[str, Any]) -> Event:
    return payload["type"], payload


def _responses_end(status: str = "completed", **more: Any) -> Event:
    response = _response(status, usage=_RESPONSES_USAGE, **more)
    return _typed({"type": f"response.{status}", "response": response})


def _responses_begin() -> list[Event]:
    return [
        _typed({"type": "response.created", "response": _response("in_progress")}),
        _typed({"type": "response.in_progress", "response": _response("in_progress")}),
    ]


def _responses_text(pieces: Sequence[str], end: Event | None = None) -> list[Event]:
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    whole = {**part, "text": "".join(pieces)}
    return [
        *_responses_begin(),
        _typed({"type": "response.output_item.added", "output_index": 0, "item": item}),
        _typed({"type": "response.content_part.added", **place, "part": part}),
        *(_typed({"type": "response.output_text.delta", **place, "delta": piece}) for piece in pieces),
        _typed({"type": "response.output_text.done", **place, "text": whole["text"]}),
        _typed({"type": "response.content_part.done", **place, "part": whole}),
        _typed({"type": "response.output_item.done", "output_index": 0, "item": {**item, "content": [whole]}}),
        end or _responses_end(),
    ]


def _responses_call(name: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
    item = {"id": "fc_1", "type": "function_call", "call_id": call_id, "name": name, "arguments": ""}
    kind = "response.function_call_arguments"
    whole = "".join(pieces)
    return [
        *_responses_begin(),
        _typed({"type": "response.output_item.added", "output_index": 0, "item": item}),
        *(_typed({"type": f"{kind}.delta", "item_id": "fc_1", "output_index": 0, "delta": p}) for p in pieces),
        _typed({"type": f"{kind}.done", "item_id": "fc_1", "output_index": 0, "arguments": whole}),
        _typed({"type": "response.output_item.done", "output_index": 0, "item": {**item, "arguments": whole}}),
        _responses_end(),
    ]


# ---------------------------------------------------------------- Messages


def _anthropic(blocks: Sequence[Event], reason: str) -> list[Event]:
    usage = {"input_tokens": 8, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "a-model-1", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    return [
        _typed({"type": "message_start", "message": message}),
        _typed({"type": "ping"}),
        *blocks,
        _typed(
            {
                "type": "message_delta",
                "delta": {"stop_reason": reason, "stop_sequence": None},
                "usage": {"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 2}},
            }
        ),
        _typed({"type": "message_stop"}),
    ]


def _anthropic_text(pieces: Sequence[str], reason: str = "end_turn") -> list[Event]:
    return _anthropic(
        [
            _typed({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            *(
                _typed({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
                for piece in pieces
            ),
            _typed({"type": "content_block_stop", "index": 0}),
        ],
        reason,
    )


def _anthropic_call(name: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
    block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return _anthropic(
        [
            _typed({"type": "content_block_start", "index": 0, "content_block": block}),
            *(
                _typed(
                    {
                        "type": "content_block_delta",
                        "index": 0,
                        "delta": {"type": "input_json_delta", "partial_json": piece},
                    }
                )
                for piece in pieces
            ),
            _typed({"type": "content_block_stop", "index": 0}),
        ],
        "tool_use",
    )


# ---------------------------------------------------------------- generateContent


def _google_chunk(parts: list[dict[str, Any]], finish: str | None = None) -> Event:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    chunk: dict[str, Any] = {"candidates": [candidate], "modelVersion": "a-model-1", "responseId": "r-1"}
    if finish:
        candidate["finishReason"] = finish
        chunk["usageMetadata"] = {"promptTokenCount": 11, "candidatesTokenCount": 5, "thoughtsTokenCount": 2,
                                  "totalTokenCount": 18, "cachedContentTokenCount": 3}  # fmt: skip
    return "", chunk


def _google_text(pieces: Sequence[str], reason: str = "STOP") -> list[Event]:
    return [*(_google_chunk([{"text": piece}]) for piece in pieces), _google_chunk([{"text": ""}], reason)]


def _google_call(name: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
    text = "".join(pieces)
    call = {"id": call_id, "name": name, "args": json.loads(text) if text.strip() else {}}
    return [_google_chunk([{"functionCall": call}]), _google_chunk([{"text": ""}], "STOP")]


# ---------------------------------------------------------------- Ollama


def _ollama_line(message: dict[str, Any], **more: Any) -> Event:
    return "", {"model": "a-model-1", "created_at": "2026-01-01T00:00:00Z",
                "message": {"role": "assistant", "content": "", **message}, "done": False, **more}  # fmt: skip


def _ollama_end(reason: str) -> Event:
    facts = {"total_duration": 5, "prompt_eval_count": 11, "eval_count": 7}
    return _ollama_line({}, done=True, done_reason=reason, **facts)


def _ollama_text(pieces: Sequence[str], reason: str = "stop") -> list[Event]:
    return [*(_ollama_line({"content": piece}) for piece in pieces), _ollama_end(reason)]


def _ollama_call(name: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
    del call_id
    text = "".join(pieces)
    function = {"name": name, "arguments": json.loads(text) if text.strip() else {}}
    return [_ollama_line({"tool_calls": [{"function": function}]}), _ollama_end("stop")]


# ---------------------------------------------------------------- Cohere


def _cohere_end(reason: str) -> Event:
    billed = {"input_tokens": 5, "output_tokens": 7}
    usage = {"billed_units": billed, "tokens": {"input_tokens": 11, "output_tokens": 7}, "cached_tokens": 3}
    return _typed({"type": "message-end", "id": "c-1", "delta": {"finish_reason": reason, "usage": usage}})


def _cohere_start() -> Event:
    return _typed({"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant", "content": []}}})


def _cohere_text(pieces: Sequence[str], reason: str = "COMPLETE") -> list[Event]:
    def content(kind: str, body: dict[str, Any]) -> Event:
        return _typed({"type": kind, "index": 0, "delta": {"message": {"content": body}}})

    return [
        _cohere_start(),
        content("content-start", {"type": "text", "text": ""}),
        *(content("content-delta", {"text": piece}) for piece in pieces),
        _typed({"type": "content-end", "index": 0}),
        _cohere_end(reason),
    ]


def _cohere_call(name: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
    def calls(kind: str, body: dict[str, Any]) -> Event:
        return _typed({"type": kind, "index": 0, "delta": {"message": {"tool_calls": body}}})

    return [
        _cohere_start(),
        calls("tool-call-start", {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}),
        *(calls("tool-call-delta", {"function": {"arguments": piece}}) for piece in pieces),
        _typed({"type": "tool-call-end", "index": 0}),
        _cohere_end("TOOL_CALL"),
    ]


# ---------------------------------------------------------------- Mistral


def _mistral_text(pieces: Sequence[str], reason: str = "stop") -> list[Event]:
    _, last = _chunk({"content": ""}, reason)
    return [
        _chunk({"role": "assistant", "content": ""}),
        *(_chunk({"content": [{"type": "text", "text": piece}]}) for piece in pieces),
        ("", {**last, "usage": _CHAT_USAGE}),
        ("", "[DONE]"),
    ]


def _mistral_call(name: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
    function = {"name": name, "arguments": "".join(pieces)}
    _, last = _chunk({"content": "", "tool_calls": [{"id": call_id, "function": function, "index": 0}]}, "tool_calls")
    return [_chunk({"role": "assistant", "content": ""}), ("", {**last, "usage": _CHAT_USAGE}), ("", "[DONE]")]


# ---------------------------------------------------------------- Bedrock


def _bedrock(blocks: Sequence[Event], reason: str) -> list[Event]:
    usage = {"inputTokens": 8, "outputTokens": 7, "totalTokens": 18, "cacheReadInputTokens": 3}
    return [
        ("messageStart", {"role": "assistant"}),
        *blocks,
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": reason}),
        ("metadata", {"usage": usage, "metrics": {"latencyMs": 5}}),
    ]


def _bedrock_text(pieces: Sequence[str], reason: str = "end_turn") -> list[Event]:
    deltas = [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in pieces]
    return _bedrock(deltas, reason)


def _bedrock_call(name: str, call_id: str, pieces: Sequence[str]) -> list[Event]:
    start = {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": call_id, "name": name}}}
    deltas = [
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": piece}}}) for piece in pieces
    ]
    return _bedrock([("contentBlockStart", start), *deltas], "tool_use")


def _responses_maker(url: str, *, http: Any = None, api_key: Any = "test-key-0123456789") -> ChatModel:
    # The model string with a URL means Chat Completions; the class behind it is made directly.
    from mastra.providers.openai import OpenAIResponses  # noqa: PLC0415 - loads the HTTP client

    return OpenAIResponses("a-model", url=url, api_key=api_key, http=http)


def _chat_maker(url: str, *, http: Any = None, api_key: Any = "test-key-0123456789") -> ChatModel:
    model: ChatModel = registry.find("mastra.providers", "compatible")(
        "a-model", vendor="acme", url=url, api_key=api_key, http=http
    )
    return model


_OVERLOADED = {"message": "The engine is currently overloaded, please try again later", "type": "overloaded_error"}

WIRE_FORMATS: dict[str, WireFormat] = {
    item.name: item
    for item in (
        WireFormat(
            name="openai-chat",
            kind="sse",
            make=_chat_maker,
            text=_chat_text,
            call=_chat_call,
            cut_short=lambda pieces: _chat_text(pieces, "length"),
            terminal=3,
            overloaded=("", {"error": {**_OVERLOADED, "code": 503}}),
        ),
        WireFormat(
            name="openai-responses",
            kind="sse",
            make=_responses_maker,
            text=_responses_text,
            call=_responses_call,
            cut_short=lambda pieces: _responses_text(
                pieces, _responses_end("incomplete", incomplete_details={"reason": "max_output_tokens"})
            ),
            terminal=1,
            overloaded=("error", {"type": "error", "code": "server_error", "message": "The server is overloaded"}),
            named_events=True,
        ),
        WireFormat(
            name="anthropic",
            kind="sse",
            make=_maker("anthropic"),
            text=_anthropic_text,
            call=_anthropic_call,
            cut_short=lambda pieces: _anthropic_text(pieces, "max_tokens"),
            terminal=1,
            overloaded=("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            named_events=True,
        ),
        WireFormat(
            name="google",
            kind="sse",
            make=_maker("google"),
            text=_google_text,
            call=_google_call,
            cut_short=lambda pieces: _google_text(pieces, "MAX_TOKENS"),
            terminal=1,
            overloaded=("", {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
        ),
        WireFormat(
            name="ollama",
            kind="lines",
            make=_maker("ollama"),
            text=_ollama_text,
            call=_ollama_call,
            cut_short=lambda pieces: _ollama_text(pieces, "length"),
            terminal=1,
            overloaded=("", {"error": "the server is overloaded, try again"}),
            keeps_call_id=False,
        ),
        WireFormat(
            name="cohere",
            kind="sse",
            make=_maker("cohere"),
            text=_cohere_text,
            call=_cohere_call,
            cut_short=lambda pieces: _cohere_text(pieces, "MAX_TOKENS"),
            terminal=1,
            overloaded=("error", {"type": "error", "error": {"message": "service unavailable, try again"}}),
            named_events=True,
        ),
        WireFormat(
            name="mistral",
            kind="sse",
            make=_maker("mistral"),
            text=_mistral_text,
            call=_mistral_call,
            cut_short=lambda pieces: _mistral_text(pieces, "length"),
            terminal=2,
            overloaded=("", {"error": {**_OVERLOADED, "code": 503}}),
        ),
        WireFormat(
            name="amazon-bedrock",
            kind="event-stream",
            make=_maker("amazon-bedrock"),
            text=_bedrock_text,
            call=_bedrock_call,
            cut_short=lambda pieces: _bedrock_text(pieces, "max_tokens"),
            terminal=2,
            overloaded=("!serviceUnavailableException", {"message": "Overloaded"}),
        ),
    )
}
