"""JSON and frames as they go over the wire."""

import json

import pytest

from mastra.server.sse import dumps, record_frames, sse_frames, wire
from mastra.types.chunks import Chunk
from mastra.types.json import dumps as strict

VALUES = [None, True, 0, -1, 2**70, 0.1, 1e300, "", "é\n\x00\x7f\u2028", [], {}, {"a": [{"b": (1, 2)}]}]


@pytest.mark.parametrize("value", VALUES)
def test_json_is_what_the_strict_encoder_writes(value):
    assert json.loads(dumps(value)) == json.loads(strict(value))
    assert b": " not in dumps({"a": value})


def test_what_is_no_number_becomes_null_and_half_a_character_a_mark():
    assert dumps({"a": float("nan"), "b": [float("inf")]}) == b'{"a":null,"b":[null]}'
    assert dumps({"a": "\ud800"}).decode() == '{"a":"\ufffd"}'


def delta(text, id="t"):
    return Chunk("text-delta", {"id": id, "text": text}, "run", "AGENT")


def test_deltas_that_share_their_beginning_are_framed_like_others():
    chunks = [delta("a"), delta('"é"'), delta("b", "u"), Chunk("finish", {"x": 1}, "run", "AGENT")]
    blocks = sse_frames(chunks).decode().split("\n\n")
    assert blocks.pop() == ""
    assert [json.loads(one.removeprefix("data: ")) for one in blocks] == [one.to_wire() for one in chunks]
    records = record_frames(chunks).decode().split("\x1e")
    assert records.pop() == ""
    assert [json.loads(one) for one in records] == [one.to_wire() for one in chunks]


def test_the_request_of_a_step_stays_on_the_server():
    step = {"request": {"body": "prompt"}, "id": 1}
    assert json.loads(wire(Chunk("step-start", step, "run", "AGENT")))["payload"] == {"request": {}, "id": 1}
    payload = {"metadata": {"request": {}, "x": 1}, "output": {"steps": [step]}}
    told = json.loads(wire(Chunk("finish", payload, "run", "AGENT")))["payload"]
    assert told == {"metadata": {"x": 1}, "output": {"steps": [{"id": 1}]}}
