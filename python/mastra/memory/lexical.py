"""An embedder without a model: texts that share words and word parts get vectors that point the same way.

It is what semantic recall uses until an embedder is given. It finds "invoices" by "invoice", not "bill" by "invoice".
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from typing import Literal

from mastra.ports.embedder import Embedder, Embeddings

DIMENSION = 384
_WORD = re.compile(r"\w+")


class LexicalEmbedder(Embedder):
    """Hashes words and their three-letter parts into a vector of unit length."""

    provider = "mastra"
    model_id = "lexical-384"
    dimension = DIMENSION

    async def embed(
        self,
        texts: Sequence[str],
        *,
        purpose: Literal["document", "query"] = "document",  # noqa: ARG002 - both get the same vector
    ) -> Embeddings:
        """The vectors, at once: there is nothing to wait for."""
        return Embeddings([embed_text(text) for text in texts])


def embed_text(text: str) -> list[float]:
    """The vector of a text; an empty one gets a fixed direction of its own."""
    weights: dict[int, float] = {}
    for word in _WORD.findall(text.casefold())[:5000]:
        _add(weights, word, 1.0)
        padded = f"^{word}$"
        for at in range(len(padded) - 2):
            _add(weights, padded[at : at + 3], 0.4)
    vector = [0.0] * DIMENSION
    for place, weight in weights.items():
        # Often repeated words count less than their number.
        vector[place] = math.copysign(math.log1p(abs(weight)), weight)
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0:
        vector[0] = 1.0
        return vector
    return [value / length for value in vector]


def _add(weights: dict[int, float], feature: str, weight: float) -> None:
    digest = zlib.crc32(feature.encode("utf-8", "replace"))
    place = digest % DIMENSION
    weights[place] = weights.get(place, 0.0) + (weight if digest & 0x80000000 else -weight)
