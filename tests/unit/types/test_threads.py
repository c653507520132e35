"""Threads on the wire: what is stored is what comes back, and the field names are those of the protocol."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.types.threads import Thread

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
# Milliseconds are what the protocol carries.
moments = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)).map(  # noqa: DTZ001 - the zone comes next
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
objects = st.none() | st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())


@given(st.text(), st.text(), st.text(), objects, moments, moments)
def test_a_thread_comes_back_from_json_as_it_was(
    id: str, resource: str, title: str, metadata: dict[str, object] | None, created: datetime, updated: datetime
) -> None:
    thread = Thread(id=id, resource_id=resource, title=title, metadata=metadata, created_at=created, updated_at=updated)
    assert Thread.from_wire(json.loads(json.dumps(thread.to_wire()))) == thread


def test_its_fields_are_those_of_the_protocol_and_its_times_are_utc() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=-5)))
    wire = Thread(id="t", resource_id="u", created_at=MOMENT, updated_at=there).to_wire()
    assert wire == {
        "id": "t",
        "resourceId": "u",
        "title": "",
        "metadata": None,
        "createdAt": "2026-01-02T03:04:05.678Z",
        "updatedAt": "2026-01-02T03:04:05.678Z",
    }


@pytest.mark.parametrize("title", [{}, {"title": None}])
def test_a_thread_that_was_stored_without_a_title_has_an_empty_one(title: dict[str, None]) -> None:
    wire = Thread(id="t", resource_id="u", created_at=MOMENT, updated_at=MOMENT).to_wire()
    del wire["title"], wire["metadata"]
    assert Thread.from_wire({**wire, **title}).title == ""
