"""The door of every storage adapter: which tables, keys, values, batches and cursors are let in, the same for all."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Sequence
from typing import Any

from mastra.errors import BadDefinition, InvalidId, InvalidInput
from mastra.types.filters import check
from mastra.types.json import MAX_DEPTH, dumps, find_nul, find_unserialisable, loads
from mastra.types.records import Delete, Expect, Operation, Order, Put, Table

MAX_KEY = 512
MAX_VALUE_BYTES = 64 * 1024 * 1024
MAX_BATCH = 10_000
MAX_LIMIT = 10_000
MAX_INDEXED_BYTES = 768
MAX_INDEXED_INT = 2**53

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+=~/\-]{0,511}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_TENANT = re.compile(r"[A-Za-z0-9_.:@+=~/\-]{0,257}")


@functools.lru_cache(maxsize=1024)
def check_table(table: Table) -> Table:
    """`table` when its name, fields and tenant can be used by every backend."""
    if not _NAME.fullmatch(getattr(table, "name", "")):
        raise BadDefinition(f"{table!r} is not a table.", hint="A name is 1 to 40 of a-z, 0-9 and _.")
    for field in fields_of(table):
        if not _FIELD.fullmatch(field):
            raise BadDefinition(f"{field!r} is not a field that can be indexed.", hint="Use letters, digits and _.")
    if not _TENANT.fullmatch(table.tenant):
        raise InvalidId(f"{table.tenant[:40]!r} is not a valid tenant.")
    return table


@functools.lru_cache(maxsize=1024)
def fields_of(table: Table) -> tuple[str, ...]:
    """The indexed fields, each once, in the order of their declaration."""
    return tuple(dict.fromkeys(field for entry in table.indexes for field in entry.split("+")))


@functools.lru_cache(maxsize=1024)
def field_set(table: Table) -> frozenset[str]:
    """The indexed fields as a set."""
    return frozenset(fields_of(table))


def check_key(key: object) -> str:
    """`key` when it can be a row's key: ids, joined by `/` when it is made of several."""
    if isinstance(key, str) and _KEY.fullmatch(key):
        return key
    shown = f"{key[:40]!r}" if isinstance(key, str) else f"a {type(key).__name__}"
    raise InvalidId(f"{shown} is not a valid key.", hint=f"Use 1 to {MAX_KEY} letters, digits or _.:@+=~-/ .")


def encode_value(table: Table, value: object) -> str:
    """The JSON text of a row, or an `InvalidInput` that names the place that cannot be stored."""
    if not isinstance(value, dict):
        raise InvalidInput(f"A row is a JSON object, not a {type(value).__name__}.")
    if not _plain(value):
        _refuse(value)
    try:
        text = dumps(value)
        size = len(text) if text.isascii() else len(text.encode())
    except (ValueError, TypeError, RecursionError) as error:
        _refuse(value)
        raise InvalidInput("The value cannot be stored: it cannot be written as JSON.") from error
    if size > MAX_VALUE_BYTES:
        raise InvalidInput(
            f"The row has {size:,} bytes; at most {MAX_VALUE_BYTES:,} can be stored.",
            hint="Store the large part elsewhere and keep a reference to it.",
        )
    if "\\u0000" in text and (path := find_nul(value)):
        # Not every backend can store it, so none takes it.
        raise InvalidInput(
            f"The value cannot be stored: {path} contains a NUL character.",
            issues=[{"field": path[:200], "message": "contains a NUL character"}],
        )
    for field in fields_of(table):
        item = value.get(field)
        if item is not None and type(item) is not str:
            _check_indexed(field, item)
        elif item is not None and len(item) > MAX_INDEXED_BYTES // 4 and len(item.encode()) > MAX_INDEXED_BYTES:
            raise InvalidInput(f"The indexed field {field!r} is longer than {MAX_INDEXED_BYTES} bytes.")
    return text


