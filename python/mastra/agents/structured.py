"""Structured output: the answer as a typed value. Native, as a tool, or in words, by what the model can do."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from mastra.errors import BadDefinition, InvalidInput, OutputInvalid, StreamBroken, near_miss
from mastra.runtime.asking import output_mode
from mastra.types.chunks import Chunk
from mastra.types.growing import MISSING, Read, grower, whole_item
from mastra.types.json import dumps, loads
from mastra.types.model import Finish, ModelRequest, OutputSpec, TextDelta
from mastra.types.partial_json import PartialJson, snapshot
from mastra.types.prompt import AssistantMessage, PromptMessage, SystemMessage, TextPart, UserMessage
from mastra.types.schema import Schema

if TYPE_CHECKING:
    from mastra.agents.run import Run, Step
    from mastra.ports.model import ChatModel

log = logging.getLogger("mastra.agents")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL)
_MISSING: Any = object()
_STRATEGIES = ("strict", "warn", "fallback")
# How often the model is shown what is wrong with its answer before the strategy decides.
REPAIRS = 2
# What the tool is called by which models without native output give their answer.
OUTPUT_TOOL = "response"


class Structured:
    """The shape asked of one run, and how far its answer has come."""

    def __init__(
        self,
        schema: Schema,
        *,
        model: ChatModel | None = None,
        strategy: str = "strict",
        fallback: Any = _MISSING,
        instructions: str | None = None,
        inject: bool | str = False,
        use_agent: bool = False,
        provider_options: Mapping[str, Any] | None = None,
    ) -> None:
        if strategy not in _STRATEGIES:
            raise InvalidInput(f"There is no error strategy {strategy!r}.", hint=f"Use {', '.join(_STRATEGIES)}.")
        if strategy == "fallback" and fallback is _MISSING:
            raise InvalidInput("The error strategy 'fallback' needs a fallback_value.")
        self.schema = schema
        self.model = model
        self.strategy = strategy
        self.fallback = fallback
        self.asked = instructions
        self.inject = inject
        self.use_agent = use_agent
        self.provider_options = provider_options
        self.wrapper = _wrapper(schema.json_schema)
        self.json_schema = _wrapped(schema.json_schema, self.wrapper)
        # Whether the answer's shape may stand among the tools: no tool of the agent has its name.
        self.may_call = True
        self.instructions: str | None = None
        # The same, where it stands behind what the user said: the system prompt then is the same for every shape.
        self.reminder: str | None = None
        self.feedback: str | None = None
        self.repairs = 0
        self._parser = PartialJson()
        self._shown: Any = _MISSING
        self._accepted: tuple[str, Any] | None = None
        self._typed: Any = _MISSING
        self._grow: Read | None = None
        self._item: Read | None = None

    def prepare(self, model: ChatModel, *, has_tools: bool) -> None:
        """Decide how to ask, by what the model can do."""
        if self.model is not None:
            return  # what is asked is asked of the other model
        mode = self._mode(model, has_tools=has_tools)
        words = [self.asked] if self.asked else []
        if mode == "prompted":
            words.append(
                f"Answer with one JSON value and nothing else. It must fit this JSON Schema:\n{dumps(self.json_schema)}"
            )
        said = "\n\n".join(words) or None
        if self.inject == "inline":
            self.reminder = said
        else:
            self.instructions = said

    def _mode(self, model: ChatModel, *, has_tools: bool) -> Literal["native", "tool", "prompted"]:
        if self.inject not in (False, "auto"):
            return "prompted"
        return output_mode(model.profile, has_tools=has_tools, may_call=self.may_call)

    def spec_for(self, model: ChatModel, *, has_tools: bool) -> OutputSpec | None:
        """What the request says about the shape; None when another model will do the structuring."""
        if self.model is not None:
            return None
        return OutputSpec(self.json_schema, name=OUTPUT_TOOL, mode=self._mode(model, has_tools=has_tools))

    # ------------------------------------------------------------ while it is written

    def partial(self, text: str) -> Any:
        """The object so far after more text; None when nothing changed."""
        if self.model is not None or not self._parser.feed(text) or not self._parser.started:
            return None
        value = self._unwrap(self._parser.value)
        if value is _MISSING or not isinstance(value, dict | list) or value == self._shown:
            return None
        self._shown = snapshot(value)
        return self._shown

    def early(self, text: str) -> Any:
        """The whole object when `text` is one already; None when it is not."""
        self._parser = PartialJson()
        self._shown = _MISSING
        if self.model is not None:
            return None
        try:
            made = self.read(text)
        except InvalidInput:
            return None
        self._accepted = (text, made)
        return made

    def value(self, written: Any, *, whole: bool) -> tuple[bool, Any]:
        """For who reads the stream: the answer as the type that was asked for, as far as it is written."""
        if whole:
            return True, self.typed(written)
        if self._grow is None:
            self._grow = grower(self.schema)
        made = self._grow(written)
        return made is not MISSING, made

    def element(self, written: Any) -> tuple[bool, Any]:
        """For who reads the stream: one whole element of a list, typed."""
        if self._item is None:
            self._item = whole_item(self.schema)
        made = self._item(written)
        return made is not MISSING, made

    # ------------------------------------------------------------ when it is written

    def read(self, text: str) -> Any:
        """The JSON value in `text`, checked; `InvalidInput` says what is wrong."""
        try:
            value = loads(text)
        except ValueError:
            fenced = _FENCE.search(text)
            candidate = fenced[1] if fenced else text[text.find("{") : text.rfind("}") + 1]
            try:
                value = loads(candidate)
            except ValueError as error:
                raise InvalidInput("The answer is not JSON.") from error
        value = self._unwrap(value)
        if value is _MISSING:
            raise InvalidInput(f"The answer has no {self.wrapper!r}.")
        typed = self.schema.validate(value)
        self._typed = typed
        return self.schema.dump(typed)

    def _unwrap(self, value: Any) -> Any:
        if self.wrapper is None:
            return value
        return value.get(self.wrapper, _MISSING) if isinstance(value, dict) else _MISSING

    def typed(self, value: Any) -> Any:
        """The JSON value as the type that was asked for."""
        if value is None or self._typed is not _MISSING:
            return None if value is None else self._typed
        return self.schema.validate(value) if self.schema.issues(value) == [] else value

    async def finish(self, run: Run, step: Step) -> None:
        """Take the answer of the last step: an object, a question back to the model, or what the strategy says."""
        text = step.text
        try:
            if self.model is not None:
                text = await self._restructure(run, step)
            if self._accepted is not None and self._accepted[0] == text:
                made = self._accepted[1]
            else:
                made = self.read(text)
                self._push(run, made)
        except InvalidInput as error:
            self._failed(run, step, text, error)
            return
        run.object, run.object_set = made, True

    def _push(self, run: Run, made: Any) -> None:
        if run.push is not None:
            run.push(Chunk("object-result", made, run.run_id, path=run.path))

    def _failed(self, run: Run, step: Step, text: str, error: InvalidInput) -> None:
        problems = "; ".join(f"{issue['field']}: {issue['message']}" for issue in error.issues) or error.message
        more = len(run.steps) + run.carried < run.options.max_steps
        if self.model is None and self.repairs < REPAIRS and more and step.finish_reason == "stop":
            self.repairs += 1
            self.feedback = f"Your answer does not fit the required JSON Schema: {problems}. Answer again, JSON only."
            return
        if self.strategy == "strict":
            raise OutputInvalid(
                f"The answer does not fit the shape that was asked for: {problems}",
                run_id=run.run_id,
                hint="Look at details['text'], or use another error strategy.",
                details={"issues": error.issues, "text": text[:10_000]},
            ) from error
        log.warning("run %s: the answer does not fit its shape: %s", run.run_id, problems)
        if self.strategy == "fallback":
            run.object, run.object_set, run.used_fallback = self.fallback, True, True
            self._push(run, self.fallback)

    async def _restructure(self, run: Run, step: Step) -> str:
        """Let the structuring model write the object from what the answering model said."""
        assert self.model is not None
        run.budget.before_model()
        ask = self.asked or "Write what the text says as JSON of the required shape. Invent nothing."
        mode = self._mode(self.model, has_tools=False)
        if mode == "prompted":
            ask = f"{ask}\nJSON Schema:\n{dumps(self.json_schema)}"
        request = ModelRequest(
            messages=self._structuring_prompt(run, step, ask),
            output=OutputSpec(self.json_schema, mode=mode),
            provider_options=dict(self.provider_options or {}),
            deadline=run.budget.deadline,
        )
        said: list[str] = []
        finished = False
        async with aclosing(self.model.stream(request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    said.append(delta.text)
                elif isinstance(delta, Finish):
                    finished = True
                    cost = self.model.profile.cost_of(delta.usage)
                    run.usage = run.usage.plus(delta.usage)
                    run.cost += cost
                    run.budget.charge(delta.usage, cost)
        if not finished:
            raise StreamBroken("The structuring model's answer was cut off.", adapter=self.model.provider)
        return "".join(said)

    def _structuring_prompt(self, run: Run, step: Step, ask: str) -> tuple[PromptMessage, ...]:
        """The answer alone, or with `use_agent` the whole conversation that it ends."""
        if not self.use_agent:
            return SystemMessage(ask), UserMessage((TextPart(step.text),))
        return *run.prompt, AssistantMessage((TextPart(step.text),)), UserMessage((TextPart(ask),))


def _wrapper(schema: Mapping[str, Any]) -> str | None:
    """Providers want an object at the root: what an array or a plain value is put under."""
    if schema.get("type") == "object" or "$ref" in schema or "properties" in schema:
        return None
    return "elements" if schema.get("type") == "array" else "value"


def _wrapped(schema: dict[str, Any], wrapper: str | None) -> dict[str, Any]:
    if wrapper is None:
        return schema
    inner = {key: value for key, value in schema.items() if key not in ("$defs", "$schema")}
    out: dict[str, Any] = {
        "type": "object",
        "properties": {wrapper: inner},
        "required": [wrapper],
        "additionalProperties": False,
    }
    if "$defs" in schema:
        out["$defs"] = schema["$defs"]
    return out


_NAMES = {
    "errorStrategy": "error_strategy",
    "fallbackValue": "fallback_value",
    "jsonPromptInjection": "json_prompt_injection",
    "useAgent": "use_agent",
    "providerOptions": "provider_options",
}
_KNOWN = frozenset({"schema", "model", "instructions", *_NAMES.values()})
# Where a shape that is asked for in words stands: in the system prompt, behind the user, or nowhere if it need not.
_INJECTIONS = (None, False, True, "auto", "system", "inline")


def read_structured(run: Run) -> Structured:
    """The shape that the options of a run ask for."""
    options = run.options
    given = options.structured_output
    if given is None:
        made = Structured(Schema.of(options.output))
    elif options.output is not None:
        raise InvalidInput("output and structured_output both say a shape.", hint="Give one of them.")
    else:
        named = _read_fields(given)
        made = Structured(
            Schema.of(named["schema"]),
            model=_model(named.get("model")),
            strategy=named.get("error_strategy") or "strict",  # pyright: ignore[reportArgumentType]  # mypy reads it right
            fallback=named.get("fallback_value", _MISSING),
            instructions=named.get("instructions"),  # pyright: ignore[reportArgumentType]  # mypy reads it right
            inject=named.get("json_prompt_injection") or False,
            use_agent=bool(named.get("use_agent")),
            provider_options=named.get("provider_options"),
        )
    made.may_call = OUTPUT_TOOL not in run.plan.tools
    made.prepare(run.plan.model, has_tools=bool(run.plan.specs))
    return made


def _read_fields(given: Any) -> dict[str, Any]:
    """`structured_output` by its Python names; a schema may stand alone."""
    if not isinstance(given, Mapping):
        return {"schema": given}
    named: dict[str, Any] = {_NAMES.get(str(key), str(key)): value for key, value in given.items()}
    if "schema" not in given:
        if named and named.keys() <= _KNOWN - {"model", "instructions"}:
            raise InvalidInput("structured_output has no schema.", hint='Give {"schema": ..., "error_strategy": ...}.')
        return {"schema": given}
    unknown = named.keys() - _KNOWN
    if unknown:
        name = min(unknown)
        raise InvalidInput(f"structured_output has no field {name!r}.", hint=near_miss(name, _KNOWN))
    inject = named.get("json_prompt_injection")
    if inject not in _INJECTIONS:
        raise InvalidInput(
            f"json_prompt_injection cannot be {inject!r}.", hint="Use True, False, 'auto', 'system' or 'inline'."
        )
    if not isinstance(named.get("provider_options") or {}, Mapping):
        raise InvalidInput("structured_output['provider_options'] must be a mapping.")
    return named


def _model(given: Any) -> ChatModel | None:
    if given is None:
        return None
    from mastra.runtime.models import resolve_model  # noqa: PLC0415 - only with a separate model

    try:
        return resolve_model(given)
    except BadDefinition as error:
        raise InvalidInput(error.message, hint=error.hint) from error
