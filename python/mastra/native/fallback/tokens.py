"""The token estimate in pure Python: the same sums as the compiled one, from the same fitted weights."""

from __future__ import annotations

import re

from mastra.errors import NativeInvalidArgument
from mastra.native.fallback.token_weights import HAN_LEVELS, WEIGHTS

# Letter pairs of Latin words come first (26 letters and "another letter", 27 x 27), then these.
PAIRS = 27 * 27
WORD, CAPITAL, CAMEL, ACCENTED, LONG, UNSPACED = (PAIRS + at for at in range(6))
HAN, HAN_RUN, KANA, HANGUL, SLAVIC, SLAVIC_WORD, DIGITS, SCRIPT = (PAIRS + at for at in range(6, 14))
LINES, SPACES, TAB, MARKS, MARK, WIDE_MARK, PICTURE, OTHER, MANY_MARKS, MANY_LINES, SPACED_DIGITS = (
    PAIRS + at for at in range(14, 25)
)
ONE = 256  # weights are 256ths of a token
HAN_STEP = 51  # of the levels of single Han characters; HAN is for those that have none

PIECE = re.compile(
    "(?P<word>[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]+)"
    "|(?P<han>[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
    "|(?P<kana>[\u3040-\u30ff]+)|(?P<hangul>[\u1100-\u11ff\uac00-\ud7a3]+)|(?P<slavic>[\u0370-\u052f]+)"
    "|(?P<digits>[0-9]+)|(?P<script>[\u0530-\u10ff\u1200-\u1dff]+)"
    "|(?P<lines>[ \\t\\n\\v\\f\\r]*[\\r\\n])|(?P<spaces>[ \\t\\v\\f]+)|(?P<marks>[!-/:-@\\[-`{-~]+)|(?P<other>.)",
    re.DOTALL,
)


def estimate_tokens(text: str, encoding: str = "o200k_base") -> int:
    """About how many tokens `text` has in this encoding, from its letters alone."""
    weights = WEIGHTS.get(encoding)
    if weights is None:
        raise NativeInvalidArgument(f"there is no token estimate for {encoding!r}; known: {', '.join(WEIGHTS)}")
    text = text.encode(errors="replace").decode()  # half a character, as a cut JSON escape leaves it, is a mark
    levels = HAN_LEVELS[encoding]
    total = 0
    before = ""
    for match in PIECE.finditer(text):
        piece = match.group()
        if match.lastgroup == "han":
            total += weights[HAN_RUN] + sum(_han(ord(char), levels, weights) for char in piece)
        else:
            total += weight_of(match.lastgroup or "", piece, before, weights)
        before = piece[-1]
    return max((total + ONE // 2) // ONE, 1 if text else 0)


def _han(code: int, levels: str, weights: tuple[int, ...]) -> int:
    return (ord(levels[code - 0x4E00]) - 65) * HAN_STEP if 0x4E00 <= code <= 0x9FFF else weights[HAN]


def weight_of(kind: str, piece: str, before: str, weights: tuple[int, ...]) -> int:
    """The weight of one piece that is no run of Han characters."""
    size = len(piece)
    if kind == "word":
        return _word(piece, weights) + (weights[UNSPACED] if before != " " else 0)
    if kind == "lines":
        return weights[LINES] + (weights[MANY_LINES] if size > 1 else 0)
    if kind == "spaces":
        return (weights[SPACES] if size > 1 else 0) + (weights[TAB] if "\t" in piece else 0)
    if kind == "marks":
        return weights[MARKS] + (size - 1) * weights[MARK] + max(size - 4, 0) * weights[MANY_MARKS]
    if kind == "digits":
        return (size + 2) // 3 * weights[DIGITS] + (weights[SPACED_DIGITS] if before == " " else 0)
    if kind == "slavic":
        return size * weights[SLAVIC] + weights[SLAVIC_WORD]
    if kind == "other":
        return weights[_other(ord(piece))]
    return size * weights[{"kana": KANA, "hangul": HANGUL, "script": SCRIPT}[kind]]


def _other(code: int) -> int:
    if 0x3000 <= code <= 0x303F or 0xFF00 <= code <= 0xFFEF or 0x2010 <= code <= 0x2027:
        return WIDE_MARK
    return PICTURE if code >= 0x10000 else OTHER


def _word(word: str, weights: tuple[int, ...]) -> int:
    total = weights[WORD] + max(len(word) - 10, 0) * weights[LONG]
    if len(word) > 1 and word.isascii() and word.isupper():
        return total + len(word) * weights[CAPITAL]
    last, last_lower = -1, False
    for letter in word:
        lower = "a" <= letter <= "z"
        place = ord(letter.lower()) - 97 if letter.isascii() else 26
        if place == 26:
            total += weights[ACCENTED]
        if last_lower and "A" <= letter <= "Z":
            total += weights[CAMEL]
        if last >= 0:
            total += weights[last * 27 + place]
        last, last_lower = place, lower
    return total
