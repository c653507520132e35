"""An event of a stream is a named tuple that reads its own JSON, in the core as in pure Python."""

import copy
import gc
import pickle
import runpy
import sys

import pytest

from mastra.native import events
from mastra.native.events import SseEvent
from mastra.native.sse import SseParser


@pytest.fixture(params=["compiled", "twin"])
def kind(request, monkeypatch):
    if request.param == "compiled":
        return SseEvent
    monkeypatch.setitem(sys.modules, "mastra._core", None)
    return runpy.run_path(events.__file__)["SseEvent"]


def test_an_event_reads_its_data_as_json(kind):
    assert kind("message", '{"a": [1]}', "", None).json() == {"a": [1]}


def test_data_that_is_no_json_is_an_error(kind):
    with pytest.raises(ValueError):
        kind("message", "[DONE]", "", None).json()


def test_an_event_is_a_tuple_with_names(kind):
    event = kind(event="ping", data="x", id="7", retry=30)
    assert event == ("ping", "x", "7", 30)
    assert hash(event) == hash(("ping", "x", "7", 30))
    assert (event.event, event.data, event.id, event.retry) == tuple(event)
    assert tuple in kind.__mro__
    assert repr(event) == "SseEvent(event='ping', data='x', id='7', retry=30)"
    name, *_, retry = event
    assert (name, retry, event[1:3]) == ("ping", 30, ("x", "7"))
    match event:
        case kind("ping", data, id="7"):
            assert data == "x"
        case _:
            pytest.fail("an event matches by place and by name")


def test_an_event_has_what_a_named_tuple_has(kind):
    event = kind("a", "b", "c", None)
    assert kind._fields == kind.__match_args__ == ("event", "data", "id", "retry")
    assert event._asdict() == {"event": "a", "data": "b", "id": "c", "retry": None}
    assert kind._make(event) == event
    changed = event._replace(data="d", retry=5)
    assert (type(changed), changed) == (kind, ("a", "d", "c", 5))
    with pytest.raises((TypeError, ValueError)):
        event._replace(other="x")


def test_an_event_cannot_be_changed(kind):
    with pytest.raises(AttributeError):
        kind("a", "b", "c", None).data = "d"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_event_is_copied_and_pickled_as_what_it_is(protocol):
    event = SseEvent("a", "b", "c", 5)
    for twin in (copy.copy(event), copy.deepcopy(event), pickle.loads(pickle.dumps(event, protocol))):
        assert (type(twin), twin) == (SseEvent, event)


@pytest.mark.parametrize(
    "fields",
    [(), ("a", "b", "c"), ("a", "b", "c", 1, 2), (b"a", "b", "c", None), ("a", None, "c", None), ("a", "b", "c", 1.5)],
)
def test_fields_of_another_kind_are_refused(fields):
    with pytest.raises(TypeError):
        SseEvent(*fields)


def test_of_a_subclass_only_the_text_is_kept():
    class Loud(str):
        __slots__ = ("event",)

    text = Loud("b")
    event = SseEvent("a", text, "c", True)
    text.event = event  # would be a cycle that nobody breaks
    assert [type(field) for field in event] == [str, str, str, int]


def test_the_memory_of_events_is_used_again_and_none_is_lost():
    parser, raw = (
        SseParser(),
        "".join(f"event: e{n % 3}\nid: {n}\nretry: {n}\ndata: {n}\n\n" for n in range(1000)).encode(),
    )
    kept = parser.feed(raw)
    before = sys.getrefcount(SseEvent)
    for _ in range(5):
        again = parser.feed(raw)
        assert again == kept
        assert [int(event.data) for event in again] == list(range(1000))
        del again
    assert sys.getrefcount(SseEvent) == before
    assert not any(gc.is_tracked(event) for event in kept)
