"""How contract suites complain: assertions that name what was asked, without a test framework."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any


def expect(found: Any, wanted: Any, about: Any = None) -> None:
    """Raise an `AssertionError` that shows both sides when they differ."""
    if found != wanted:
        context = "" if about is None else f" (for {about!r})"
        raise AssertionError(f"found {_short(found)}, wanted {_short(wanted)}{context}")


async def expect_raises(kind: type[Exception], work: Awaitable[Any], about: Any = None) -> Exception:
    """Await `work`, which must raise `kind`; the error, for a closer look."""
    try:
        value = await work
    except kind as error:
        return error
    context = "" if about is None else f" for {_short(about)}"
    raise AssertionError(f"{kind.__name__} was expected{context}, but the answer was {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 500 else f"{text[:500]}... ({len(text)} characters)"
