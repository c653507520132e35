"""The language of trace queries: a predicate is checked as a whole, then it is a plain test of stored rows.

A trace is its root span with all spans, scores and feedback that belong to it. A comparison that a row has no value
for is false; `ne`, `notIn`, `notExists` and `notIncludes` are the opposites of their positive forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import eq, ge, gt, le, lt
from typing import Any, Literal, NamedTuple, TypeAlias

from mastra.errors import InvalidInput
from mastra.types.times import from_wire

Row: TypeAlias = Mapping[str, Any]
Scope: TypeAlias = Literal["trace", "spans", "scores", "feedback"]
Kind: TypeAlias = Literal["string", "number", "stringOrNumber", "timestamp", "presence", "array"]
Place: TypeAlias = tuple[str | int, ...]

MAX_DEPTH = 12
MAX_NODES = 100
MAX_SET = 100
MAX_RELATED = 8
MAX_LITERALS = 1_000
_EQUAL = ("eq", "ne", "in", "notIn", "exists", "notExists")
_ORDERED = (*_EQUAL, "lt", "lte", "gt", "gte")
OPERATORS: Mapping[Kind, tuple[str, ...]] = {
    "string": _EQUAL,
    "number": _ORDERED,
    "stringOrNumber": _ORDERED,
    "timestamp": _ORDERED,
    "presence": ("exists", "notExists"),
    "array": ("exists", "notExists", "includes", "notIncludes"),
}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": eq, "lt": lt, "lte": le, "gt": gt, "gte": ge}
_NEGATED = frozenset({"ne", "notIn", "notExists", "notIncludes"})


class Trace(NamedTuple):
    """A root span with what belongs to its trace."""

    root: Row
    spans: Sequence[Row] = ()
    scores: Sequence[Row] = ()
    feedback: Sequence[Row] = ()


class Field(NamedTuple):
    """What a predicate may ask of a row: the kind of value, whether values of it are suggested, where it stands."""

    kind: Kind
    suggests: bool = False
    read: Callable[[Row], Any] | None = None


def _attribute(name: str) -> Callable[[Row], Any]:
    return lambda row: (row.get("attributes") or {}).get(name)


def _duration(row: Row) -> float | None:
    if row.get("endedAt") is None:
        return None
    return (from_wire(row["endedAt"]) - from_wire(row["startedAt"])).total_seconds() * 1_000


_NAME, _LISTED, _TIME = Field("string"), Field("string", suggests=True), Field("timestamp")
_METADATA = Field("string", suggests=True)
FIELDS: Mapping[Scope, Mapping[str, Field]] = {
    "trace": {
        **dict.fromkeys(("traceId", "threadId", "resourceId"), _NAME),
        **dict.fromkeys(("startedAt", "endedAt"), _TIME),
        **dict.fromkeys(("entityName", "entityType", "environment", "status"), _LISTED),
        "tags": Field("array"),
    },
    "spans": {
        **dict.fromkeys(("name", "spanType"), _LISTED),
        **{name: Field("string", suggests=True, read=_attribute(name)) for name in ("model", "provider")},
        **dict.fromkeys(("startedAt", "endedAt"), _TIME),
        "durationMs": Field("number", read=_duration),
        "status": _LISTED,
        "error": Field("presence"),
        **dict.fromkeys(("entityType", "entityName"), _LISTED),
        "entityId": _NAME,
    },
    "scores": {
        **dict.fromkeys(("scorerId", "scorerVersion", "scoreSource"), _LISTED),
        "score": Field("number"),
        "timestamp": _TIME,
        "spanId": Field("presence"),
    },
    "feedback": {
        **dict.fromkeys(("feedbackType", "feedbackSource"), _LISTED),
        **dict.fromkeys(("feedbackUserId", "sourceId"), _NAME),
        "value": Field("stringOrNumber"),
        "timestamp": _TIME,
        "comment": Field("presence"),
    },
}


def field_of(scope: Scope, path: str) -> Field | None:
    """The field that a path names in a scope; one key of a trace's metadata is a field too."""
    if scope == "trace" and path.startswith("metadata."):
        key = path.removeprefix("metadata.")
        return (
            _METADATA._replace(read=lambda row: (row.get("metadata") or {}).get(key))
            if key and "." not in key
            else None
        )
    return FIELDS[scope].get(path)


