"""Embedding and ranking by words alone: deterministic, instant, without a model. Not semantic: it knows no synonyms.

For tests, demos and documentation, and as a floor to measure real models against.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from mastra.errors import BadDefinition
from mastra.native.tokens import estimate_tokens
from mastra.ports.embedder import Embedder, Embeddings
from mastra.ports.reranker import Ranked, Reranker
from mastra.providers.embedders import check_texts
from mastra.providers.rerankers import check_question

_WORD = re.compile(r"[^\W_]+")
# Scripts that are written without spaces between words: every character counts as one.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_COMMON = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "could", "did", "do", "does", "for", "from", "had",
    "has", "have", "he", "her", "his", "i", "if", "in", "is", "it", "its", "me", "my", "of", "on", "or", "our", "she",
    "so", "that", "the", "their", "them", "they", "this", "to", "was", "we", "were", "what", "when", "where", "which",
    "who", "will", "with", "would", "you", "your",
})  # fmt: skip
_SMALLEST, _LARGEST = 8, 8192
_COMMON_WEIGHT, _STEM_WEIGHT, _PIECE_WEIGHT, _PAIR_WEIGHT = 0.1, 0.6, 0.35, 0.5
_STEM_LENGTH = 5


def words_of(text: str) -> list[str]:
    """The words of a text without case, accents and punctuation."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    out: list[str] = []
    for word in _WORD.findall(plain):
        if _UNSPACED.search(word):
            out.extend(word)
        else:
            out.append(word)
    return out


class LexicalEmbedder(Embedder):
    """Words, their beginnings and their pieces of three letters, hashed into a vector of unit length."""

    provider = "lexical"
    local = True

    def __init__(self, model_id: str = "256", *, dimension: int | None = None) -> None:
        try:
            size = int(model_id) if dimension is None else dimension
        except ValueError:
            size = 0
        if not _SMALLEST <= size <= _LARGEST:
            raise BadDefinition(
                f"A lexical embedding has {_SMALLEST} to {_LARGEST} dimensions, not {model_id!r}.",
                hint='Write "lexical/256".',
            )
        self.model_id = str(size)
        self.dimension: int = size  # pyright: ignore[reportIncompatibleVariableOverride]  # mypy reads it right

    def __repr__(self) -> str:
        return f"LexicalEmbedder({self.dimension})"

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"] = "document") -> Embeddings:
        """The vectors of `texts`."""
        del purpose
        check_texts(texts)
        return Embeddings([self.vector(text) for text in texts], sum(map(estimate_tokens, texts)))

    def vector(self, text: str) -> list[float]:
        """The vector of one text."""
        size = self.dimension
        out = [0.0] * size
        for feature, weight in _features(words_of(text) or [text.strip()]).items():
            hashed = zlib.crc32(feature.encode())
            # One bit of the hash is the sign, so that collisions cancel out instead of adding up.
            out[(hashed >> 1) % size] += weight if hashed & 1 else -weight
        length = math.sqrt(sum(value * value for value in out))
        if length == 0:
            # Everything cancelled out, which takes a very small vector: the text still needs a direction.
            out[zlib.crc32(text.encode()) % size] = length = 1.0
        return [value / length for value in out]


def _features(words: list[str]) -> dict[str, float]:
    counts = Counter(words)
    out: dict[str, float] = {}
    for word, count in counts.items():
        # A word said ten times is not ten times as much about it.
        weight = (1 + math.log(count)) * (_COMMON_WEIGHT if word in _COMMON else 1.0)
        out[f"w:{word}"] = weight
        if len(word) > _STEM_LENGTH:
            stem = f"s:{word[:_STEM_LENGTH]}"
            out[stem] = out.get(stem, 0.0) + weight * _STEM_WEIGHT
        if len(word) > 2 and word not in _COMMON:
            padded = f"^{word}$"
            pieces = len(padded) - 2
            for at in range(pieces):
                piece = f"p:{padded[at : at + 3]}"
                out[piece] = out.get(piece, 0.0) + weight * _PIECE_WEIGHT / math.sqrt(pieces)
    for first, second in itertools.pairwise(words):
        if first not in _COMMON and second not in _COMMON:
            out[f"b:{first} {second}"] = _PAIR_WEIGHT
    return out


class LexicalReranker(Reranker):
    """BM25 over the documents that are given."""

    provider = "lexical"
    local = True

    def __init__(self, model_id: str = "bm25") -> None:
        if model_id != "bm25":
            raise BadDefinition(f"There is no lexical reranker {model_id!r}.", hint='Write "lexical/bm25".')
        self.model_id = model_id

    async def rerank(self, query: str, documents: Sequence[str], *, top: int | None = None) -> list[Ranked]:
        """The best documents, best first; equal ones in the order in which they were given."""
        check_question(query, documents, top)
        from mastra.native.text import Bm25Index  # noqa: PLC0415 - the embedder works without the compiled core

        index = Bm25Index()
        for at, text in enumerate(documents):
            index.add(str(at), _unicode(text))
        scores = dict(index.search(_unicode(query), len(documents)))
        ranked = [Ranked(at, scores.get(str(at), 0.0)) for at in range(len(documents))]
        ranked.sort(key=lambda item: (-item.score, item.position))
        return ranked[:top]


def _unicode(text: str) -> str:
    # Half a character, as a cut JSON escape leaves it, is no word.
    return text.encode(errors="replace").decode()
