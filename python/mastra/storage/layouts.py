"""The layout of what is stored: none may be newer than this release knows."""

from __future__ import annotations

from mastra.errors import SchemaTooNew
from mastra.types.records import Layout


def known_layout(found: int, known: int, what: str, adapter: str) -> Layout:
    """Both layouts; `SchemaTooNew` when a newer release wrote what is there."""
    if found > known:
        raise SchemaTooNew(
            f"{what} has layout {found}; this mastra knows {known}.",
            hint="Run: pip install --upgrade mastra",
            adapter=adapter,
        )
    return Layout(found, known)
