"""Partial JSON: time for each streamed token of a 20 kB object, against jiter's partial mode; and whole texts.

Run: pytest bench/bench_json.py --benchmark-only --benchmark-group-by=func
"""

from __future__ import annotations

import json

import jiter
import pytest

from mastra.native.json import PartialJson, parse

ITEM = {"name": "Kaffe", "price": 12.5, "tags": ["hot", "black"], "ok": True, "text": "some longer text with spaces"}
TEXT = json.dumps({"items": [ITEM | {"id": number} for number in range(165)]})
TOKENS = [TEXT[at : at + 4] for at in range(0, len(TEXT), 4)]


def ours_live():
    parser = PartialJson()
    for token in TOKENS:
        value = parser.feed(token)
    return value


def ours_snapshot():
    parser = PartialJson()
    for token in TOKENS:
        parser.feed(token)
        value = parser.snapshot()
    return value


def jiter_partial():
    text = b""
    for token in TOKENS:
        text += token.encode()
        value = jiter.from_json(text, partial_mode="trailing-strings")
    return value


@pytest.mark.parametrize("run", [ours_live, ours_snapshot, jiter_partial], ids=lambda run: run.__name__)
def test_stream(benchmark, run):
    assert run() == json.loads(TEXT)
    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    benchmark.extra_info["microseconds_per_token"] = round(benchmark.stats.stats.min / len(TOKENS) * 1e6, 3)


@pytest.mark.parametrize(
    "run", [parse, json.loads, lambda text: jiter.from_json(text.encode())], ids=["ours", "json", "jiter"]
)
def test_whole(benchmark, run):
    assert benchmark(run, TEXT) == json.loads(TEXT)
