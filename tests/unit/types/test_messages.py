from __future__ import annotations

from datetime import UTC, datetime

from mastra.types.messages import Message

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def test_a_message_survives_a_round_trip_with_what_it_does_not_know() -> None:
    wire = {
        "id": "m1",
        "role": "assistant",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "threadId": "t1",
        "resourceId": "u1",
        "type": "v2",
        "content": {"format": 2, "parts": [{"type": "later", "x": [1]}], "metadata": {"k": 1}},
    }
    message = Message.from_wire(wire)
    assert message.created_at == MOMENT
    assert message.extra == {"metadata": {"k": 1}}
    assert message.to_wire() == wire


def test_the_text_is_that_of_the_text_parts() -> None:
    parts = (
        {"type": "text", "text": "a"},
        {"type": "reasoning", "text": "no"},
        {"type": "text", "text": "b"},
        {"type": "text"},
    )
    assert Message(id="m", role="user", parts=parts, created_at=MOMENT).text == "ab"


def test_what_is_absent_stays_absent() -> None:
    wire = Message(id="m", role="user", parts=(), created_at=MOMENT).to_wire()
    assert set(wire) == {"id", "role", "createdAt", "content"}
