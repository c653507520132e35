from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.ports.exporter import Exporter
from mastra.runtime.span_store import SPANS
from mastra.runtime.telemetry import HIDDEN, MAX_ITEMS, MAX_TEXT, Telemetry, clean
from mastra.runtime.tracing import continued, parse_traceparent
from mastra.storage.rows import encode_value
from mastra.types.json import dumps
from mastra.types.spans import SpanRecord


class Kept(Exporter):
    """Keeps what it is given; `gate` holds an export back, `fails` breaks it."""

    def __init__(self) -> None:
        self.spans: list[SpanRecord] = []
        self.groups: list[int] = []
        self.fails = False
        self.gate: asyncio.Event | None = None
        self.entered = asyncio.Event()

    async def export(self, spans: Sequence[SpanRecord]) -> None:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise OSError("the disk is full")
        self.groups.append(len(spans))
        self.spans += spans


def run(telemetry: Telemetry, count: int = 1, **facts: Any) -> None:
    for number in range(count):
        with telemetry.tracer.span(f"run {number}", "agent_run", **facts):
            pass


async def test_spans_leave_in_groups_and_in_order() -> None:
    kept = Kept()
    telemetry = Telemetry([kept], batch=4, pause_s=60)
    run(telemetry, 10)
    assert kept.spans == []
    await telemetry.flush()
    assert kept.groups == [4, 4, 2]
    assert [one.name for one in kept.spans] == [f"run {number}" for number in range(10)]


async def test_they_leave_by_themselves_after_the_pause() -> None:
    kept = Kept()
    telemetry = Telemetry([kept], pause_s=0.001)
    run(telemetry)
    await asyncio.wait_for(kept.entered.wait(), 5)
    await telemetry.flush()
    assert len(kept.spans) == 1


async def test_a_flush_does_not_lose_the_group_that_is_on_its_way() -> None:
    kept = Kept()
    kept.gate = asyncio.Event()
    telemetry = Telemetry([kept], pause_s=0)
    run(telemetry, 3)
    await asyncio.wait_for(kept.entered.wait(), 5)
    flush = asyncio.create_task(telemetry.flush())
    await asyncio.sleep(0)
    run(telemetry, 2)
    kept.gate.set()
    await flush
    assert len(kept.spans) == 5


async def test_too_many_waiting_drop_the_oldest_and_are_counted() -> None:
    kept = Kept()
    telemetry = Telemetry([kept], max_waiting=3, pause_s=60)
    run(telemetry, 5)
    await telemetry.flush()
    assert [one.name for one in kept.spans] == ["run 2", "run 3", "run 4"]
    assert telemetry.dropped == 2


