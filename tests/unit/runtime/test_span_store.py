from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mastra.errors import NotFound
from mastra.ports.storage import Storage
from mastra.registry import open_url
from mastra.runtime.span_store import SPANS, SpanStore, light, shown, span_row
from mastra.types.spans import SpanRecord

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'spans.db'}"
    opened: Storage = open_url("mastra.storage", url)
    await opened.open()
    yield opened
    await opened.close()


def span(trace: str, name: str, at: int, parent: str | None = None, **facts: Any) -> SpanRecord:
    began = AT + timedelta(seconds=at)
    return SpanRecord(trace, name, parent, name, "agent_run", began, began + timedelta(seconds=1), {}, **facts)


async def test_a_trace_comes_back_in_the_order_it_happened(storage: Storage) -> None:
    store = SpanStore(storage)
    # Inner spans end, and so are written, first.
    await store.export([span("t1", "inner", 2, "root"), span("t1", "root", 1), span("t2", "other", 0)])
    rows = await store.trace("t1")
    assert [(row["spanId"], row["root"], row["status"]) for row in rows] == [
        ("root", True, "success"),
        ("inner", False, "success"),
    ]
    assert (await store.span("t1", "inner"))["parentSpanId"] == "root"


async def test_what_is_not_there_is_not_found(storage: Storage) -> None:
    store = SpanStore(storage)
    await store.export([span("t1", "root", 1)])
    with pytest.raises(NotFound, match="nope"):
        await store.trace("nope")
    with pytest.raises(NotFound, match="nope"):
        await store.span("t1", "nope")


async def test_pages_go_through_everything_once(storage: Storage) -> None:
    store = SpanStore(storage)
    await store.export([span(f"t{number:02}", "root", number) for number in range(25)])
    seen: list[str] = []
    for page in range(4):
        rows, total = await store.find({"root": True}, page=page, per_page=10)
        assert total == 25
        seen += [row["traceId"] for row in rows]
    assert seen == [f"t{number:02}" for number in reversed(range(25))]
    assert (await store.find({"root": True}, page=9, per_page=10))[0] == []


async def test_a_page_deeper_than_one_scan_is_right(storage: Storage) -> None:
    store = SpanStore(storage)
    await store.export([span(f"t{number:04}", "root", number) for number in range(2_300)])
    rows, total = await store.find({}, page=11, per_page=200, descending=False)
    assert total == 2_300
    assert [rows[0]["traceId"], rows[-1]["traceId"], len(rows)] == ["t2200", "t2299", 100]


async def test_deleting_takes_whole_traces_only(storage: Storage) -> None:
    store = SpanStore(storage)
    await store.export([span("t1", "a", 1), span("t1", "b", 2, "a"), span("t2", "a", 3)])
    await store.delete(["t1", "unknown"])
    assert await storage.count(SPANS, {}) == 1
    assert len(await store.trace("t2")) == 1


async def test_a_span_that_cannot_be_stored_costs_no_other(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    store = SpanStore(storage)
    await store.export([span("t1", "a", 1), span("t1", "b", 2, "a", input="\x00"), span("t1", "c", 3, "a")])
    assert [row["spanId"] for row in await store.trace("t1")] == ["a", "c"]
    assert "the span b of trace t1 cannot be stored" in caplog.text


async def test_names_are_those_that_occur(storage: Storage) -> None:
    store = SpanStore(storage)
    await store.export(
        [span("t1", "a", 1, entity_name="zoe"), span("t2", "a", 2, entity_name="abe"), span("t3", "a", 3)]
    )
    assert await store.names("entityName") == ["abe", "zoe"]
    assert await store.names("threadId") == []


def test_a_row_tells_its_state_and_whether_it_is_a_root() -> None:
    failed = span_row(span("t1", "a", 1, error={"message": "no"}))
    running = span_row(span("t1", "a", 1)._replace(ended_at=None))
    assert (failed["status"], running["status"], running["endedAt"]) == ("error", "running", None)
    # The parent is elsewhere, so that here it is what the trace begins with.
    assert span_row(span("t1", "a", 1, "far", remote_parent=True))["root"] is True
    assert span_row(span("t1", "a", 1, "near"))["root"] is False


def test_what_is_shown_leaves_out_what_only_storage_needs() -> None:
    row = span_row(span("t1", "a", 1, input={"a": 1}))
    assert "root" not in shown(row)
    assert shown(row)["input"] == {"a": 1}
    assert not {"root", "input", "output", "attributes"} & set(light(row))
