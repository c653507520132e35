"""Framing: damaged frames are refused, whole ones come out, wherever the bytes are cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import ResponseMalformed
from mastra.providers.framing import EventStreamFraming, LineFraming, SseFraming
from mastra.testing.wire_samples import event_stream_message


def test_messages_of_an_event_stream_carry_their_names():
    framing = EventStreamFraming("aws", 1 << 20)
    body = event_stream_message("messageStart", b"{}") + event_stream_message(
        "!throttlingException", b'{"message":"x"}'
    )
    assert [(frame.event, frame.data) for frame in framing.feed(body)] == [
        ("messageStart", b"{}"),
        ("!throttlingException", b'{"message":"x"}'),
    ]
    assert not framing.incomplete


@given(st.data())
def test_one_flipped_bit_anywhere_is_refused_or_leaves_the_message_open(data):
    body = bytearray(event_stream_message("contentBlockDelta", json.dumps({"a": "b" * 20}).encode()))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= 1 << data.draw(st.integers(0, 7))
    framing = EventStreamFraming("aws", 1 << 20)
    with pytest.raises(ResponseMalformed):
        framing.feed(bytes(body))
    with pytest.raises(ResponseMalformed):
        framing.close()


def test_a_message_that_claims_too_much_is_refused():
    framing = EventStreamFraming("aws", 100)
    with pytest.raises(ResponseMalformed, match="claims"):
        framing.feed(event_stream_message("a", b"x" * 200))


def test_a_line_longer_than_allowed_is_refused():
    for framing in (SseFraming("acme", 100), LineFraming("acme", 100)):
        with pytest.raises(ResponseMalformed, match="more than may be"):
            framing.feed(b"data: " + b"x" * 200 + b"\n\n")


def test_the_last_line_need_not_end():
    framing = LineFraming("acme", 100)
    assert framing.feed(b'{"a":1}') == []
    assert framing.incomplete
    assert [frame.data for frame in framing.close()] == ['{"a":1}']
