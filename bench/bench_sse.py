"""Server-sent events a second: ours, httpx-sse, and the stream decoders of the vendors' SDKs where installed.

Run: pytest bench/bench_sse.py --benchmark-only --benchmark-group-by=func  (pip install openai anthropic for the peers)
"""

from __future__ import annotations

import importlib
import json

import httpx
import pytest
from httpx_sse import EventSource

from mastra.native.sse import SseParser

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
