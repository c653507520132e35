"""Request bodies: bounded in bytes and depth, strict about JSON."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.server.body import parse_json, read_body
from mastra.server.options import ServerOptions
from mastra.server.problems import Refused

OPTIONS = ServerOptions(body_s=0.05)


def receiver(*parts, hangs=False):
    messages = [
        {"type": "http.request", "body": part, "more_body": hangs or at < len(parts) - 1}
        for at, part in enumerate(parts)
    ]

    async def receive():
        while not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    return receive


async def read(*parts, limit=100, headers=(), **facts):
    return await read_body(receiver(*parts, **facts), headers, limit, OPTIONS)


async def test_a_body_may_come_in_parts():
    assert await read(b'{"a"', b":1}") == {"a": 1}


async def test_no_body_is_no_body():
    assert await read(b"") is None


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        ((b"x" * 101,), ()),
        ((b"x" * 60, b"x" * 60), ()),
        ((b"",), ((b"content-length", b"101"),)),
    ],
)
async def test_a_body_that_is_too_large_is_refused_before_it_is_parsed(parts, headers):
    with pytest.raises(Refused) as caught:
        await read(*parts, headers=headers)
    assert (caught.value.status, caught.value.body) == (413, {"error": "Request body too large"})


async def test_a_body_that_never_ends_is_given_up():
    with pytest.raises(Refused) as caught:
        await read(b"{", hangs=True)
    assert caught.value.status == 408


async def test_a_content_length_that_is_no_number_is_refused():
    with pytest.raises(Refused) as caught:
        await read(b"{}", headers=((b"content-length", b"-1"),))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"messages":', "Unexpected end of JSON input"),
        (b"{'a':1}", "Unexpected token at position 1"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":1e999}', "1e999 is too large for a number"),
        (b"\xff", "The body is not UTF-8"),
        (b'"\\ud800"', "$: contains a lone surrogate"),
        (b"[" * 101 + b"]" * 101, "nested deeper than 100"),
    ],
)
def test_what_is_not_json_is_named(raw, message):
    with pytest.raises(Refused) as caught:
        parse_json(raw, 100)
    assert caught.value.body == {"error": "Invalid request body", "issues": [{"field": "body", "message": message}]}


def test_many_shallow_brackets_are_no_depth():
    assert len(parse_json(b"[" + b"[],".rstrip(b",") + b",[]" * 500 + b"]", 100)) == 501


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(raw):
    try:
        value = parse_json(raw, 20)
    except Refused:
        return
    json.dumps(value, allow_nan=False)
