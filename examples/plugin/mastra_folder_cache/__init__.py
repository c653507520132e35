"""A cache that keeps each entry as a file: an adapter that lives outside of mastra."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import time
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from mastra.errors import BadSetting, CacheError
from mastra.ports.cache import Cache

_EXPIRY = struct.Struct("<d")


class FolderCache(Cache):
    """Entries as files. The first eight bytes of a file say until when it holds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The cache of `folder:///absolute/path`."""
        path = unquote(urlsplit(url).path)
        if not path:
            raise BadSetting(f"{url!r} names no folder.", hint="Write folder:///absolute/path.")
        return cls(Path(path))

    async def open(self) -> None:
        """Make the folder."""
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(f"The folder {str(self._folder)!r} cannot be made.", adapter="folder") from error

    def _file(self, key: str) -> Path:
        # A key may hold any character; a file name may not.
        return self._folder / hashlib.sha256(key.encode()).hexdigest()

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        try:
            data = await asyncio.to_thread(self._file(key).read_bytes)
        except FileNotFoundError:
            return None
        (expires,) = _EXPIRY.unpack_from(data)
        return data[_EXPIRY.size :] if time.time() < expires else None

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Keep the value, for at most `ttl_s` seconds. A reader sees the old value or the new one, never a half."""
        expires = float("inf") if ttl_s is None else time.time() + ttl_s
        file = self._file(key)

        def write() -> None:
            half = file.with_suffix(f".{time.monotonic_ns()}")
            half.write_bytes(_EXPIRY.pack(expires) + value)
            half.replace(file)

        await asyncio.to_thread(write)

    async def delete(self, key: str) -> None:
        """Forget the value; a missing one is no error."""
        await asyncio.to_thread(self._file(key).unlink, missing_ok=True)
