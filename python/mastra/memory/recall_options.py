"""What one run may ask of its memory: how many messages, and which semantic recall. Checked before the run begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from mastra.errors import BadDefinition, InvalidInput, near_miss
from mastra.memory.options import MAX_LAST_MESSAGES, SemanticRecall

# What a run may ask, by its name in Python and on the wire.
_NAMES = {"lastMessages": "last_messages", "semanticRecall": "semantic_recall"}
_SEMANTIC = {"topK": "top_k", "messageRange": "message_range", "scope": "scope", "threshold": "threshold",
             "filter": "filter"}  # fmt: skip
# A run comes from outside more often than a definition does: it may not ask for everything there is.
MAX_ASKED = 100


Asked: TypeAlias = Mapping[str, Any] | bool | None


def read_recall_options(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments of `Memory.recall` that these options stand for; `InvalidInput` names the one that is wrong."""
    options = _renamed(given or {}, _NAMES, "memory option")
    if "last_messages" in options:
        _check_count(options["last_messages"])
    if "semantic_recall" in options:
        options["semantic_recall"] = _semantic(options["semantic_recall"])
    return options


def chosen_recall(configured: SemanticRecall | None, asked: Asked) -> SemanticRecall | None:
    """The semantic recall of a run: the memory's own, with what the run asks for in its place; None for none."""
    if asked is False:
        return None
    if configured is None and asked is not None:
        raise InvalidInput("This memory has no semantic recall.", hint="Use Memory(semantic_recall=True).")
    if configured is None or asked is None or asked is True:
        return configured
    return replace(configured, **asked)


def _renamed(given: Mapping[str, Any], names: Mapping[str, str], what: str) -> dict[str, Any]:
    known = {*names.values()}
    out: dict[str, Any] = {}
    for key, value in given.items():
        name = key if key in known else names.get(key)
        if name is None:
            hint = near_miss(str(key), known) or f"A run may ask for: {', '.join(sorted(known))}."
            raise InvalidInput(f"There is no {what} {key!r}.", hint=hint)
        if value is not None:
            out[name] = value
    return out


def _check_count(count: Any) -> None:
    if count is not False and (type(count) is not int or not 0 <= count <= MAX_LAST_MESSAGES):
        raise InvalidInput(f"last_messages is between 0 and {MAX_LAST_MESSAGES:,}, or False for none.")


def _semantic(asked: Any) -> dict[str, Any] | bool:
    if isinstance(asked, bool):
        return asked
    if isinstance(asked, SemanticRecall):
        return {name: getattr(asked, name) for name in _SEMANTIC.values()}
    if not isinstance(asked, Mapping):
        raise InvalidInput(f"semantic_recall cannot be a {type(asked).__name__}.", hint='Use a bool or {"top_k": 4}.')
    options = _renamed(asked, _SEMANTIC, "option of semantic recall")
    around = options.get("message_range")
    if isinstance(around, Mapping):
        options["message_range"] = around = (around.get("before", 0), around.get("after", 0))
    counts = [options.get("top_k", 1), *(around if isinstance(around, list | tuple) else [around or 0])]
    threshold = options.get("threshold", 0)
    fits = all(type(count) is int and 0 <= count <= MAX_ASKED for count in counts) and len(counts) <= 3
    if not fits or not isinstance(threshold, int | float) or not isinstance(options.get("filter", {}), Mapping):
        raise InvalidInput(
            f"Semantic recall takes whole numbers up to {MAX_ASKED} for top_k and message_range, a number for threshold"
            " and an object for filter."
        )
    if isinstance(around, list):
        options["message_range"] = tuple(around)
    try:
        SemanticRecall(**options)
    except (BadDefinition, TypeError, ValueError) as error:
        raise InvalidInput(str(error)) from error
    return options
