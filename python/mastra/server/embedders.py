"""Embedding models that clients may offer by name: facts of their vendors, as data."""

from __future__ import annotations

from typing import Any

_CALLED = {"openai": "OpenAI", "google": "Google"}


def _row(provider: str, name: str, dimensions: int, tokens: int) -> dict[str, Any]:
    return {
        "id": f"{provider}/{name}",
        "provider": provider,
        "name": name,
        "description": f"{_CALLED[provider]} {name} model",
        "dimensions": dimensions,
        "maxInputTokens": tokens,
    }


EMBEDDERS = [
    _row("openai", "text-embedding-3-small", 1536, 8191),
    _row("openai", "text-embedding-3-large", 3072, 8191),
    _row("openai", "text-embedding-ada-002", 1536, 8191),
    _row("google", "gemini-embedding-001", 768, 2048),
]