def plain_path(text: str) -> str:
    """A path without the `${...}` that it may be written in."""
    stripped = text.strip()
    return stripped[2:-1].strip() if stripped.startswith("${") and stripped.endswith("}") else stripped


def value_of(scope: Scope, path: str, row: Row) -> Any:
    """What a row has there."""
    found = field_of(scope, path)
    return found.read(row) if found is not None and found.read is not None else row.get(path)


class Fault(NamedTuple):
    """One place of a query that cannot be understood."""

    code: str
    path: Place
    message: str

    def to_wire(self) -> dict[str, Any]:
        """As the protocol tells it."""
        return {"code": self.code, "path": list(self.path), "message": self.message}


Test: TypeAlias = Callable[[Any], bool]


def _nothing(_: Any) -> bool:
    return False


@dataclass
class Reading:
    """One reading of a query: what was found wrong, and how large it is."""

    faults: list[Fault] = field(default_factory=list)
    nodes: int = 0
    related: int = 0
    literals: int = 0
    # Which collections the query looks into.
    scopes: set[str] = field(default_factory=set)

    def where(self, given: Any, scope: Scope, place: Place, depth: int = 1) -> Test:
        """The test that a predicate stands for; what is wrong with it goes to `faults`."""
        if not self._counts(place, depth):
            return _nothing
        if not isinstance(given, Mapping):
            return self._wrong("invalid_request", place, "A predicate is an object")
        for collection in ("spans", "scores", "feedback"):
            if collection in given:
                return self._relation(given[collection], collection, scope, place, depth)
        op = given.get("op")
        if op in {"and", "or", "not"}:
            return self._combined(given, place, lambda one, at: self.where(one, scope, at, depth + 1))
        if op in {"exists", "notExists"}:
            return self._test(op, given.get("path"), scope, place, (*place, "path"), lambda value, _: value is not None)
        if op in {"includes", "notIncludes"}:
            wanted = given.get("value")
            self._literal(place)
            return self._test(
                op, given.get("path"), scope, place, (*place, "path"), lambda value, _: wanted in (value or ())
            )
        if op in {"in", "notIn"}:
            return self._membership(given, op, scope, place)
        if isinstance(op, str) and op in _COMPARE:
            return self._comparison(given, op, scope, place)
        return self._wrong("invalid_request", (*place, "op"), "There is no such operator")

    def threads(self, given: Any, place: Place, depth: int = 1) -> Test:
        """The test of a thread: a list of its traces."""
        if not self._counts(place, depth):
            return _nothing
        if not isinstance(given, Mapping):
            return self._wrong("invalid_request", place, "A predicate is an object")
        if given.get("op") in {"and", "or", "not"}:
            return self._combined(given, place, lambda one, at: self.threads(one, at, depth + 1))
        return self._quantified(given.get("traces"), "traces", "trace", place, depth, lambda traces: traces)

    # ------------------------------------------------------------ kinds of predicates

    def _combined(self, given: Row, place: Place, read: Callable[[Any, Place], Test]) -> Test:
        if given["op"] == "not":
            inner = read(given.get("arg"), (*place, "arg"))
            return lambda row: not inner(row)
        args = given.get("args")
        if not isinstance(args, list) or not args:
            return self._wrong("invalid_request", (*place, "args"), "A list of predicates is wanted")
        tests = [read(one, (*place, "args", number)) for number, one in enumerate(args)]
        every = all if given["op"] == "and" else any
        return lambda row: every(test(row) for test in tests)

    def _relation(self, given: Any, collection: str, scope: Scope, place: Place, depth: int) -> Test:
        if scope != "trace":
            return self._wrong("invalid_request", place, "Collections cannot be nested in each other")
        self.scopes.add(collection)
        inner: Any = collection
        return self._quantified(given, collection, inner, place, depth, lambda trace: getattr(trace, collection))

    def _quantified(
        self, given: Any, name: str, scope: Scope, place: Place, depth: int, rows: Callable[[Any], Sequence[Any]]
    ) -> Test:
        self.related += 1
        if self.related > MAX_RELATED:
            self._complex(place, f"Trace queries are limited to {MAX_RELATED} related collection clauses")
        if not isinstance(given, Mapping) or len(given) != 1 or next(iter(given)) not in {"some", "none"}:
            return self._wrong("invalid_request", (*place, name), "Either some or none is wanted")
        how, predicate = next(iter(given.items()))
        test = self.where(predicate, scope, (*place, name, how), depth + 1)
        if how == "some":
            return lambda one: any(map(test, rows(one)))
        return lambda one: not any(map(test, rows(one)))

    def _membership(self, given: Row, op: str, scope: Scope, place: Place) -> Test:
        values, named = given.get("set"), given.get("value")
        if not isinstance(values, list) or not 0 < len(values) <= MAX_SET:
            return self._wrong("invalid_request", (*place, "set"), f"A list of 1 to {MAX_SET} values is wanted")
        self._literal(place, len(values))
        if not isinstance(named, Mapping) or "path" not in named:
            return self._wrong("invalid_operands", (*place, "value"), "The field whose values are listed is wanted")
        at = (*place, "value", "path")

        def inside(value: Any, kind: Kind) -> bool:
            return value in [_literal(one, kind) for one in values]

        test = self._test(op, named["path"], scope, place, at, inside)
        known = self._field(named["path"], scope)
        if known is not None and any(_literal(one, known.kind) is None for one in values):
            return self._wrong("invalid_literal", (*place, "set"), "The values do not match the field")
        return test

    def _comparison(self, given: Row, op: str, scope: Scope, place: Place) -> Test:
        left, right = given.get("left"), given.get("right")
        self._literal(place)
        if not (isinstance(left, Mapping) and "path" in left and isinstance(right, Mapping) and "literal" in right):
            message = "A field on the left and a literal on the right are wanted"
            return self._wrong("invalid_operands", place, message)
        compare, literal = _COMPARE[op], right["literal"]

        def compared(value: Any, kind: Kind) -> bool:
            wanted = _literal(literal, kind)
            alike = isinstance(value, str) == isinstance(wanted, str)
            return value is not None and alike and compare(value, wanted)

        test = self._test(op, left["path"], scope, place, (*place, "left", "path"), compared)
        known = self._field(left["path"], scope)
        if known is not None and _literal(literal, known.kind) is None:
            return self._wrong("invalid_literal", (*place, "right", "literal"), "The literal does not match the field")
        return test

    def _test(
        self,
        op: str,
        path: Any,
        scope: Scope,
        place: Place,
        at: Place,
        holds: Callable[[Any, Kind], bool],
    ) -> Test:
        """The test of one field by `holds`, turned round for the negative operators."""
        known = self._field(path, scope)
        if known is None:
            return self._wrong("field_not_allowed", at, "The predicate field is not allowed here")
        if op not in OPERATORS[known.kind]:
            message = f"Operator {op} is not supported for field {plain_path(path)}"
            return self._wrong("operator_not_allowed", (*place, "op"), message)
        name, kind, wanted = plain_path(path), known.kind, op not in _NEGATED

        def test(one: Any) -> bool:
            value = value_of(scope, name, one.root if scope == "trace" else one)
            return holds(_literal(value, kind) if kind == "timestamp" else value, kind) == wanted

        return test

    # ------------------------------------------------------------ what is checked everywhere

    def _field(self, path: Any, scope: Scope) -> Field | None:
        return field_of(scope, plain_path(path)) if isinstance(path, str) else None

    def _counts(self, place: Place, depth: int) -> bool:
        self.nodes += 1
        if depth <= MAX_DEPTH and self.nodes <= MAX_NODES:
            return True
        self._complex(place, f"Predicates are limited to {MAX_NODES} nodes and {MAX_DEPTH} levels")
        return False

    def _literal(self, place: Place, count: int = 1) -> None:
        self.literals += count
        if self.literals > MAX_LITERALS:
            self._complex(place, f"Trace queries are limited to {MAX_LITERALS} literal units")

    def _complex(self, place: Place, message: str) -> None:
        if all(message != one.message for one in self.faults):
            self.faults.append(Fault("predicate_too_complex", place, message))

    def _wrong(self, code: str, place: Place, message: str) -> Test:
        self.faults.append(Fault(code, place, message))
        return _nothing


def _literal(value: Any, kind: Kind) -> Any:
    """A literal as values of this kind are compared; None where it is none of them."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "timestamp":
        return _moment(value)
    if kind == "number":
        return value if number else None
    if kind == "stringOrNumber":
        return value if number or isinstance(value, str) else None
    return value if isinstance(value, str) else None


def _moment(value: Any) -> datetime | None:
    try:
        return from_wire(value) if isinstance(value, str) else None
    except InvalidInput:
        return None
