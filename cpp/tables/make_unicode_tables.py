"""Writes cpp/src/unicode_tables.hpp from Python's Unicode database: which characters make words, and how they fold.

Run: python cpp/tables/make_unicode_tables.py
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src" / "unicode_tables.hpp"
# Scripts that put no spaces between words.
UNSPACED = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "HANGUL SYLLABLE", "THAI CHARACTER")
UNSPACED += ("LAO ", "KHMER ", "MYANMAR ", "IDEOGRAPHIC ITERATION", "BOPOMOFO LETTER")
NONE, WORD, PIECE = 0, 1, 2


def is_mark(char: str) -> bool:
    return "\u0300" <= char <= "\u036f"


def kind(code: int) -> int:
    char = chr(code)
    if unicodedata.category(char)[0] not in "LNM":
        return NONE
    return PIECE if unicodedata.name(char, "").startswith(UNSPACED) else WORD


def fold(code: int) -> int:
    """Compatibility form, case folded, Latin and Greek without accents; the character itself when that is many."""
    char = chr(code)
    if 0xAC00 <= code < 0xD7A4:
        return code
    text = unicodedata.normalize("NFKC", char).casefold()
    plain = unicodedata.normalize("NFD", text)
    if plain and ("a" <= plain[0] <= "z" or "\u03b1" <= plain[0] <= "\u03c9"):
        text = "".join(letter for letter in plain if not is_mark(letter))
    return ord(text) if len(text) == 1 else code


def runs(values: dict[int, int]) -> list[tuple[int, int, int, int]]:
    """(first, last, step, value) for equal values at steps of one or two."""
    out: list[list[int]] = []
    for code, value in sorted(values.items()):
        if out:
            first, last, step, before = out[-1]
            gap = code - last
            if before == value and gap in (1, 2) and (first == last or gap == step):
                out[-1] = [first, code, gap, before]
                continue
        out.append([code, code, 1, value])
    return [tuple(row) for row in out]


def rows(cells: list[str]) -> list[str]:
    return ["    " + " ".join(cells[at : at + 10]) for at in range(0, len(cells), 10)]


def main() -> None:
    codes = [code for code in range(0x80, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    kinds = {code: kind(code) for code in codes}
    # Steps of two would claim the characters between: kinds are whole runs.
    spans: list[list[int]] = []
    for code in codes:
        value = kinds[code]
        if spans and spans[-1][2] == value and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code, value])
    spans = [span for span in spans if span[2] != NONE]
    folds = runs({code: fold(code) - code for code in codes if kinds[code] != NONE and fold(code) != code})
    lines = [
        f"// Made by cpp/tables/make_unicode_tables.py from Unicode {unicodedata.unidata_version}. Do not edit.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
        "namespace mastra::unicode {",
        "",
        "struct Span { std::uint32_t first, last; std::uint8_t kind; };  // 1: a word's, 2: a piece without spaces",
        "struct Fold { std::uint32_t first, last, step; std::int32_t delta; };",
        "",
        "inline constexpr Span kSpans[] = {",
    ]
    lines += rows([f"{{0x{first:X},0x{last:X},{value}}}," for first, last, value in spans])
    lines += ["};", "", "inline constexpr Fold kFolds[] = {"]
    lines += rows([f"{{0x{first:X},0x{last:X},{step},{delta}}}," for first, last, step, delta in folds])
    lines += ["};", "", "}  // namespace mastra::unicode", ""]
    TARGET.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
