"""A pool for objects that are dear to make and easy to wipe: buffers, parsers, scratch space.

>>> pool = ObjectPool(bytearray, reset=bytearray.clear, capacity=8)
>>> bytes(pool.borrow())  # free again as soon as nobody holds it
b''
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    T = TypeVar("T")

    class Lease(Generic[T]):
        """An object of a pool for the length of a `with` block; may be entered again after it was left."""

        def __enter__(self) -> T: ...
        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
        ) -> None: ...

    class ObjectPool(Generic[T]):
        """At most `capacity` objects made by `make`; `reset` wipes one that comes back. For any thread.

        Raises: NativeLimit when all are out, NativeClosed after `close()`. What `make` and `reset` raise passes
        through; an object whose reset raised is let go.
        """

        def __init__(
            self, make: Callable[[], T], *, reset: Callable[[T], Any] | None = None, capacity: int = 64
        ) -> None: ...

        def acquire(self) -> T:  # pyright: ignore[reportReturnType]  # a stub
            """An object that nobody else has; give it back with `release`."""

        def release(self, item: T, /) -> None:
            """Resets the object and makes it free; NativeInvalidArgument for one that is foreign or not out."""

        def borrow(self) -> T:  # pyright: ignore[reportReturnType]  # a stub
            """An object that nobody else has, free again as soon as nobody holds it: there is nothing to give back."""

        def lease(self) -> Lease[T]:  # pyright: ignore[reportReturnType]  # a stub
            """An object for the length of a `with` block."""

        def close(self) -> None:
            """Lets the free objects go; the ones that are out go when they come back."""

        def stats(self) -> dict[str, int]:  # pyright: ignore[reportReturnType]  # a stub
            """How often an object was found and made, how many are out and were at most, and the capacity."""

else:
    from mastra._core import Lease, ObjectPool

__all__ = ["Lease", "ObjectPool"]
