"""Fits the token estimate to texts and writes its weights, for C++ and for the pure-Python twin.

Run: TIKTOKEN_CACHE_DIR=... python cpp/tables/make_token_weights.py texts.jsonl [words.txt]

Each line of texts.jsonl is {"kind": "english", "text": "..."}; kinds weigh the same, however many texts they have.
words.txt has lines of "word count": how often Chinese words are used, for the characters that the texts lack.
The fit starts from the weights that are there and stays near them where the texts say little.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import tiktoken

from mastra.native.fallback import tokens
from mastra.native.fallback.token_weights import WEIGHTS

ROOT = Path(__file__).parents[2]
CPP = ROOT / "cpp" / "src" / "token_weights.hpp"
PYTHON = ROOT / "python" / "mastra" / "native" / "fallback" / "token_weights.py"
PLACES = tokens.SPACED_DIGITS + 1
HAN = [chr(code) for code in range(0x4E00, 0xA000)]
NUMBER = {char: PLACES + at for at, char in enumerate(HAN)}  # columns of the fit: the places, then the characters
# How strongly a weight is held where it is: letter pairs, the other places, characters. Scripts that the texts are
# not about stay as they are; a run of Han characters costs next to nothing but for its characters.
HELD_PAIR, HELD_PLACE, HELD_CHAR = 3e-3, 1e-2, 3e-2
HELD_FAST = {
    tokens.HAN_RUN: 1e2,
    **dict.fromkeys(
        (tokens.KANA, tokens.HANGUL, tokens.SLAVIC, tokens.SLAVIC_WORD, tokens.SCRIPT, tokens.PICTURE), 1e4
    ),
}
HAN_RUN_START = 0.2
FEWEST = 3  # texts that must have a character before they may move it


class Counting:
    """Stands for the weights in the estimate's own code: what it asks for and how often is the text's features."""

    def __getitem__(self, place: int) -> Term:
        return Term({place: 1})


class Term:
    """A sum of weights that are not known yet."""

    def __init__(self, parts: dict[int, int]) -> None:
        self.parts = parts

    def __add__(self, other: Term | int) -> Term:
        if isinstance(other, int):
            return self
        parts = dict(self.parts)
        for place, count in other.parts.items():
            parts[place] = parts.get(place, 0) + count
        return Term(parts)

    __radd__ = __add__

    def __mul__(self, times: int) -> Term:
        return Term({place: count * times for place, count in self.parts.items()})

    __rmul__ = __mul__


def features(text: str) -> Counter[int]:
    """Which weights the estimate of this text adds up, and how often each."""
    out: Counter[int] = Counter()
    before = ""
    for match in tokens.PIECE.finditer(text):
        piece, kind = match.group(), match.lastgroup or ""
        if kind == "han":
            out[tokens.HAN_RUN] += 1
            out.update(NUMBER.get(char, tokens.HAN) for char in piece)
        else:
            weights: Any = Counting()
            term: Any = tokens.weight_of(kind, piece, before, weights)
            if isinstance(term, Term):
                out.update(term.parts)
        before = piece[-1]
    return out


def shares(encoding: tiktoken.Encoding, words: dict[str, int]) -> np.ndarray:
    """What each character costs: alone, pulled towards its mean part of the tokens of the words it stands in."""
    total = np.array([30.0 * len(encoding.encode_ordinary(char)) for char in HAN])
    uses = np.full(len(HAN), 30.0)
    for word, count in words.items():
        at = 0
        for token in encoding.encode_ordinary(word):
            size = len(encoding.decode_single_token_bytes(token))
            first, last = at // 3, (at + size - 1) // 3
            for char in word[first : last + 1]:
                total[NUMBER[char] - PLACES] += count / (last - first + 1)
            at += size
        for char in word:
            uses[NUMBER[char] - PLACES] += count
    return total / uses


def fit(name: str, texts: list[tuple[str, str, Counter[int]]], words: dict[str, int]) -> tuple[list[int], str]:
    encoding = tiktoken.get_encoding(name)
    start = np.concatenate([np.array(WEIGHTS[name], float) / tokens.ONE, shares(encoding, words)])
    start[tokens.HAN], start[tokens.HAN_RUN] = 3.0, HAN_RUN_START
    # In running text more merges than inside the words alone: every character's share shrinks by as much.
    left_for_han = han = 0.0
    for _, text, found in texts:
        cost = sum(count * start[place] for place, count in found.items() if place >= PLACES)
        if cost > len(text) / 4:
            han += cost
            left_for_han += len(encoding.encode_ordinary(text)) - sum(
                count * start[place] for place, count in found.items() if place < PLACES
            )
    if han > 0:
        start[PLACES:] *= left_for_han / han
    holders = Counter(place for _, _, found in texts for place in found if place >= PLACES)
    moved = [*range(PLACES), *sorted(place for place, count in holders.items() if count >= FEWEST)]
    column = {place: at for at, place in enumerate(moved)}
    sizes = Counter(kind for kind, _, _ in texts)
    rows, rest = [], []
    for kind, text, found in texts:
        exact = len(encoding.encode_ordinary(text))
        scale = (1000 / sizes[kind]) ** 0.5 / exact
        row = np.zeros(len(moved))
        left = float(exact)
        for place, count in found.items():
            left -= count * start[place]
            if place in column and place != tokens.HAN:
                row[column[place]] = count
        rows.append(row * scale)
        rest.append(left * scale)
    table = np.array(rows)
    held = np.full(len(moved), HELD_CHAR)
    held[: tokens.PAIRS], held[tokens.PAIRS : PLACES] = HELD_PAIR, HELD_PLACE
    for place, strength in HELD_FAST.items():
        held[place] = strength
    change = np.linalg.solve(table.T @ table + np.diag(held), table.T @ np.array(rest))
    weights = start.copy()
    weights[moved] += change
    levels = np.clip(np.round(weights[PLACES:] * tokens.ONE / tokens.HAN_STEP), 0, 15).astype(int)
    return [round(weight * tokens.ONE) for weight in weights[:PLACES]], "".join(chr(65 + level) for level in levels)


def wrapped(weights: list[int], indent: str, width: int) -> str:
    out, line = [], indent
    for weight in weights:
        piece = f"{weight}, "
        if len(line) + len(piece) > width:
            out.append(line.rstrip())
            line = indent
        line += piece
    return "\n".join([*out, line.rstrip()])


def quoted(levels: str, indent: str, width: int) -> str:
    return "\n".join(f'{indent}"{levels[at : at + width]}"' for at in range(0, len(levels), width))


def main() -> None:
    lines = Path(sys.argv[1]).read_text("utf-8").splitlines()
    read = [(line["kind"], line["text"]) for line in map(json.loads, lines)]
    texts = [(kind, text, features(text)) for kind, text in read]
    words: dict[str, int] = {}
    for line in Path(sys.argv[2]).read_text("utf-8").splitlines() if len(sys.argv) > 2 else ():
        word, count = line.split(" ")[:2]
        if all(char in NUMBER for char in word) and int(count) >= 3:
            words[word] = int(count)
    fitted = {name: fit(name, texts, words) for name in WEIGHTS}
    cpp = "// Fitted weights of the token estimate, in 256ths of a token; the order is that of token_estimate.cpp.\n"
    cpp += "// Written by cpp/tables/make_token_weights.py.\n#pragma once\n\nnamespace mastra {\n"
    for name, (weights, levels) in fitted.items():
        constant = name.removesuffix("_base").capitalize()
        cpp += f"\ninline constexpr short k{constant}Weights[] = {{\n{wrapped(weights, '    ', 110)}\n}};\n"
        cpp += "\n// What each character of U+4E00..U+9FFF costs, A to P, in steps of kHanStep.\n"
        cpp += f"inline constexpr char k{constant}Han[] =\n{quoted(levels, '    ', 120)};\n"
    CPP.write_text(cpp + "\n}  // namespace mastra\n", "utf-8")
    python = '"""Fitted weights of the token estimate, in 256ths of a token; the order is that of tokens.py.\n\n'
    python += (
        'Written by cpp/tables/make_token_weights.py.\n"""\n\n# fmt: off\nWEIGHTS: dict[str, tuple[int, ...]] = {\n'
    )
    for name, (weights, _) in fitted.items():
        python += f'    "{name}": (\n{wrapped(weights, "        ", 117)}\n    ),\n'
    python += "}\n\n# What each character of U+4E00..U+9FFF costs, A to P, in steps of HAN_STEP.\n"
    python += "HAN_LEVELS: dict[str, str] = {\n"
    for name, (_, levels) in fitted.items():
        python += f'    "{name}": (\n{quoted(levels, "        ", 105)}\n    ),\n'
    PYTHON.write_text(python + "}\n", "utf-8")


if __name__ == "__main__":
    main()
