"""Digests of arguments: equal for equal JSON, whatever the order of its keys."""

from __future__ import annotations

import hashlib
from typing import Any

from mastra.types.json import dumps


def digest(args: Any) -> str:
    """What an approval is bound to: these arguments and no others."""
    return hashlib.sha256(dumps(_sorted(args)).encode("utf-8", "surrogatepass")).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
