"""Ready-made scorers that need no model: exact and fuzzy texts, keywords, tone, tools called."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mastra.errors import BadDefinition
from mastra.evals.scorer import NotScorable, Scorer, ScorerRun, create_scorer, text_of

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_STOP_WORDS = """
a an and are as at be but by can did do does for from had has have he her his how i if in into is it its me my not
of on or our she so than that the their them then there these they this to was we were what when where which who
why will with would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


def words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.lower())


def _simple(id: str, name: str, description: str, score: Callable[[ScorerRun], float], reason: str) -> Scorer:
    return (
        create_scorer(id, name=name, description=description)
        .generate_score(score)
        .generate_reason(lambda run: reason.format(score=run.score))
    )


def _truth(run: ScorerRun) -> str:
    text = text_of(run.ground_truth)
    if not text:
        raise NotScorable("there is no ground truth")
    return text


# ---------------------------------------------------------------- texts


def completeness(id: str = "completeness") -> Scorer:
    """How many of the content words of the input the output takes up."""

    def analyze(run: ScorerRun) -> dict[str, Any]:
        asked = {word for word in words(run.input_text) if word not in _STOP}
        said = set(words(run.output_text))
        covered = {word for word in asked if word in said or any(_kin(word, other) for other in said)}
        return {"asked": sorted(asked), "missing": sorted(asked - covered), "covered": len(covered)}

    return (
        create_scorer(id, name="Completeness", description="Share of the input's content words in the output")
        .analyze(analyze)
        .generate_score(
            lambda run: run.analyzed["covered"] / len(run.analyzed["asked"]) if run.analyzed["asked"] else 1.0
        )
        .generate_reason(lambda run: f"Missing: {', '.join(run.analyzed['missing']) or 'nothing'}.")
    )


def _kin(a: str, b: str) -> bool:
    # Plurals and endings: long words that share nearly all of their letters from the start.
    size = min(len(a), len(b))
    return size >= 4 and a[: max(4, size - 1)] == b[: max(4, size - 1)] and abs(len(a) - len(b)) <= 3


def content_similarity(
    id: str = "content-similarity", *, ignore_case: bool = True, ignore_space: bool = True
) -> Scorer:
    """Likeness of output and input as character pairs (Dice), between 0 and 1."""

    def clean(text: str) -> str:
        text = text.lower() if ignore_case else text
        return "".join(text.split()) if ignore_space else text

    return _simple(
        id,
        "Content similarity",
        "Character-pair likeness of output and input",
        lambda run: dice(clean(run.input_text), clean(run.output_text)),
        "The texts are alike by {score:.2f}.",
    )


def dice(a: str, b: str) -> float:
    """Sørensen-Dice coefficient of the character pairs of two texts."""
    if a == b:
        return 1.0
    if len(a) < 2 or len(b) < 2:
        return 0.0
    counts: dict[str, int] = {}
    for at in range(len(a) - 1):
        pair = a[at : at + 2]
        counts[pair] = counts.get(pair, 0) + 1
    common = 0
    for at in range(len(b) - 1):
        pair = b[at : at + 2]
        if counts.get(pair, 0) > 0:
            counts[pair] -= 1
            common += 1
    return 2.0 * common / (len(a) + len(b) - 2)


def keyword_coverage(id: str = "keyword-coverage", *, keywords: Iterable[str] | None = None) -> Scorer:
    """How many keywords (given, or taken from the input) stand in the output."""
    fixed = None if keywords is None else [word.lower() for word in keywords]

    def analyze(run: ScorerRun) -> dict[str, Any]:
        wanted = fixed
        if wanted is None:
            wanted = list(dict.fromkeys(word for word in words(run.input_text) if word not in _STOP))
        said = run.output_text.lower()
        return {
            "wanted": wanted,
            "found": [word for word in wanted if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said)],
        }

    def score(run: ScorerRun) -> float:
        wanted = run.analyzed["wanted"]
        return len(run.analyzed["found"]) / len(wanted) if wanted else 1.0

    return (
        create_scorer(id, name="Keyword coverage", description="Share of the keywords in the output")
        .analyze(analyze)
        .generate_score(score)
        .generate_reason(lambda run: f"{len(run.analyzed['found'])} of {len(run.analyzed['wanted'])} keywords.")
    )


