"""Regular expressions that strangers may write: matched in time linear in the text, whatever the pattern.

Python's own engine backtracks, so a short hostile pattern can hold a server for hours. This one follows all
alternatives at once. It knows the parts that filters use; back-references and look-arounds are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from mastra.errors import InvalidFilter

MAX_PATTERN = 256
MAX_STATES = 2_000
MAX_REPEAT = 100
MAX_GROUPS = 50

CharTest: TypeAlias = Callable[[str], bool]
# A state of the machine: ("char", test, next) | ("split", a, b) | ("start"|"end"|"edge"|"inner", next) | ("done",)
_State: TypeAlias = list[object]

_CLASSES: dict[str, CharTest] = {
    "d": str.isdecimal,
    "w": lambda char: char.isalnum() or char == "_",
    "s": str.isspace,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


@lru_cache(maxsize=256)
def compile_pattern(pattern: str, options: str = "") -> Callable[[str], bool]:
    """A function that tells whether the pattern is found anywhere in a text. Options: i, m, s."""
    if len(pattern) > MAX_PATTERN:
        raise InvalidFilter(f"The pattern is longer than {MAX_PATTERN} characters.")
    if set(options) - set("ims"):
        raise InvalidFilter(f"{options!r} are not pattern options.", hint="Use i, m and s.")
    return _Machine(pattern, options).search


class _Machine:
    """The pattern as a machine of states, built by descent over its text."""

    def __init__(self, pattern: str, options: str) -> None:
        self._text = pattern.casefold() if "i" in options else pattern
        # Escapes are words of the pattern language, so their case is kept.
        self._raw = pattern
        if len(self._text) != len(pattern):
            self._text = pattern.lower() if len(pattern.lower()) == len(pattern) else pattern
        self._ignore_case = "i" in options
        self._multiline = "m" in options
        self._dot_all = "s" in options
        self._at = 0
        self._groups = 0
        self._states: list[_State] = []
        start, ends = self._alternatives()
        if self._at < len(pattern):
            raise InvalidFilter("The pattern has a ')' too many.")
        self._start = start
        self._done = self._add("done")
        self._patch(ends, self._done)

    # ---------------------------------------------------------------- building

    def _add(self, *state: object) -> int:
        if len(self._states) >= MAX_STATES:
            raise InvalidFilter("The pattern is too large.", hint="Use smaller repetitions.")
        self._states.append(list(state))
        return len(self._states) - 1

    def _patch(self, ends: list[tuple[int, int]], target: int) -> None:
        for state, slot in ends:
            self._states[state][slot] = target

    def _alternatives(self) -> tuple[int, list[tuple[int, int]]]:
        start, ends = self._sequence()
        while self._at < len(self._raw) and self._raw[self._at] == "|":
            self._at += 1
            other, more = self._sequence()
            start = self._add("split", start, other)
            ends = ends + more
        return start, ends

    def _sequence(self) -> tuple[int, list[tuple[int, int]]]:
        start = self._add("skip", None)
        ends = [(start, 1)]
        while self._at < len(self._raw) and self._raw[self._at] not in "|)":
            first, last = self._repeated()
            self._patch(ends, first)
            ends = last
        return start, ends

    def _repeated(self) -> tuple[int, list[tuple[int, int]]]:
        begin = self._at
        start, ends = self._atom()
        low_high = self._quantifier()
        if low_high is None:
            return start, ends
        low, high = low_high
        end = self._at
        if self._at < len(self._raw) and self._raw[self._at] == "?":  # lazy or not makes no difference to a search
            end = self._at = self._at + 1
        if self._quantifier() is not None:
            raise InvalidFilter("The pattern repeats a repetition.")

        def again() -> tuple[int, list[tuple[int, int]]]:
            # The same text is read once more for each copy: the states must not be shared.
            self._at = begin
            copy = self._atom()
            self._at = end
            return copy

        first = self._add("skip", None)
        open_ends = [(first, 1)]
        copies = [(start, ends)] + [again() for _ in range(max(low, high or low, 1) - 1)]
        for index, (copy, copy_ends) in enumerate(copies):
            if index < low:
                self._patch(open_ends, copy)
                open_ends = copy_ends
            elif high is not None and index < high:
                split = self._add("split", copy, None)
                self._patch(open_ends, split)
                open_ends = [*copy_ends, (split, 2)]
        if high is None:
            loop, loop_ends = copies[-1] if low == 0 else again()
            split = self._add("split", loop, None)
            self._patch(open_ends, split)
            self._patch(loop_ends, split)
            open_ends = [(split, 2)]
        return first, open_ends

    def _quantifier(self) -> tuple[int, int | None] | None:
        if self._at >= len(self._raw):
            return None
        char = self._raw[self._at]
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if char in simple:
            self._at += 1
            return simple[char]
        close = self._raw.find("}", self._at)
        if char != "{" or close < 0:
            return None
        low, comma, high = self._raw[self._at + 1 : close].partition(",")
        if not low.isdecimal() or (high and not high.isdecimal()):
            return None
        self._at = close + 1
        least = int(low[:6])
        most = (int(high[:6]) if high else None) if comma else least
        if least > MAX_REPEAT or (most or 0) > MAX_REPEAT or (most is not None and most < least):
            raise InvalidFilter(f"The pattern repeats more than {MAX_REPEAT} times, or fewer times than its minimum.")
        return least, most

    def _single(self, test: CharTest) -> tuple[int, list[tuple[int, int]]]:
        state = self._add("char", test, None)
        return state, [(state, 2)]

    def _atom(self) -> tuple[int, list[tuple[int, int]]]:
        char, folded = self._raw[self._at], self._text[self._at]
        self._at += 1
        if char == "(":
            return self._group()
        if char == "[":
            return self._single(self._set())
        if char == ".":
            return self._single(lambda _char: True) if self._dot_all else self._single(lambda char: char != "\n")
        if char in "^$":
            state = self._add("start" if char == "^" else "end", None)
            return state, [(state, 1)]
        if char == "\\":
            return self._escape()
        if char in "*+?":
            raise InvalidFilter("The pattern repeats nothing.")
        return self._single(folded.__eq__)

    def _group(self) -> tuple[int, list[tuple[int, int]]]:
        self._groups += 1
        if self._groups > MAX_GROUPS * MAX_REPEAT:
            raise InvalidFilter("The pattern has too many groups.")
        if self._raw.startswith("?:", self._at):
            self._at += 2
        elif self._raw.startswith("?", self._at):
            raise InvalidFilter("The pattern uses a look-around or a flag.", hint="Use plain groups and $options.")
        inner = self._alternatives()
        if self._at >= len(self._raw) or self._raw[self._at] != ")":
            raise InvalidFilter("The pattern has a '(' that is not closed.")
        self._at += 1
        return inner

    def _escape(self) -> tuple[int, list[tuple[int, int]]]:
        if self._at < len(self._raw) and self._raw[self._at] in "bB":
            state = self._add("edge" if self._raw[self._at] == "b" else "inner", None)
            self._at += 1
            return state, [(state, 1)]
        return self._single(self._escaped())

    def _escaped(self) -> CharTest:
        if self._at >= len(self._raw):
            raise InvalidFilter("The pattern ends in a backslash.")
        char, folded = self._raw[self._at], self._text[self._at]
        self._at += 1
        if char.lower() in _CLASSES:
            test = _CLASSES[char.lower()]
            return test if char.islower() else lambda other: not test(other)
        if char in _ESCAPES:
            return _ESCAPES[char].__eq__
        if char.isalnum():
            raise InvalidFilter(f"The pattern uses \\{char}, which is not known.")
        return folded.__eq__

    def _set(self) -> CharTest:
        negated = self._raw.startswith("^", self._at)
        self._at += negated
        tests: list[CharTest] = []
        first = True
        while self._at < len(self._raw) and (self._raw[self._at] != "]" or first):
            first = False
            if self._raw[self._at] == "\\":
                self._at += 1
                tests.append(self._escaped())
                continue
            low = self._text[self._at]
            self._at += 1
            if self._raw.startswith("-", self._at) and self._raw[self._at + 1 : self._at + 2] not in {"", "]", "\\"}:
                high = self._text[self._at + 1]
                self._at += 2
                if high < low:
                    raise InvalidFilter("The pattern has a range that runs backwards.")
                tests.append(lambda char, low=low, high=high: low <= char <= high)  # type: ignore[misc]  # defaults bind the loop's values
            else:
                tests.append(low.__eq__)
        if self._at >= len(self._raw):
            raise InvalidFilter("The pattern has a '[' that is not closed.")
        self._at += 1
        return lambda char: any(test(char) for test in tests) is not negated

    # ---------------------------------------------------------------- matching

    def search(self, text: str) -> bool:
        """Whether the pattern is found in `text`."""
        if self._ignore_case:
            text = text.casefold()
        current: set[int] = set()
        for at in range(len(text) + 1):
            found = self._reach(current, text, at)
            if self._done in found:
                return True
            if at == len(text):
                return False
            char = text[at]
            current = set()
            for index in found:
                state = self._states[index]
                if state[0] == "char" and state[1](char):  # type: ignore[operator]  # a char state holds its test
                    current.add(state[2])  # type: ignore[arg-type]  # and its next state
        return False

    def _reach(self, seeds: set[int], text: str, at: int) -> set[int]:
        """All states that can be reached at this place without reading; the start too, for it may begin anywhere."""
        found: set[int] = set()
        todo: list[Any] = [*seeds, self._start]
        while todo:
            index = todo.pop()
            if index in found:
                continue
            found.add(index)
            kind, *rest = self._states[index]
            if kind == "split":
                todo += rest
            elif kind == "skip" or (kind in {"start", "end", "edge", "inner"} and self._holds(str(kind), text, at)):
                todo.append(rest[0])
        return found

    def _holds(self, kind: str, text: str, at: int) -> bool:
        if kind == "start":
            return at == 0 or (self._multiline and text[at - 1] == "\n")
        if kind == "end":
            last = at == len(text) or (at == len(text) - 1 and text[at] == "\n")
            return last or (self._multiline and text[at] == "\n")
        before = at > 0 and _CLASSES["w"](text[at - 1])
        after = at < len(text) and _CLASSES["w"](text[at])
        return (before != after) is (kind == "edge")
