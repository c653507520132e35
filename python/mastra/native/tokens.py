"""How many tokens a text has: estimated without any vocabulary, exact where tiktoken and its files are present."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from mastra._core import estimate_tokens
except ImportError:
    from mastra.native.fallback.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["count_tokens", "estimate_tokens"]

# Where tiktoken gets its files from; it keeps each under the hash of its address.
ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"


def count_tokens(text: str, encoding: str = "o200k_base") -> int:
    """The exact count when `tiktoken` is installed and has the encoding's file, else the estimate; no download."""
    exact = _exact_counter(encoding)
    return estimate_tokens(text, encoding) if exact is None else exact(text)


@functools.cache
def _exact_counter(encoding: str) -> Callable[[str], int] | None:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    path = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    name = hashlib.sha1(ADDRESS.format(encoding).encode(), usedforsecurity=False).hexdigest()
    if not (path / name).is_file():
        return None
    try:
        import tiktoken  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    encode = tiktoken.get_encoding(encoding).encode_ordinary
    return lambda text: len(encode(text))
