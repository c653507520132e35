"""Server-sent events a second: ours, httpx-sse, and the stream decoders of the vendors' SDKs where installed.

The other two framings as well: lines beside httpx's own `iter_lines`, records beside the shortest honest Python.

Run: pytest bench/bench_sse.py --benchmark-only --benchmark-group-by=func  (pip install openai anthropic for the peers)
"""

from __future__ import annotations

import importlib
import json

import httpx
import pytest
from httpx_sse import EventSource

from mastra.native.sse import NdjsonParser, RecordParser, SseParser

EVENTS = 5_000
DELTA = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": {"content": "token"}}],
}
STREAM = (f"data: {json.dumps(DELTA)}\n\n" * EVENTS).encode()
CHUNK = 4096
CHUNKS = [STREAM[at : at + CHUNK] for at in range(0, len(STREAM), CHUNK)]


def ours():
    parser = SseParser()
    return sum(len(parser.feed(chunk)) for chunk in CHUNKS)


def httpx_sse():
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=iter(CHUNKS))
    return sum(1 for _ in EventSource(response).iter_sse())


def vendor(package):
    module = importlib.import_module(f"{package}._streaming")
    return lambda: sum(1 for _ in module.SSEDecoder().iter_bytes(iter(CHUNKS)))


@pytest.mark.parametrize("peer", ["ours", "httpx_sse", "openai", "anthropic"])
def test_events(benchmark, peer):
    if peer in {"openai", "anthropic"}:
        pytest.importorskip(peer)
        run = vendor(peer)
    else:
        run = globals()[peer]
    assert run() == EVENTS
    benchmark.pedantic(run, rounds=7, warmup_rounds=1)
    benchmark.extra_info["events_per_second"] = round(EVENTS / benchmark.stats.stats.min)


def cut(delimiter):
    whole = (json.dumps(DELTA) + delimiter).encode() * EVENTS
    return [whole[at : at + CHUNK] for at in range(0, len(whole), CHUNK)]


LINES, RECORDS = cut("\n"), cut("\x1e")


def parsed(parser, chunks):
    return sum(len(parser.feed(chunk)) for chunk in chunks)


def split_records():
    count, rest = 0, b""
    for chunk in RECORDS:
        *whole, rest = (rest + chunk).split(b"\x1e")
        count += len([record.decode() for record in whole])
    return count


@pytest.mark.parametrize("peer", ["ours", "httpx"])
def test_lines(benchmark, peer):
    run = {
        "ours": lambda: parsed(NdjsonParser(), LINES),
        "httpx": lambda: sum(1 for _ in httpx.Response(200, content=iter(LINES)).iter_lines()),
    }[peer]
    assert benchmark(run) == EVENTS


@pytest.mark.parametrize("peer", ["ours", "python"])
def test_records(benchmark, peer):
    run = {"ours": lambda: parsed(RecordParser(), RECORDS), "python": split_records}[peer]
    assert benchmark(run) == EVENTS