def textual_difference(id: str = "textual-difference") -> Scorer:
    """How little has to change to make the output of the input (sequence matching)."""
    return _simple(
        id,
        "Textual difference",
        "Sequence-matching likeness of output and input",
        lambda run: difflib.SequenceMatcher(None, run.input_text, run.output_text, autojunk=False).ratio(),
        "The texts match by {score:.2f}.",
    )


_POSITIVE_WORDS = """
amazing awesome beautiful best brilliant calm cheerful clear comfortable delighted delightful easy effective
elegant enjoy enjoyed excellent excited exciting fair fantastic fast fine fresh friendly fun gain generous glad
good great happy helpful honest impressive improve improved incredible kind like liked love loved lovely nice
perfect pleasant pleased positive proud reliable right safe satisfied smart smooth solid strong success successful
superb support terrific thank thanks useful valuable well win wonderful worth
"""
_POSITIVE = frozenset(_POSITIVE_WORDS.split())
_NEGATIVE_WORDS = """
afraid angry annoyed annoying awful bad boring broken confused confusing cruel damage dangerous difficult
disappointed disappointing dislike error fail failed failure fear frustrated frustrating hard hate hated horrible
hurt impossible inferior lazy lose loss lost mad mess mistake negative never nasty pain painful poor problem
regret reject rude sad scared sick slow sorry stupid terrible trouble ugly unfair unhappy unsafe upset useless
weak worse worst worthless wrong
"""
_NEGATIVE = frozenset(_NEGATIVE_WORDS.split())
_NOT = frozenset({"not", "no", "never", "without", "hardly", "isn't", "wasn't", "don't", "doesn't", "didn't", "can't"})


def sentiment(text: str) -> float:
    """The tone of an English text from -1 to 1, by a small list of words; a negation turns the next two words."""
    total, hits, turned = 0.0, 0, 0
    for word in words(text):
        value = 1.0 if word in _POSITIVE else -1.0 if word in _NEGATIVE else 0.0
        if value:
            total += -value if turned > 0 else value
            hits += 1
        turned = 2 if word in _NOT else turned - 1
    return total / hits if hits else 0.0


def tone(id: str = "tone", *, target: float | None = None) -> Scorer:
    """Whether the tone of the output is that of the input, or near `target` (-1 to 1)."""

    def score(run: ScorerRun) -> float:
        wanted = sentiment(run.input_text) if target is None else target
        return 1.0 - abs(wanted - sentiment(run.output_text)) / 2

    return _simple(id, "Tone", "Consistency of tone", score, "The tones agree by {score:.2f}.")


# ---------------------------------------------------------------- quick checks


def includes(text: str, id: str = "includes", *, ignore_case: bool = True) -> Scorer:
    """1 when the output contains `text`."""
    wanted = text.lower() if ignore_case else text
    return _check(id, lambda run: wanted in (run.output_text.lower() if ignore_case else run.output_text))


def excludes(text: str, id: str = "excludes", *, ignore_case: bool = True) -> Scorer:
    """1 when the output does not contain `text`."""
    wanted = text.lower() if ignore_case else text
    return _check(id, lambda run: wanted not in (run.output_text.lower() if ignore_case else run.output_text))


def equals(expected: str | None = None, id: str = "equals") -> Scorer:
    """1 when the output is `expected` (or the ground truth), spaces at the ends aside."""
    return _check(id, lambda run: run.output_text.strip() == (_truth(run) if expected is None else expected).strip())


