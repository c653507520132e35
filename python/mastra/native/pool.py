"""A pool of objects that are dear to make and easy to wipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mastra._core import ObjectPool as CorePool

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")


class ObjectPool(CorePool, Generic[T]):
    """At most `capacity` objects made by `make`; `reset` wipes one that comes back.

    `acquire()` hands out an object that nobody else has and `release(item)` takes it back, from any thread.
    Raises: NativeLimit when all are out, NativeClosed after `close()`, NativeInvalidArgument for the release of a
    foreign object or of one that is not out. What `make` and `reset` raise passes through; an object whose reset
    raised is let go.

    >>> pool = ObjectPool(bytearray, reset=bytearray.clear, capacity=8)
    >>> with pool.lease() as buffer:
    ...     buffer += b"scratch"
    """

    if TYPE_CHECKING:

        def __init__(
            self, make: Callable[[], T], *, reset: Callable[[T], Any] | None = None, capacity: int = 64
        ) -> None: ...

        def acquire(self) -> T:  # pyright: ignore[reportReturnType]  # mypy reads it right
            """An object that nobody else has."""

        def release(self, item: T, /) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # mypy reads it right
            """Resets the object and makes it free."""

    def lease(self) -> Lease[T]:
        """An object for the length of a `with` block."""
        return Lease(self)


class Lease(Generic[T]):
    """Holds one object of a pool inside a `with` block; may be entered again after it was left."""

    __slots__ = ("item", "pool")

    def __init__(self, pool: ObjectPool[T]) -> None:
        self.pool = pool

    def __enter__(self) -> T:
        self.item = self.pool.acquire()
        return self.item

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        item = self.item
        del self.item
        self.pool.release(item)
