"""An embedder that remembers: vectors by the hash of what they were made from, in any cache."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from typing import Literal

from mastra.ports.cache import Cache
from mastra.ports.embedder import Embedder, Embeddings
from mastra.runtime.spare_cache import keep, look


class CachedEmbedder(Embedder):
    """Asks the embedder inside only for texts that the cache does not hold, and for each of them once.

    Vectors are kept in single precision, which is more than any index keeps.
    """

    def __init__(self, inner: Embedder, cache: Cache, *, ttl_s: float | None = None) -> None:
        self.inner = inner
        self.provider = inner.provider
        self.model_id = inner.model_id
        self._cache = cache
        self._ttl_s = ttl_s
        # The length that was asked for; one that is learned from the first answer must not change the names.
        self._length = str(inner.dimension or "")

    @property
    def dimension(self) -> int | None:  # type: ignore[override]  # what the port declares as an attribute
        """The length of the vectors, once it is known."""
        return self.inner.dimension

    def __repr__(self) -> str:
        return f"CachedEmbedder({self.inner!r})"

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"] = "document") -> Embeddings:
        """The vectors of `texts`."""
        keys = {text: self._key(text, purpose) for text in texts}
        known: dict[str, list[float]] = {}
        for text, key in keys.items():
            kept = await look(self._cache, key)
            vector = None if kept is None else self._unpack(kept)
            if vector is not None:
                known[text] = vector
        missing = [text for text in keys if text not in known]
        tokens = 0
        if missing:
            made = await self.inner.embed(missing, purpose=purpose)
            tokens = made.input_tokens
            for text, vector in zip(missing, made.vectors, strict=True):
                known[text] = vector
                await keep(self._cache, keys[text], array("f", vector).tobytes(), self._ttl_s)
        return Embeddings([known[text] for text in texts], tokens)

    def _key(self, text: str, purpose: str) -> str:
        named = f"{self.provider}\0{self.model_id}\0{self._length}\0{purpose}\0{text}"
        return f"embedding:{hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()}"

    def _unpack(self, kept: bytes) -> list[float] | None:
        """The vector, unless the entry is not one of ours."""
        if len(kept) % 4 or not kept:
            return None
        vector = array("f", kept)
        if self.dimension is not None and len(vector) != self.dimension:
            return None
        return vector.tolist()

    async def close(self) -> None:
        """Close the embedder inside; the cache is somebody else's."""
        await self.inner.close()
