"""Predicates over traces: what they find, and what is told of those that cannot be understood."""

import pytest

from mastra.server.trace_query import MAX_DEPTH, MAX_NODES, Reading, Trace

ROOT = {
    "traceId": "t1",
    "entityName": "assistant",
    "status": "success",
    "threadId": None,
    "startedAt": "2026-01-02T00:00:00.000Z",
    "endedAt": "2026-01-02T00:00:01.500Z",
    "metadata": {"team": "blue", "size": 3},
    "tags": ["beta"],
}
SPANS = [
    {"name": "a", "spanType": "tool_call", "status": "error", "error": {"message": "no"}, "attributes": None,
     "startedAt": "2026-01-02T00:00:00.000Z", "endedAt": "2026-01-02T00:00:00.250Z"},
    {"name": "b", "spanType": "model_inference", "status": "success", "error": None, "attributes": {"model": "gpt"},
     "startedAt": "2026-01-02T00:00:00.000Z", "endedAt": None},
]  # fmt: skip
TRACE = Trace(ROOT, SPANS, [{"scorerId": "length", "score": 0.5, "spanId": None}], [{"value": "good"}, {"value": 4}])


def is_(path, literal, op="eq"):
    return {"op": op, "left": {"path": path}, "right": {"literal": literal}}


def read(where):
    reading = Reading()
    test = reading.where(where, "trace", ("where",))
    return test, reading.faults


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (is_("entityName", "assistant"), True),
        (is_("${entityName}", "assistant"), True),
        (is_("entityName", "other"), False),
        (is_("entityName", "other", "ne"), True),
        (is_("threadId", "x"), False),
        (is_("threadId", "x", "ne"), True),
        (is_("metadata.team", "blue"), True),
        (is_("metadata.size", "3"), False),
        (is_("startedAt", "2026-01-01T00:00:00Z", "gt"), True),
        (is_("startedAt", "2026-01-02T01:00:00+01:00"), True),
        (is_("endedAt", "2026-01-02T00:00:01Z", "lte"), False),
        ({"op": "in", "value": {"path": "status"}, "set": ["error", "success"]}, True),
        ({"op": "notIn", "value": {"path": "status"}, "set": ["error", "success"]}, False),
        ({"op": "exists", "path": "threadId"}, False),
        ({"op": "notExists", "path": "threadId"}, True),
        ({"op": "includes", "path": "tags", "value": "beta"}, True),
        ({"op": "notIncludes", "path": "tags", "value": "beta"}, False),
        ({"op": "and", "args": [is_("status", "success"), is_("entityName", "x")]}, False),
        ({"op": "or", "args": [is_("status", "error"), is_("entityName", "assistant")]}, True),
        ({"op": "not", "arg": is_("status", "success")}, False),
        ({"spans": {"some": is_("model", "gpt")}}, True),
        ({"spans": {"none": is_("model", "gpt")}}, False),
        ({"spans": {"some": {"op": "and", "args": [is_("name", "a"), is_("model", "gpt")]}}}, False),
        ({"spans": {"some": is_("durationMs", 250, "gte")}}, True),
        ({"spans": {"some": is_("durationMs", 250, "gt")}}, False),
        ({"spans": {"some": {"op": "exists", "path": "error"}}}, True),
        ({"scores": {"some": is_("score", 0.5, "lte")}}, True),
        ({"scores": {"some": {"op": "exists", "path": "spanId"}}}, False),
        ({"feedback": {"some": is_("value", 3, "gt")}}, True),
        ({"feedback": {"some": is_("value", "good")}}, True),
        ({"feedback": {"some": is_("value", 9, "gt")}}, False),
    ],
)
def test_what_a_predicate_finds(where, found):
    test, faults = read(where)
    assert faults == []
    assert test(TRACE) is found


def any_(args):
    return {"op": "or", "args": args}


def nested(depth):
    where = is_("status", "success")
    for _ in range(depth - 1):
        where = {"op": "not", "arg": where}
    return where


@pytest.mark.parametrize(
    ("where", "code", "place"),
    [
        ("x", "invalid_request", ["where"]),
        ({"op": "like"}, "invalid_request", ["where", "op"]),
        ({"op": "and", "args": []}, "invalid_request", ["where", "args"]),
        ({"op": "and", "args": [is_("status", "x"), 1]}, "invalid_request", ["where", "args", 1]),
        ({"spans": {"each": {}}}, "invalid_request", ["where", "spans"]),
        ({"spans": {"some": {"scores": {"some": is_("score", 1)}}}}, "invalid_request", ["where", "spans", "some"]),
        (is_("input", "x"), "field_not_allowed", ["where", "left", "path"]),
        (is_(3, "x"), "field_not_allowed", ["where", "left", "path"]),
        (is_("metadata.a.b", "x"), "field_not_allowed", ["where", "left", "path"]),
        (is_("status", "x", "lt"), "operator_not_allowed", ["where", "op"]),
        (is_("status", 3), "invalid_literal", ["where", "right", "literal"]),
        (is_("startedAt", "soon"), "invalid_literal", ["where", "right", "literal"]),
        ({"op": "eq", "left": {"literal": 1}, "right": {"literal": 1}}, "invalid_operands", ["where"]),
        ({"op": "in", "value": {"literal": 1}, "set": [1]}, "invalid_operands", ["where", "value"]),
        ({"op": "in", "value": {"path": "status"}, "set": ["a", 1]}, "invalid_literal", ["where", "set"]),
        ({"op": "in", "value": {"path": "status"}, "set": ["a"] * 101}, "invalid_request", ["where", "set"]),
        ({"op": "includes", "path": "status", "value": "x"}, "operator_not_allowed", ["where", "op"]),
        (nested(MAX_DEPTH + 1), "predicate_too_complex", ["where", *["arg"] * MAX_DEPTH]),
        (any_([is_("status", "x")] * MAX_NODES), "predicate_too_complex", ["where", "args", MAX_NODES - 1]),
        (any_([{"spans": {"some": is_("name", "x")}}] * 9), "predicate_too_complex", ["where", "args", 8]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(where, code, place):
    _, faults = read(where)
    assert faults[0].to_wire() | {"message": ""} == {"code": code, "path": place, "message": ""}
    assert all(one.message for one in faults)


def test_the_deepest_predicate_that_is_allowed():
    test, faults = read(nested(MAX_DEPTH))
    assert faults == []
    assert test(TRACE) is (MAX_DEPTH % 2 == 1)


def test_a_thread_is_all_its_traces_together():
    reading = Reading()
    bad = Trace({**ROOT, "status": "error"})
    where = {"op": "and", "args": [{"traces": {"some": is_("status", "error")}}, {"op": "not", "arg": {
        "traces": {"none": is_("status", "success")}}}]}  # fmt: skip
    test = reading.threads(where, ("where",))
    assert reading.faults == []
    assert test([TRACE, bad])
    assert not test([TRACE])
    assert not test([bad])


def test_the_collections_that_are_looked_into_are_known():
    reading = Reading()
    reading.where({"op": "or", "args": [{"spans": {"some": is_("name", "x")}}, is_("status", "x")]}, "trace", ())
    assert reading.scopes == {"spans"}
