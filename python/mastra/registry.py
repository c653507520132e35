"""Finds adapters by name: an entry point whose name is the URL scheme, looked up on first use.

Built-in adapters are declared in our own pyproject and take the same door as anybody's package.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from mastra.errors import BadSetting, UnknownAdapter, near_miss

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# What a group is called when one of its names is unknown.
GROUPS = {
    "mastra.providers": "model provider",
    "mastra.embedders": "embedding provider",
    "mastra.rerankers": "reranking provider",
    "mastra.storage": "storage",
    "mastra.vectors": "vector store",
    "mastra.caches": "cache",
    "mastra.buses": "event bus",
    "mastra.executors": "executor",
    "mastra.speech": "speech provider",
    "mastra.exporters": "exporter",
}


@functools.cache
def _entry_points(group: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - costs 50 ms, paid on first use only

    return {point.name: point for point in entry_points(group=group)}


def names(group: str) -> list[str]:
    """The names that are known in a group, sorted."""
    return sorted(_entry_points(group))


def find(group: str, name: str) -> Any:
    """What the entry point `name` of `group` points at; `UnknownAdapter` with a suggestion when there is none."""
    points = _entry_points(group)
    point = points.get(name)
    if point is None:
        kind = GROUPS.get(group, group)
        hint = near_miss(name, points) or f"Known: {', '.join(sorted(points)) or 'none'}."
        raise UnknownAdapter(f"There is no {kind} called {name!r}.", hint=hint, details={"group": group, "name": name})
    return point.load()


def open_url(group: str, url: str, **options: Any) -> Any:
    """The adapter that answers to the URL's scheme, made by its `from_url(url, **options)`. It is not opened yet."""
    scheme, separator, _ = url.partition(":")
    if not separator:
        kind = GROUPS.get(group, group)
        raise BadSetting(
            f"{url!r} is not the URL of a {kind}.", hint=f"Write scheme://place; known: {', '.join(names(group))}."
        )
    return find(group, scheme).from_url(url, **options)
