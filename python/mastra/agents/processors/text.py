"""Guards that read text themselves: Unicode, patterns, personal data, system prompt, language. No model needed."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mastra.agents.processors.beginnings import beginning_of
from mastra.agents.processors.processor import Processor, ProcessorContext
from mastra.errors import BadDefinition

if TYPE_CHECKING:
    from mastra.agents.run import Step
    from mastra.types.chunks import Chunk
    from mastra.types.messages import Message

Strategy: TypeAlias = Literal["block", "redact", "detect"]
Change: TypeAlias = "Callable[[str], str]"
# Characters kept of what was sent: as far back as a pattern may look.
_BEFORE = 64


def change_texts(messages: list[Message], change: Change) -> list[Message]:
    """The messages with every text part changed."""
    out = []
    for message in messages:
        parts = tuple(
            {**part, "text": change(part["text"])} if part.get("type") == "text" else part for part in message.parts
        )
        extra = message.extra
        if isinstance(extra.get("content"), str):
            extra = {**extra, "content": change(extra["content"])}
        out.append(replace(message, parts=parts, extra=extra))
    return out


class UnicodeNormalizer(Processor):
    """Brings input to one form (NFKC) and takes out what nobody can see: controls, tags, direction marks."""

    id = "unicode-normalizer"

    def __init__(self, *, form: Literal["NFC", "NFKC"] = "NFKC", collapse_space: bool = False) -> None:
        super().__init__()
        self._form = form
        self._collapse = collapse_space

    def clean(self, text: str) -> str:
        """The text as it is meant to be read."""
        made = unicodedata.normalize(self._form, text)  # pyright: ignore[reportArgumentType]  # mypy reads it right
        made = "".join(char for char in made if char in "\n\t" or not _invisible(char))
        return re.sub(r"[^\S\n]+", " ", made).strip() if self._collapse else made

    async def process_input(self, messages: list[Message], context: ProcessorContext) -> list[Message]:
        """Clean every text of the user."""
        del context
        return change_texts(messages, self.clean)


def _invisible(char: str) -> bool:
    code = ord(char)
    # Zero-width joiners hold emoji and several scripts together and stay.
    if code in (0x200C, 0x200D):
        return False
    return unicodedata.category(char) in ("Cc", "Cf") or 0xE0000 <= code <= 0xE007F


class PatternGuard(Processor):
    """Finds patterns in input and output; blocks, redacts or only notes them. Safe across the borders of chunks.

    While text streams, what may be the beginning of a match waits until it is known, and nothing else does. Of a
    match longer than `window` the end may be sent; patterns whose beginnings cannot be told hold a whole window.
    """

    id = "pattern-guard"

    def __init__(
        self,
        patterns: Mapping[str, str | re.Pattern[str]] | Iterable[str],
        *,
        strategy: Strategy = "redact",
        replacement: str | None = None,
        check_input: bool = True,
        check_output: bool = True,
        window: int = 256,
        id: str | None = None,
        verify: Callable[[str, str], bool] | None = None,
    ) -> None:
        super().__init__(id)
        named = patterns if isinstance(patterns, Mapping) else {f"pattern {n}": one for n, one in enumerate(patterns)}
        if not named:
            raise BadDefinition("A pattern guard needs at least one pattern.")
        if strategy not in ("block", "redact", "detect"):
            raise BadDefinition(f"There is no strategy {strategy!r}.", hint="Use block, redact or detect.")
        try:
            self._patterns = {name: re.compile(one) for name, one in named.items()}
        except re.error as error:
            raise BadDefinition(f"A pattern cannot be used: {error}.") from error
        self._strategy = strategy
        self._replacement = replacement
        self._check_input = check_input
        self._check_output = check_output
        self._window = window
        self._verify = verify

    # ------------------------------------------------------------ finding

    def find(self, text: str, begin: int = 0) -> list[tuple[int, int, str]]:
        """Where something is found from `begin` on: start, end and the name of its pattern; no two overlap."""
        found = [one for one in self._matches(text, begin) if self._verify is None or self._holds(text, one)]
        found.sort(key=lambda one: (one[0], -one[1]))
        out: list[tuple[int, int, str]] = []
        for one in found:
            if not out or one[0] >= out[-1][1]:
                out.append(one)
        return out

    def _matches(self, text: str, begin: int) -> list[tuple[int, int, str]]:
        return [
            (match.start(), match.end(), name)
            for name, pattern in self._patterns.items()
            for match in pattern.finditer(text, begin)
            if match.end() > match.start()
        ]

    def _holds(self, text: str, one: tuple[int, int, str]) -> bool:
        return self._verify is None or self._verify(one[2], text[one[0] : one[1]])

    def redact(self, text: str) -> str:
        """The text with every find replaced by the name of what it was."""
        return self._masked(text, 0, len(text), self.find(text))

    def _masked(self, text: str, begin: int, end: int, found: list[tuple[int, int, str]]) -> str:
        pieces: list[str] = []
        for start, stop, name in found:
            pieces += [text[begin:start], self._mask(name)]
            begin = stop
        return "".join([*pieces, text[begin:end]])

    def _mask(self, name: str) -> str:
        return f"[{name.upper()}]" if self._replacement is None else self._replacement

    def _handle(self, text: str, context: ProcessorContext, begin: int = 0, end: int | None = None) -> str:
        """The part of a text from `begin` to `end` as it may be sent; what stands around it is looked at too."""
        end = len(text) if end is None else end
        found = [one for one in self.find(text, begin) if one[1] <= end]
        if not found:
            return text[begin:end]
        kinds = sorted({name for _, _, name in found})
        if self._strategy == "block":
            # The find itself is not repeated: it may be a secret.
            context.abort(f"Found {', '.join(kinds)}.", metadata={"found": kinds})
        context.state.setdefault("found", []).extend(kinds)
        return self._masked(text, begin, end, found) if self._strategy == "redact" else text[begin:end]

    # ------------------------------------------------------------ hooks

    async def process_input(self, messages: list[Message], context: ProcessorContext) -> list[Message]:
        """Look at what the user said."""
        if not self._check_input:
            return messages
        return change_texts(messages, lambda text: self._handle(text, context))

    async def process_output_stream(self, chunk: Chunk, context: ProcessorContext) -> Chunk | list[Chunk] | None:
        """Look at the text on its way out, holding back what could still become a find."""
        kind = chunk.type
        if not self._check_output or kind not in ("text-delta", "text-end", "text-start"):
            return chunk
        state = context.state
        if kind == "text-start":
            state["held"] = state["before"] = ""
            return chunk
        before: str = state.get("before", "")
        text: str = before + state.get("held", "")
        if kind == "text-end":
            state["held"] = state["before"] = ""
            rest = self._handle(text, context, len(before))
            if not rest:
                return chunk
            delta = chunk._replace(type="text-delta", payload={"id": chunk.payload["id"], "text": rest})
            return [delta, chunk]
        text += chunk.payload["text"]
        cut = self._safe_cut(text, len(before))
        state["held"] = text[cut:]
        # Whether something is a match may depend on what stands before it.
        state["before"] = text[max(0, cut - _BEFORE) : cut]
        if cut == len(before):
            return None
        made = self._handle(text, context, len(before), cut)
        return chunk._replace(payload={**chunk.payload, "text": made}) if made else None

    def begins(self, text: str, begin: int) -> int:
        """From where on the end of the text may be the beginning of a match; its length when nowhere."""
        first = len(text)
        for pattern in self._patterns.values():
            beginning = beginning_of(pattern)
            if beginning is None:
                return max(begin, len(text) - self._window)
            found = beginning.search(text, begin)
            assert found is not None  # the end of the text is always one
            first = min(first, found.start())
        return first

    def _safe_cut(self, text: str, begin: int) -> int:
        """How far no later text can change what is found: not inside a match, nor in what may become one."""
        cut = max(self.begins(text, begin), len(text) - self._window, begin)
        spans = self._matches(text, begin)
        moved = True
        while moved:
            moved = False
            for start, end, _ in spans:
                # A match that touches the end may grow; one that the cut splits would be lost.
                if start < cut and (end > cut or end == len(text)):
                    cut, moved = start, True
        return cut

    async def process_output_step(self, step: Step, context: ProcessorContext) -> None:
        """Look at a whole step; for runs that nobody streams the same as on the stream."""
        if not self._check_output or self._strategy == "detect":
            return
        for index, part in enumerate(step.parts):
            if part.get("type") == "text":
                step.parts[index] = {**part, "text": self._handle(part["text"], context)}
        step.text = self._handle(step.text, context)


class RegexFilter(PatternGuard):
    """A pattern guard for your own patterns."""

    id = "regex-filter"


_PII = {
    "email": r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}",
    "phone": r"(?<![\w+])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){2,4}(?!\w)",
    "credit-card": r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)",
    "ssn": r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)",
    "iban": r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])",
    "ip-address": r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])",
    "api-key": r"(?<!\w)(?:sk|pk|rk|ghp|gho|xoxb|xoxp|AKIA)[-_]?[A-Za-z0-9_-]{16,120}",
}


def _verified(name: str, text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    if name == "credit-card":
        return 13 <= len(digits) <= 19 and _luhn(digits)
    if name == "iban":
        return _iban(text.replace(" ", ""))
    if name == "phone":
        return 7 <= len(digits) <= 15
    return True


def _luhn(digits: list[int]) -> bool:
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = digit * 2 if index % 2 else digit
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _iban(text: str) -> bool:
    moved = text[4:] + text[:4]
    return 15 <= len(text) <= 34 and int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


class PIIDetector(PatternGuard):
    """Personal data (mail, phone, cards, IBAN, SSN, IP) and keys, found locally and checked by their check digits."""

    id = "pii-detector"

    def __init__(self, *, kinds: Iterable[str] | None = None, strategy: Strategy = "redact", **options: Any) -> None:
        chosen = list(_PII if kinds is None else kinds)
        unknown = [kind for kind in chosen if kind not in _PII]
        if unknown:
            raise BadDefinition(f"There is no kind {unknown[0]!r} of personal data.", hint=f"Known: {', '.join(_PII)}.")
        super().__init__({kind: _PII[kind] for kind in chosen}, strategy=strategy, verify=_verified, **options)


class _SentenceGuard(PatternGuard):
    """A pattern guard for whole sentences, whatever space stands between their words."""

    def __init__(self, sentences: list[str], *, strategy: Strategy, replacement: str) -> None:
        self._sentences = sorted(" ".join(sentence.split()) for sentence in sentences)
        self._firsts = frozenset(sentence[0] for sentence in self._sentences)
        patterns = {
            f"instruction {n}": r"\s+".join(map(re.escape, one.split())) for n, one in enumerate(self._sentences)
        }
        longest = max(map(len, self._sentences))
        super().__init__(patterns, strategy=strategy, replacement=replacement, window=longest + 32)

    def begins(self, text: str, begin: int) -> int:
        """From where on the end of the text is the beginning of a sentence."""
        for at in range(max(begin, len(text) - self._window), len(text)):
            if text[at] in self._firsts:
                said = " ".join(text[at:].split())
                near = bisect_left(self._sentences, said)
                if near < len(self._sentences) and self._sentences[near].startswith(said):
                    return at
        return len(text)


@lru_cache(maxsize=64)
def _sentence_guard(texts: tuple[str, ...], strategy: Strategy, replacement: str) -> PatternGuard | None:
    sentences = {sentence.strip() for text in texts for sentence in re.split(r"(?<=[.!?])\s+|\n+", text)}
    long = [sentence for sentence in sentences if len(sentence) >= 20]
    return _SentenceGuard(long, strategy=strategy, replacement=replacement) if long else None


class SystemPromptScrubber(Processor):
    """Keeps the instructions from being said: sentences of the system prompt in an answer are replaced."""

    id = "system-prompt-scrubber"

    def __init__(self, *, strategy: Literal["block", "redact"] = "redact", replacement: str = "[removed]") -> None:
        super().__init__()
        self._strategy = strategy
        self._replacement = replacement

    def _guard(self, context: ProcessorContext) -> PatternGuard | None:
        texts = tuple(message.text for message in context.run.plan.system)
        return _sentence_guard(texts, self._strategy, self._replacement)

    async def process_output_stream(self, chunk: Chunk, context: ProcessorContext) -> Chunk | list[Chunk] | None:
        """Hold back what repeats the instructions."""
        guard = self._guard(context)
        return chunk if guard is None else await guard.process_output_stream(chunk, context)

    async def process_output_step(self, step: Step, context: ProcessorContext) -> None:
        """Look at a whole step."""
        guard = self._guard(context)
        if guard is not None:
            await guard.process_output_step(step, context)


_SCRIPTS = {
    "ru": ("CYRILLIC",), "zh": ("CJK",), "ja": ("HIRAGANA", "KATAKANA"), "ko": ("HANGUL",), "ar": ("ARABIC",),
    "he": ("HEBREW",), "el": ("GREEK",), "th": ("THAI",), "hi": ("DEVANAGARI",),
}  # fmt: skip
_WORDS = {
    "en": "the and is are you that have with this what for not but from they was will can would there how",
    "de": "der die das und ist nicht ich sie wir ein eine mit auf für dem den zu von auch wie was kann",
    "fr": "le la les et est vous que je dans pour une pas avec sur qui nous ce des du il comment",
    "es": "el la los las y es que de no en un una por con para como pero más está qué",
    "it": "il lo la gli e è che di non un una per con sono come ma più questo cosa",
    "pt": "o a os as e é que de não um uma por com para como mas mais está isso você",
    "nl": "de het een en is niet ik je van met op voor dat zijn wat hoe maar ook",
    "sv": "och är att det en ett jag du inte på för med som vad hur men också",
    "no": "og er at det en et jeg du ikke på for med som hva hvordan men også",
}


def guess_language(text: str) -> str | None:
    """The language of a text by its script or its small words; None when it cannot be told."""
    counts: dict[str, int] = {}
    for char in text[:2000]:
        if char.isalpha():
            name = unicodedata.name(char, "")
            for language, scripts in _SCRIPTS.items():
                if name.startswith(scripts):
                    counts[language] = counts.get(language, 0) + 1
    letters = sum(char.isalpha() for char in text[:2000])
    if counts and max(counts.values()) * 3 >= letters:
        return "ja" if counts.get("ja") else max(counts, key=lambda one: counts[one])
    said = re.findall(r"[^\W\d_]+", text[:2000].lower())
    scores = {language: sum(word in words for word in said) for language, words in _SMALL.items()}
    best = max(scores, key=lambda one: scores[one])
    return best if scores[best] >= 2 or (said and scores[best] / len(said) >= 0.3) else None


_SMALL = {language: frozenset(words.split()) for language, words in _WORDS.items()}


class LanguageDetector(Processor):
    """Lets only some languages in: block others, or leave a note for the instructions to use."""

    id = "language-detector"

    def __init__(self, allowed: Iterable[str], *, strategy: Literal["block", "detect"] = "block") -> None:
        super().__init__()
        self._allowed = frozenset(allowed)
        self._strategy = strategy

    async def process_input(self, messages: list[Message], context: ProcessorContext) -> list[Message]:
        """Look at the last thing the user said."""
        text = next((message.text for message in reversed(messages) if message.role == "user"), "")
        found = guess_language(text)
        context.state["language"] = found
        if found is not None and found not in self._allowed and self._strategy == "block":
            context.abort(f"The language {found!r} is not supported here.", metadata={"language": found})
        return messages