async def test_an_exporter_that_fails_harms_neither_the_run_nor_the_others(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = Kept(), Kept()
    bad.fails = True
    telemetry = Telemetry([bad, good], pause_s=60)
    run(telemetry, 2)
    await telemetry.flush()
    assert len(good.spans) == 2
    assert telemetry.dropped == 2
    assert "the disk is full" in caplog.text


async def test_a_filter_that_fails_harms_no_run(caplog: pytest.LogCaptureFixture) -> None:
    def broken(record: SpanRecord) -> bool:
        raise KeyError(record.name)

    kept = Kept()
    telemetry = Telemetry([kept], keep=broken, pause_s=60)
    run(telemetry)
    await telemetry.flush()
    assert len(kept.spans) == 1
    assert "the filter of spans failed" in caplog.text


async def test_a_caller_who_keeps_his_part_of_a_trace_or_not_decides_for_ours() -> None:
    kept = Kept()
    for sample, flags in ((0.0, "01"), (1.0, "00")):
        telemetry = Telemetry([kept], sample=sample, pause_s=60)
        with continued(parse_traceparent(f"00-{'ab' * 16}-{'cd' * 8}-{flags}")), telemetry.tracer.span("run", flags):
            run(telemetry)
        await telemetry.flush()
    assert [one.type for one in kept.spans] == ["agent_run", "01"]


async def test_a_sample_keeps_whole_traces_and_about_its_share() -> None:
    kept = Kept()
    telemetry = Telemetry([kept], sample=0.5, pause_s=60)
    for _ in range(400):
        with telemetry.tracer.span("root", "agent_run"), telemetry.tracer.span("call", "tool_call"):
            pass
    await telemetry.flush()
    roots = {one.trace_id for one in kept.spans if one.parent_span_id is None}
    assert {one.trace_id for one in kept.spans} == roots
    assert len(kept.spans) == 2 * len(roots)
    assert 120 < len(roots) < 280


@pytest.mark.parametrize(("sample", "expected"), [(0.0, 0), (1.0, 20), (-1.0, 0), (7.0, 20)])
async def test_all_and_nothing_are_exact(sample: float, expected: int) -> None:
    kept = Kept()
    telemetry = Telemetry([kept], sample=sample, pause_s=60)
    run(telemetry, 20)
    await telemetry.flush()
    assert len(kept.spans) == expected


async def test_a_filter_chooses() -> None:
    kept = Kept()
    telemetry = Telemetry([kept], keep=lambda record: record.name == "run 1", pause_s=60)
    run(telemetry, 3)
    await telemetry.flush()
    assert [one.name for one in kept.spans] == ["run 1"]


async def test_a_span_of_a_worker_thread_is_sent_too() -> None:
    kept = Kept()
    telemetry = Telemetry([kept], pause_s=60)
    thread = threading.Thread(target=run, args=(telemetry,))
    thread.start()
    thread.join()
    await telemetry.flush()
    assert len(kept.spans) == 1


async def test_secrets_do_not_leave() -> None:
    kept = Kept()
    telemetry = Telemetry([kept], pause_s=60)
    headers = {"Authorization": "Bearer abc", "x-api-key": "abc", "dbPassword": "abc", "accept": "text/html"}
    run(telemetry, input={"headers": headers}, attributes={"api_key": "abc", "inputTokens": 3})
    await telemetry.flush()
    (one,) = kept.spans
    hidden = {"Authorization": HIDDEN, "x-api-key": HIDDEN, "dbPassword": HIDDEN, "accept": "text/html"}
    assert one.input == {"headers": hidden}
    assert one.attributes == {"api_key": HIDDEN, "inputTokens": 3}


class Shown:
    """Has a wire form."""

    def to_wire(self) -> dict[str, Any]:
        return {"token": "abc", "n": 1}


class Broken:
    """Has a wire form that fails."""

    def to_wire(self) -> dict[str, Any]:
        raise ValueError("not now")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1.5, 1.5),
        ((1, 2), [1, 2]),
        (Shown(), {"token": HIDDEN, "n": 1}),
        (Broken(), "[Broken]"),
        (Shown, "[type]"),
        (b"abc", "[bytes]"),
        ({1: "a"}, {"1": "a"}),
        ("a\x00b", "a\ufffdb"),
        ({"k\x00": "\ud800"}, {"k\ufffd": "?"}),
    ],
)
def test_every_value_becomes_json(value: Any, expected: Any) -> None:
    assert clean(value) == expected


def test_long_things_are_cut() -> None:
    assert clean("x" * (MAX_TEXT + 5)) == "x" * MAX_TEXT + "…"
    assert clean(list(range(MAX_ITEMS + 3)))[-1] == "… 3 more"
    assert clean({str(n): n for n in range(MAX_ITEMS + 3)})["…"] == "3 more"
    deep: Any = "bottom"
    for _ in range(40):
        deep = [deep]
    assert "[deeper]" in dumps(clean(deep))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(anything)
def test_whatever_a_span_carries_can_be_written(value: Any) -> None:
    encode_value(SPANS, {"input": clean(value)})


def test_cleaning_itself_again_changes_nothing() -> None:
    once: Callable[[Any], Any] = clean
    value = {"a": [float("inf"), Shown()], "password": "x"}
    assert once(once(value)) == once(value)
