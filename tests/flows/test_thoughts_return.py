"""What a provider wants back of its own thoughts (signatures, ids, sealed texts) goes to it and to nobody else."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from mastra import Agent, Mastra, Memory, tool
from mastra.runtime.models import resolve_model
from mastra.testing.fault_server import FaultServer, Reply
from mastra.testing.wire_samples import WIRE_FORMATS

SEAL = "c2VhbGVkIHRob3VnaHQ="
Event = tuple[str, dict[str, Any]]


def openai_thinks() -> list[Event]:
    thought = {"type": "reasoning", "id": "rs_77", "summary": [], "encrypted_content": SEAL}
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": '{"at":1}'}
    done = {"id": "resp_1", "status": "completed", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "resp_1", "model": "m"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**thought, "encrypted_content": None}},
        {"type": "response.reasoning_summary_part.added", "output_index": 0},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Hm."},
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.output_item.added", "output_index": 1, "item": {**call, "arguments": ""}},
        {"type": "response.output_item.done", "output_index": 1, "item": call},
        {"type": "response.completed", "response": done},
    ]
    return [(str(event["type"]), event) for event in events]


def anthropic_thinks() -> list[Event]:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": SEAL}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "hidden"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2,
         "content_block": {"type": "tool_use", "id": "call_1", "name": "look", "input": {}}},
        {"type": "content_block_delta", "index": 2,
         "delta": {"type": "input_json_delta", "partial_json": '{"at":1}'}},
        {"type": "content_block_stop", "index": 2},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return [(str(event["type"]), event) for event in events]


def google_thinks() -> list[Event]:
    parts: list[dict[str, Any]] = [
        {"text": "Hm.", "thought": True},
        {"text": "I look.", "thoughtSignature": "dGV4dA=="},
        {"functionCall": {"name": "look", "args": {"at": 1}}, "thoughtSignature": SEAL},
        {"functionCall": {"name": "look", "args": {"at": 2}}},
    ]
    content = {"role": "model", "parts": parts}
    return [("", {"candidates": [{"content": content, "finishReason": "STOP"}], "responseId": "r1"})]


def bedrock_thinks() -> list[Event]:
    def block(index: int, delta: dict[str, Any]) -> Event:
        return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}

    start = {"toolUse": {"toolUseId": "call_1", "name": "look"}}
    return [
        ("messageStart", {"role": "assistant"}),
        block(0, {"reasoningContent": {"text": "Hm."}}),
        block(0, {"reasoningContent": {"signature": SEAL}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("contentBlockStart", {"contentBlockIndex": 1, "start": start}),
        block(1, {"toolUse": {"input": '{"at":1}'}}),
        ("contentBlockStop", {"contentBlockIndex": 1}),
        ("messageStop", {"stopReason": "tool_use"}),
        ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1}}),
    ]


THINKERS = {
    "openai-responses": (openai_thinks, "gpt-5"),
    "anthropic": (anthropic_thinks, "claude-opus-5"),
    "google": (google_thinks, "gemini-3-pro"),
    "amazon-bedrock": (bedrock_thinks, "anthropic.claude-opus-5"),
}


@tool
async def look(at: int) -> str:
    """Look at a place."""
    return f"a door at {at}"


def model_of(name: str, url: str) -> Any:
    """The model of a wire format, under a name of the vendor's."""
    from mastra.providers.openai import OpenAIResponses  # noqa: PLC0415 - beside its use

    if name == "openai-responses":
        return OpenAIResponses(THINKERS[name][1], url=url, api_key="k")
    return resolve_model({"id": f"{name}/{THINKERS[name][1]}", "url": url, "api_key": "k"})


def thoughts_in(body: dict[str, Any]) -> list[Any]:
    """Whatever in a request is a thought, in the order in which it stands there."""
    found: list[Any] = []

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, dict):
            kind = value.get("type")
            marked = {"thoughtSignature", "reasoningContent", "thought"} & value.keys()
            if kind in ("reasoning", "thinking", "redacted_thinking") or marked:
                found.append(value)
            else:
                for item in value.values():
                    walk(item)

    for name in ("input", "messages", "contents"):
        walk(body.get(name))
    return found


WANTED: dict[str, list[Any]] = {
    "openai-responses": [
        {"type": "reasoning", "id": "rs_77", "encrypted_content": SEAL,
         "summary": [{"type": "summary_text", "text": "Hm."}]},
    ],
    "anthropic": [
        {"type": "thinking", "thinking": "Hm.", "signature": SEAL},
        {"type": "redacted_thinking", "data": "hidden"},
    ],
    "google": [
        {"text": "Hm.", "thought": True},
        {"text": "I look.", "thoughtSignature": "dGV4dA=="},
        {"functionCall": {"name": "look", "args": {"at": 1}}, "thoughtSignature": SEAL},
    ],
    "amazon-bedrock": [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": SEAL}}},
    ],
}  # fmt: skip


async def talk(first: str, second: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two turns in one thread, the first one with a tool; the bodies that each provider was sent."""
    thinks = WIRE_FORMATS[first].encode(THINKERS[first][0]())
    plain = {name: WIRE_FORMATS[name].encode(WIRE_FORMATS[name].text(("A door.",))) for name in (first, second)}

    def reply(name: str, body: bytes) -> Reply:
        return Reply(headers={"content-type": WIRE_FORMATS[name].content_type}, pieces=(body,))

    async with (
        FaultServer(reply(first, thinks), reply(first, plain[first])) as one,
        FaultServer(reply(second, plain[second])) as two,
    ):
        agents = [
            Agent(id=f"a{at}", instructions="Look.", model=model_of(name, url), tools=[look], memory=Memory())
            for at, (name, url) in enumerate(((first, one.url), (second, two.url)))
        ]
        mastra = Mastra(agents=agents, storage="memory://")
        try:
            for agent in agents:
                await agent.generate("What is there?", thread="t", resource="u")
        finally:
            await mastra.close()
            for agent in agents:
                await agent.model.close()
        return [item.json() for item in one.requests], [item.json() for item in two.requests]


@pytest.mark.parametrize("name", THINKERS)
async def test_a_thought_comes_back_in_the_next_step_and_in_the_next_turn(name: str) -> None:
    steps, turns = await talk(name, name)
    assert thoughts_in(steps[0]) == []
    assert thoughts_in(steps[1]) == WANTED[name]
    assert thoughts_in(turns[0]) == WANTED[name]


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(THINKERS, 2)))
async def test_nobody_is_sent_the_seal_of_another(first: str, second: str) -> None:
    _, turns = await talk(first, second)
    sent = json.dumps(turns[0])
    assert SEAL not in sent
    assert "hidden" not in sent
    # From version 3 on Gemini refuses a call without a signature, unless it is told that another model made it.
    assert ("skip_thought_signature_validator" in sent) == (second == "google")
    assert "a door at 1" in sent
