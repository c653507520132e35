"""Processors that keep a run in its bounds: tokens, tools, money, chunks, cached answers, found tools."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from mastra.agents.digests import digest
from mastra.agents.processors.processor import Processor, ProcessorContext
from mastra.errors import BadDefinition, ModelError, StreamBroken
from mastra.native.tokens import estimate_tokens
from mastra.tools.tool import Tool
from mastra.types.message_prompt import to_prompt
from mastra.types.prompt import (
    AssistantMessage,
    PromptMessage,
    SystemMessage,
    TextPart,
    ToolCallPart,
    ToolMessage,
    ToolResultPart,
    UserMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mastra.agents.run import Run, Step
    from mastra.runtime.limits import Budget
    from mastra.types.chunks import Chunk
    from mastra.types.model import ToolSpec


def message_tokens(message: PromptMessage, count: Callable[[str], int] = estimate_tokens) -> int:
    """The tokens of one message of a prompt."""
    if isinstance(message, SystemMessage):
        return count(message.text) + 4
    total = 4
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            total += count(part.name) + count(str(part.arguments)) + 8
        elif isinstance(part, ToolResultPart):
            total += count(str(part.output)) + 8
        else:
            text = getattr(part, "text", None)
            total += count(text) if isinstance(text, str) else 1000
    return total


def trim(
    messages: list[PromptMessage],
    budget: int,
    count: Callable[[str], int] = estimate_tokens,
    pinned: list[PromptMessage] | None = None,
) -> list[PromptMessage]:
    """The pinned rounds and the newest that fit beside them, system messages kept.

    A call and its results stay or go together, and what is pinned stays with what it answers.
    """
    system = [message for message in messages if isinstance(message, SystemMessage)]
    left = budget - sum(message_tokens(message, count) for message in system)
    groups: list[list[PromptMessage]] = []
    for message in messages:
        if isinstance(message, SystemMessage):
            continue
        if isinstance(message, ToolMessage) and groups:
            groups[-1].append(message)
        else:
            groups.append([message])
    sizes = [sum(message_tokens(message, count) for message in group) for group in groups]
    kept = _pinned_groups(groups, pinned) if pinned else set()
    left -= sum(sizes[index] for index in kept)
    begin = len(groups)
    for index in range(len(groups) - 1, -1, -1):
        if index not in kept:
            if begin < len(groups) and sizes[index] > left:
                break
            left -= sizes[index]
        begin = index
    # A history begins with the user.
    recent = range(begin, len(groups))
    first = next((index for index in recent if isinstance(groups[index][0], UserMessage)), begin)
    return [*system, *(message for index in sorted({*kept, *range(first, len(groups))}) for message in groups[index])]


def _pinned_groups(groups: list[list[PromptMessage]], pinned: list[PromptMessage]) -> set[int]:
    """Where the pinned messages stand, each with everything since what the user said before it."""
    kept: set[int] = set()
    for index, group in enumerate(groups):
        if not any(message in pinned for message in group):
            continue
        begin = index
        while begin and not isinstance(groups[begin][0], UserMessage):
            begin -= 1
        kept.update(range(begin, index + 1))
    return kept


class TokenLimiter(Processor):
    """Keeps the prompt under a number of tokens by leaving out the oldest rounds, and the answer too when asked."""

    id = "token-limiter"

    def __init__(
        self,
        limit: int,
        *,
        output_limit: int | None = None,
        strategy: Literal["truncate", "block"] = "truncate",
        count: Callable[[str], int] = estimate_tokens,
    ) -> None:
        super().__init__()
        if limit < 1:
            raise BadDefinition("The limit of a token limiter must be at least 1.")
        self._limit = limit
        self._output_limit = output_limit
        self._strategy = strategy
        self._count = count

    async def process_input_step(self, run: Run, number: int, context: ProcessorContext) -> None:
        """Trim the prompt before every call, tools included."""
        del number, context
        tools = sum(self._count(str(spec.parameters)) + self._count(spec.description) for spec in run.plan.specs)
        kept = run.state.get("pinned")
        pinned = None if kept is None else to_prompt(kept["messages"])
        run.prompt = trim(run.prompt, self._limit - tools, self._count, pinned)

    async def process_output_stream(self, chunk: Chunk, context: ProcessorContext) -> Chunk | list[Chunk] | None:
        """Stop sending text once the answer is long enough."""
        if self._output_limit is None or chunk.type != "text-delta":
            return chunk
        used = context.state.get("used", 0) + self._count(chunk.payload["text"])
        context.state["used"] = used
        if used <= self._output_limit:
            return chunk
        if self._strategy == "block":
            context.abort(f"The answer is longer than {self._output_limit} tokens.")
        return None


class ToolCallFilter(Processor):
    """Takes tool calls and their results out of the history: all, or those of some tools."""

    id = "tool-call-filter"

    def __init__(self, exclude: Iterable[str] | None = None) -> None:
        super().__init__()
        self._exclude = None if exclude is None else frozenset(exclude)

    def _drops(self, name: str) -> bool:
        return self._exclude is None or name in self._exclude

    async def process_input_step(self, run: Run, number: int, context: ProcessorContext) -> None:
        """Only the history: calls of this run must stay, or the model would repeat them."""
        del context
        if number:
            return
        out: list[PromptMessage] = []
        for message in run.prompt:
            if isinstance(message, AssistantMessage):
                said = tuple(
                    part for part in message.parts if not (isinstance(part, ToolCallPart) and self._drops(part.name))
                )
                if said:
                    out.append(AssistantMessage(said, message.provider_options))
            elif isinstance(message, ToolMessage):
                heard = tuple(part for part in message.parts if not self._drops(part.name))
                if heard:
                    out.append(ToolMessage(heard, message.provider_options))
            else:
                out.append(message)
        run.prompt = out


class CostGuard(Processor):
    """Stops before a call when the run, or everybody through this guard within a window, has spent too much."""

    id = "cost-guard"

    def __init__(
        self, *, run_cost: float | None = None, window_cost: float | None = None, window_s: float = 3600
    ) -> None:
        super().__init__()
        if run_cost is None and window_cost is None:
            raise BadDefinition("A cost guard needs run_cost or window_cost.")
        self._run_cost = run_cost
        self._window_cost = window_cost
        self._window_s = window_s
        # When each budget was last at work, and what it had spent when it was first seen; sub-agents share one.
        self._seen: dict[int, tuple[float, Budget, float]] = {}

    async def process_input_step(self, run: Run, number: int, context: ProcessorContext) -> None:
        """Look at what was spent so far."""
        del number
        now, budget = time.monotonic(), run.budget
        before = self._seen[id(budget)][2] if id(budget) in self._seen else budget.cost
        self._seen[id(budget)] = (now, budget, before)
        self._seen = {key: one for key, one in self._seen.items() if one[0] > now - self._window_s}
        if self._run_cost is not None and run.budget.cost >= self._run_cost:
            context.abort(f"The run has cost {run.budget.cost:.4f} of {self._run_cost} dollars.")
        total = sum(budget.cost - before for _, budget, before in self._seen.values())
        if self._window_cost is not None and total >= self._window_cost:
            context.abort(f"{total:.4f} of {self._window_cost} dollars are spent for now.")


class BatchParts(Processor):
    """Sends text in larger pieces: at least `size` characters, or up to the end of a sentence."""

    id = "batch-parts"

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self._size = size

    async def process_output_stream(self, chunk: Chunk, context: ProcessorContext) -> Chunk | list[Chunk] | None:
        """Hold text back until there is enough of it."""
        if chunk.type == "text-delta":
            text = context.state.pop("text", "") + chunk.payload["text"]
            if len(text) >= self._size or text.rstrip().endswith((".", "!", "?", ":")):
                return chunk._replace(payload={**chunk.payload, "text": text})
            context.state["text"] = text
            return None
        held = context.state.pop("text", "")
        if not held:
            return chunk
        name = chunk.payload.get("id", "")
        return [chunk._replace(type="text-delta", payload={"id": name, "text": held}), chunk]


# What the tool is called that finds others.
FINDER = "search_tools"


class ToolSearch(Processor):
    """For hundreds of tools: the model sees those that fit what is said, and a tool to find others.

    Matching is by words of names and descriptions, weighed by how rare they are.
    """

    id = "tool-search"

    def __init__(self, *, top: int = 8, always: Iterable[str] = ()) -> None:
        super().__init__()
        self._top = top
        self._always = frozenset(always)

    async def process_input_step(self, run: Run, number: int, context: ProcessorContext) -> None:
        """Choose the tools for this call."""
        if number == 0:
            context.state["specs"] = run.plan.specs
        specs = context.state.get("specs", run.plan.specs)
        if len(specs) <= self._top:
            return
        if "finder" not in context.state:
            context.state["found"] = set()
            context.state["finder"] = self._finder(specs, context.state["found"])
        finder: Tool = context.state["finder"]
        said = " ".join(
            part.text for message in run.prompt if isinstance(message, UserMessage) for part in message.parts
            if isinstance(part, TextPart)
        )  # fmt: skip
        ranked = rank(said, [(spec.name, f"{spec.name} {spec.description}") for spec in specs])
        used = {call.name for step in run.steps for call in step.calls}
        chosen = {*ranked[: self._top], *self._always, *used, *context.state["found"]}
        tools = run.plan.tools
        if finder.name not in tools:
            tools = {**tools, finder.name: finder}
        shown = [spec for spec in specs if spec.name in chosen]
        run.plan = run.plan._replace(tools=tools, specs=(*shown, tools[finder.name].spec))

    def _finder(self, specs: Sequence[ToolSpec], found: set[str]) -> Tool:
        """The tool by which the model finds tools; what it has found can be called from the next step on."""
        documents = [(spec.name, f"{spec.name} {spec.description}") for spec in specs]
        said = {spec.name: spec.description for spec in specs}

        async def find(arguments: dict[str, Any]) -> list[dict[str, str]]:
            words = set(_terms(arguments["query"]))
            names = rank(arguments["query"], [one for one in documents if words & set(_terms(one[1]))])[: self._top]
            found.update(names)
            return [{"name": name, "description": said[name]} for name in names]

        return Tool(
            FINDER,
            description="Find more tools by what they do. The tools that are found can be called afterwards.",
            input={"query": str},
            execute=find,
        )


def rank(query: str, documents: list[tuple[str, str]]) -> list[str]:
    """The names of the documents, best first, by shared words weighed by their rarity."""
    texts = {name: set(_terms(text)) for name, text in documents}
    wanted = set(_terms(query))
    found = {term: sum(term in words for words in texts.values()) for term in wanted}
    scores = {name: sum(1.0 / found[term] for term in wanted & words if found[term]) for name, words in texts.items()}
    return sorted(texts, key=lambda name: -scores[name])


def _terms(text: str) -> list[str]:
    spread = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") else word for word in re.findall(r"[a-z0-9]+", spread.lower())
    ]


class ResponseCache(Processor):
    """Answers the same question with the same answer for a while, without asking the model again."""

    id = "response-cache"

    def __init__(
        self, *, ttl_s: float = 300.0, max_entries: int = 1000, scope: Callable[[Run], str] | None = None
    ) -> None:
        super().__init__()
        self._ttl = ttl_s
        self._max = max_entries
        # Whose answers may be shared; by default nobody's with anybody else.
        self._scope = scope or (lambda run: f"{run.resource_id}")
        self._entries: dict[str, tuple[float, str]] = {}

    def key(self, run: Run) -> str:
        """What must be equal for an answer to be the same."""
        model, options, shape = run.plan.model, run.options, run.structured
        asked = [model.provider, model.model_id, self._scope(run), *map(repr, run.prompt), *map(repr, run.plan.specs)]
        how = (run.tool_choice, options.model_settings, options.provider_options, shape and shape.json_schema)
        return digest([*asked, repr(how)])

    async def process_input_step(self, run: Run, number: int, context: ProcessorContext) -> None:
        """Put a stand-in before the model when the answer is known."""
        if number:
            return
        key = self.key(run)
        context.state["key"] = key
        entry = self._entries.get(key)
        if entry is not None and entry[0] > time.monotonic():
            from mastra.agents.processors.canned import CannedModel  # noqa: PLC0415 - only for hits

            first = run.plan.models[0]
            run.plan = run.plan._replace(models=(first._replace(model=CannedModel(first.model, entry[1])),))
            context.state["hit"] = True

    async def process_output_step(self, step: Step, context: ProcessorContext) -> None:
        """Keep an answer that is final and called nothing."""
        key = context.state.get("key")
        if key is None or context.state.get("hit") or step.number or step.calls or step.finish_reason != "stop":
            return
        if len(self._entries) >= self._max:
            self._entries.pop(next(iter(self._entries)))
        self._entries[key] = (time.monotonic() + self._ttl, step.text)


class StreamErrorRetry(Processor):
    """Tries a step again when the model failed in a way that may pass, before anything of the answer was kept."""

    id = "stream-error-retry"

    def __init__(self, retries: int = 1) -> None:
        super().__init__()
        self._retries = retries

    async def process_error(self, error: Exception, context: ProcessorContext) -> bool:
        """Again, when it may help."""
        done = context.state.get("retries", 0)
        if done >= self._retries or not isinstance(error, ModelError):
            return False
        if not (error.retryable or isinstance(error, StreamBroken)):
            return False
        context.state["retries"] = done + 1
        return True