def _plain(value: object) -> bool:
    """Whether there are only JSON types, text keys and little depth; the texts themselves are not looked at."""
    todo = [value]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[object] = []
        for item in todo:
            if type(item) is dict:
                if not _TEXT.issuperset(map(type, item)):
                    return False
                deeper += [inner for inner in item.values() if type(inner) in _CONTAINERS]
            elif type(item) in _CONTAINERS:
                deeper += [inner for inner in item if type(inner) in _CONTAINERS]  # type: ignore[attr-defined]  # a list or a tuple
        if not deeper:
            return True
        todo = deeper
    return False


_TEXT = frozenset({str})
_CONTAINERS = (dict, list, tuple)


def _refuse(value: Any) -> None:
    found = find_unserialisable(value)
    path, reason = found or ("$", "cannot be written as JSON")
    if found is None and _plain_enough(value):
        return
    raise InvalidInput(
        f"The value cannot be stored: {path} {reason}.", issues=[{"field": path[:200], "message": reason}]
    )


def _plain_enough(value: Any) -> bool:
    """Subclasses of dict, list and str are refused by the quick look and allowed by the slow one."""
    try:
        dumps(value).encode()
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def _check_indexed(field: str, item: object) -> None:
    if isinstance(item, int) and not isinstance(item, bool) and abs(item) > MAX_INDEXED_INT:
        raise InvalidInput(f"The indexed field {field!r} holds a whole number beyond 2**53.")
    if not isinstance(item, str | int | float):
        raise InvalidInput(f"The indexed field {field!r} holds a {type(item).__name__}; use a text or a number.")


def check_batch(batch: Sequence[Operation]) -> list[tuple[Operation, str]]:
    """The operations, preconditions first, each with the JSON text that a `Put` writes (else an empty text)."""
    if len(batch) > MAX_BATCH:
        raise InvalidInput(f"A batch of {len(batch):,} operations; at most {MAX_BATCH:,} are done at once.")
    first: list[tuple[Operation, str]] = []
    rest: list[tuple[Operation, str]] = []
    known: list[Table] = []
    for operation in batch:
        table = operation.table
        # A batch is about few tables, and looking one up by its value costs more than everything else here.
        if not any(one is table for one in known):
            known.append(check_table(table))
        check_key(operation.key)
        if isinstance(operation, Put):
            rest.append((operation, encode_value(table, operation.value)))
        elif isinstance(operation, Delete):
            rest.append((operation, ""))
        else:
            check(operation.where)
            first.append((operation, ""))
    return first + rest


def check_scan(table: Table, order: Order | None, limit: int) -> None:
    """The parts of a scan that are not the filter."""
    check_table(table)
    if type(limit) is not int or not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"A limit of {limit!r} is not between 1 and {MAX_LIMIT:,}.")
    if order is not None and order.field not in field_set(table):
        raise InvalidInput(
            f"The table {table.name!r} cannot be ordered by {str(order.field)[:40]!r}.",
            hint=f"Indexed: {', '.join(fields_of(table)) or 'nothing'}.",
        )


def encode_cursor(order: Order | None, value: Any, key: str) -> str:
    """The place after a row, as an opaque text."""
    parts = [key] if order is None else [key, value]
    return base64.urlsafe_b64encode(dumps(parts).encode()).decode().rstrip("=")


def decode_cursor(order: Order | None, cursor: str) -> tuple[str, Any]:
    """The key and the ordered value of a cursor; a made-up one is refused."""
    try:
        parts = loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        key = check_key(parts[0])
        value = parts[1] if order is not None else None
        if len(parts) != (1 if order is None else 2) or not _was_indexed(value):
            raise ValueError(cursor)  # noqa: TRY301 - all ways of being wrong end in the same refusal
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise InvalidInput("The cursor is not one that this query gave out.", hint="Begin again without it.") from error
    return key, value


def _was_indexed(value: Any) -> bool:
    """Whether the indexed field of a stored row can hold it."""
    if isinstance(value, str):
        return "\0" not in value and len(value.encode()) <= MAX_INDEXED_BYTES
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) <= MAX_INDEXED_INT)


def broken(operation: Expect) -> str:
    """What a `Conflict` says."""
    wanted = "be absent" if operation.where is None else "match what was expected of it"
    return f"The row {operation.key!r} of {operation.table.name!r} does not {wanted}."