def matches(pattern: str, id: str = "matches") -> Scorer:
    """1 when the pattern is found in the output."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadDefinition(f"{pattern!r} is not a pattern: {error}.") from error
    return _check(id, lambda run: compiled.search(run.output_text) is not None)


def similarity(id: str = "similarity") -> Scorer:
    """Likeness of the output and the ground truth, between 0 and 1."""
    return _simple(
        id,
        "Similarity",
        "Likeness of output and ground truth",
        lambda run: dice(_truth(run).lower(), run.output_text.lower()),
        "The texts are alike by {score:.2f}.",
    )


def _check(id: str, holds: Callable[[ScorerRun], bool]) -> Scorer:
    return create_scorer(id).generate_score(lambda run: 1.0 if holds(run) else 0.0)


# ---------------------------------------------------------------- tools


def calls_in(output: Any) -> list[dict[str, Any]]:
    """The tool invocations in the answers of a run, in their order."""
    found: list[dict[str, Any]] = []
    if isinstance(output, Mapping):
        if output.get("type") == "tool-invocation":
            return [dict(output["toolInvocation"])]
        if output.get("type") == "tool-call":
            return [dict(output.get("payload", output))]
        for key in ("messages", "toolCalls", "content", "parts"):
            inner = output.get(key)
            if isinstance(inner, list | tuple | Mapping):
                found.extend(calls_in(inner))
                if found:
                    return found
    elif isinstance(output, list | tuple):
        for one in output:
            found.extend(calls_in(one))
    elif hasattr(output, "parts"):
        return calls_in(list(output.parts))
    elif hasattr(output, "tool_calls"):
        return [dict(call) for call in output.tool_calls]
    return found


def _names(run: ScorerRun) -> list[str]:
    return [str(call.get("toolName")) for call in calls_in(run.output)]


def called_tool(name: str, id: str = "called-tool", *, times: int | None = None) -> Scorer:
    """1 when the tool was called (exactly `times` times, when given)."""
    return _check(id, lambda run: name in _names(run) if times is None else _names(run).count(name) == times)


def did_not_call(name: str, id: str = "did-not-call") -> Scorer:
    """1 when the tool was not called."""
    return _check(id, lambda run: name not in _names(run))


def tool_order(names: Sequence[str], id: str = "tool-order") -> Scorer:
    """1 when the tools were called in this order; others may stand between them."""

    def holds(run: ScorerRun) -> bool:
        called = iter(_names(run))
        return all(name in called for name in names)

    return _check(id, holds)


def max_tool_calls(limit: int, id: str = "max-tool-calls") -> Scorer:
    """1 when no more than `limit` calls were made."""
    return _check(id, lambda run: len(_names(run)) <= limit)


def used_no_tools(id: str = "used-no-tools") -> Scorer:
    """1 when no tool was called."""
    return max_tool_calls(0, id)


def no_tool_errors(id: str = "no-tool-errors") -> Scorer:
    """1 when no call failed."""
    return _check(id, lambda run: not any(call.get("isError") for call in calls_in(run.output)))


def tool_call_accuracy(
    expected: str | None = None,
    id: str = "tool-call-accuracy",
    *,
    strict: bool = False,
    order: Sequence[str] | None = None,
) -> Scorer:
    """1 when the expected tool was called (alone, when strict), or exactly the expected tools in order."""
    if (expected is None) == (order is None):
        raise BadDefinition("tool_call_accuracy needs an expected tool or an order of tools.")

    def holds(run: ScorerRun) -> bool:
        called = _names(run)
        if order is not None:
            wanted = list(order)
            return called == wanted if strict else [name for name in called if name in wanted] == wanted
        return called == [expected] if strict else expected in called

    return _check(id, holds)


def trajectory(steps: Sequence[str], id: str = "trajectory", *, ordered: bool = True) -> Scorer:
    """The share of the expected tools that were called, in order (longest common subsequence) or in any order."""

    def score(run: ScorerRun) -> float:
        called = _names(run)
        if not steps:
            return 1.0
        if not ordered:
            left = list(called)
            hits = 0
            for step in steps:
                if step in left:
                    left.remove(step)
                    hits += 1
            return hits / len(steps)
        row = [0] * (len(called) + 1)
        for step in steps:
            diagonal = 0
            for at, name in enumerate(called, 1):
                above = row[at]
                row[at] = diagonal + 1 if step == name else max(row[at], row[at - 1])
                diagonal = above
        return row[-1] / len(steps)

    return _simple(id, "Trajectory", "Share of the expected tool calls", score, "The path agrees by {score:.2f}.")
