"""Writes a model file for llama.cpp: a real transformer of two small layers with random weights, which talks noise."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT = 64, 2, 4, 128, 2048
_UINT32, _FLOAT32, _STRING, _ARRAY, _INT32 = 4, 6, 8, 9, 5
_ALIGNMENT = 32
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokens() -> list[str]:
    """GPT-2's letters for the 256 bytes: the printable ones are themselves, the others stand above U+0100."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    if isinstance(value, int):
        return struct.pack("<II", _UINT32, value)
    kind, items = (_STRING, [_text(item) for item in value]) if isinstance(value[0], str) else (
        _INT32, [struct.pack("<i", item) for item in value])  # fmt: skip
    return struct.pack("<IIQ", _ARRAY, kind, len(value)) + b"".join(items)


def write(path: Path) -> None:
    """Write the model. The weights are always the same."""
    words = [*byte_tokens(), "th", "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
    facts: dict[str, Any] = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": HIDDEN,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.vocab_size": len(words),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": words,
        # 1 is an ordinary token, 3 a control token.
        "tokenizer.ggml.token_type": [1] * 257 + [3] * 3,
        "tokenizer.ggml.merges": ["t h"],
        "tokenizer.ggml.bos_token_id": 259,
        "tokenizer.ggml.eos_token_id": 258,
        "tokenizer.chat_template": _TEMPLATE,
    }
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(words), WIDTH), "output_norm.weight": (WIDTH,), "output.weight": (len(words), WIDTH),
    }  # fmt: skip
    for at in range(LAYERS):
        shapes |= {f"blk.{at}.attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{at}.{name}_norm.weight": (WIDTH,) for name in ("attn", "ffn")}
        shapes |= {f"blk.{at}.ffn_{name}.weight": (HIDDEN, WIDTH) for name in ("gate", "up")}
        shapes[f"blk.{at}.ffn_down.weight"] = (WIDTH, HIDDEN)
    head = [b"GGUF", struct.pack("<IQQ", 3, len(shapes), len(facts))]
    head.extend(_text(name) + _value(value) for name, value in facts.items())
    noise = np.random.default_rng(7)
    tensors: list[bytes] = []
    at = 0
    for name, shape in shapes.items():
        weights = noise.normal(0, 0.3, shape) if len(shape) == 2 else np.ones(shape)
        data = weights.astype("<f4").tobytes()
        # Dimensions stand innermost first; the type 0 is float32.
        head.append(_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], 0, at))
        tensors.append(data + b"\0" * (-len(data) % _ALIGNMENT))
        at += len(tensors[-1])
    start = b"".join(head)
    path.write_bytes(start + b"\0" * (-len(start) % _ALIGNMENT) + b"".join(tensors))
