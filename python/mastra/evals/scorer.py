"""Scorer: a pipeline that judges one run. preprocess, analyze, generate_score, generate_reason."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from mastra.errors import BadDefinition, InvalidInput, OutputInvalid
from mastra.evals.scores import ScoreRepo
from mastra.runtime.asking import ask_for
from mastra.runtime.models import resolve_model
from mastra.runtime.tracing import inside, span
from mastra.types.ids import check_id, new_id
from mastra.types.schema import Schema, to_json

if TYPE_CHECKING:
    from mastra.runtime.services import Services

log = logging.getLogger("mastra.evals")

StepFunction: TypeAlias = "Callable[[ScorerRun], Any]"


class NotScorable(Exception):
    """Raised by a step when the run has nothing to judge; no score is stored."""


@dataclass(slots=True)
class ScorerRun:
    """What the steps of a scorer see: the run, and what the steps before brought."""

    input: Any = None
    output: Any = None
    ground_truth: Any = None
    run_id: str = ""
    request_context: dict[str, Any] = field(default_factory=dict)
    additional_context: dict[str, Any] = field(default_factory=dict)
    preprocessed: Any = None
    analyzed: Any = None
    score: float | None = None

    @property
    def input_text(self) -> str:
        """What the user said."""
        return text_of(self.input)

    @property
    def output_text(self) -> str:
        """What was answered."""
        return text_of(self.output)


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """The outcome of one scoring."""

    run_id: str
    scorer_id: str
    score: float | None
    reason: str | None = None
    preprocessed: Any = None
    analyzed: Any = None
    prompts: dict[str, str] = field(default_factory=dict)
    not_scorable: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """The result as JSON with the wire's names."""
        out: dict[str, Any] = {"runId": self.run_id, "scorerId": self.scorer_id, "score": self.score}
        named = {
            "reason": self.reason,
            "preprocessStepResult": self.preprocessed,
            "analyzeStepResult": self.analyzed,
            "notScorable": self.not_scorable,
            "preprocessPrompt": self.prompts.get("preprocess"),
            "analyzePrompt": self.prompts.get("analyze"),
            "generateScorePrompt": self.prompts.get("generateScore"),
            "generateReasonPrompt": self.prompts.get("generateReason"),
        }
        out.update({key: to_json(value) for key, value in named.items() if value is not None})
        return out


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    function: StepFunction | None = None
    # A step that a judge carries out: what it is asked, and the shape of its answer.
    prompt: StepFunction | None = None
    schema: Schema | None = None


class Scorer:
    """A named judge. Made by `create_scorer`; each method returns a new scorer with one step more."""

    __slots__ = ("_services", "_steps", "description", "id", "judge", "judge_instructions", "name", "type")

    def __init__(
        self,
        id: str,
        *,
        name: str | None = None,
        description: str = "",
        judge: Any = None,
        judge_instructions: str = "",
        type: str = "agent",
        steps: tuple[_Step, ...] = (),
    ) -> None:
        self.id = check_id(id, "scorer id")
        self.name = name or id
        self.description = description
        self.judge = judge
        self.judge_instructions = judge_instructions
        self.type = type
        self._steps = steps
        self._services: Services | None = None

    def bind(self, services: Services) -> Scorer:
        """Use the storage of an application; called by `Mastra`."""
        self._services = services
        return self

    # ------------------------------------------------------------ declaring

    def preprocess(self, function: StepFunction | None = None, *, prompt: Any = None, output: Any = None) -> Scorer:
        """First: take from the run what is to be judged."""
        return self._with("preprocess", function, prompt, output)

    def analyze(self, function: StepFunction | None = None, *, prompt: Any = None, output: Any = None) -> Scorer:
        """Then: find what matters for the score."""
        return self._with("analyze", function, prompt, output)

    def generate_score(self, function: StepFunction | None = None, *, prompt: Any = None) -> Scorer:
        """The number. The only step a scorer must have."""
        return self._with("generateScore", function, prompt, {"score": float})

    def generate_reason(self, function: StepFunction | None = None, *, prompt: Any = None) -> Scorer:
        """Why, in words."""
        return self._with("generateReason", function, prompt, {"reason": str})

    def _with(self, name: str, function: StepFunction | None, prompt: Any, output: Any) -> Scorer:
        if (function is None) == (prompt is None):
            raise BadDefinition(f"The step {name} of scorer {self.id!r} needs a function or a prompt, not both.")
        if any(step.name == name for step in self._steps):
            raise BadDefinition(f"Scorer {self.id!r} has two steps {name}.")
        asked = (lambda _run, text=prompt: text) if isinstance(prompt, str) else prompt
        schema = None if prompt is None else Schema.of(output if output is not None else {"result": str})
        step = _Step(name, function, asked, schema)
        made = Scorer(
            self.id,
            name=self.name,
            description=self.description,
            judge=self.judge,
            judge_instructions=self.judge_instructions,
            type=self.type,
            steps=(*self._steps, step),
        )
        made._services = self._services
        return made

    # ------------------------------------------------------------ scoring

    async def run(
        self,
        *,
        input: Any = None,
        output: Any = None,
        ground_truth: Any = None,
        run_id: str | None = None,
        request_context: Mapping[str, Any] | None = None,
        additional_context: Mapping[str, Any] | None = None,
    ) -> ScoreResult:
        """Judge one run. Nothing is stored."""
        run = ScorerRun(
            input, output, ground_truth, run_id or new_id(), dict(request_context or {}), dict(additional_context or {})
        )
        return await self._traced(run, self._services)

    async def _traced(self, run: ScorerRun, services: Services | None) -> ScoreResult:
        tracer = None if services is None else services.tracer
        name, who = f"scorer run: '{self.id}'", {"entity_id": self.id, "entity_name": self.name}
        with span(tracer, name, "scorer_run", entity_type="scorer", run_id=run.run_id, **who) as told:
            result = await self._judge(run)
            # The number only: a reason may quote what the tracing options of the run hide.
            told.set(score=result.score)
            return result

    async def _judge(self, run: ScorerRun) -> ScoreResult:
        if not any(step.name == "generateScore" for step in self._steps):
            raise BadDefinition(f"Scorer {self.id!r} has no generate_score.")
        prompts: dict[str, str] = {}
        reason: str | None = None
        try:
            for step in self._steps:
                with inside(f"scorer step: '{step.name}'", "scorer_step"):
                    made = await self._carry(step, run, prompts)
                if step.name == "preprocess":
                    run.preprocessed = made
                elif step.name == "analyze":
                    run.analyzed = made
                elif step.name == "generateScore":
                    run.score = _number(made, self.id)
                else:
                    reason = str(made)
        except NotScorable as why:
            return ScoreResult(run.run_id, self.id, None, None, not_scorable=str(why) or "nothing to judge")
        return ScoreResult(run.run_id, self.id, run.score, reason, run.preprocessed, run.analyzed, prompts)

    async def _carry(self, step: _Step, run: ScorerRun, prompts: dict[str, str]) -> Any:
        if step.function is not None:
            made = step.function(run)
            return await made if inspect.isawaitable(made) else made
        assert step.prompt is not None
        assert step.schema is not None
        text = step.prompt(run)
        text = str(await text if inspect.isawaitable(text) else text)
        prompts[step.name] = text
        answer = await self._ask(text, step.schema)
        if step.name == "generateScore":
            return answer["score"]
        return answer["reason"] if step.name == "generateReason" else answer

    async def _ask(self, text: str, schema: Schema) -> Any:
        if self.judge is None:
            raise BadDefinition(f"Scorer {self.id!r} asks a judge and has none.", hint="Give create_scorer a judge.")
        try:
            answer = await ask_for(resolve_model(self.judge), schema, self.judge_instructions, text)
        except OutputInvalid as error:
            raise OutputInvalid(
                f"The judge of scorer {self.id!r} did not answer in the shape that was asked for.",
                details=error.details,
            ) from error
        return answer.value

    async def score_run(
        self,
        *,
        input: Any,
        output: Any,
        run_id: str,
        entity: Mapping[str, Any],
        entity_type: str,
        source: str = "LIVE",
        thread_id: str | None = None,
        resource_id: str | None = None,
        trace_id: str | None = None,
        span_id: str | None = None,
        ground_truth: Any = None,
        request_context: Mapping[str, Any] | None = None,
        services: Services | None = None,
    ) -> dict[str, Any] | None:
        """Judge a run and store the score; None when there was nothing to judge. Called for live scoring."""
        services = services or self._services
        run = ScorerRun(input, output, ground_truth, run_id, dict(request_context or {}))
        result = await self._traced(run, services)
        if result.not_scorable is not None:
            return None
        row = {
            **result.to_wire(),
            "scorer": {"id": self.id, "name": self.name, "description": self.description},
            "input": to_json(input),
            "output": to_json(output),
            "entity": dict(entity),
            "entityId": entity.get("id"),
            "entityType": entity_type,
            "source": source,
        }
        optional = {
            "threadId": thread_id,
            "resourceId": resource_id,
            "traceId": trace_id,
            "spanId": span_id,
            "requestContext": dict(request_context) if request_context else None,
        }
        row.update({key: value for key, value in optional.items() if value is not None})
        if services is None or services.storage is None:
            return row
        return await ScoreRepo(services.storage, services).save(row)

    def to_wire(self) -> dict[str, Any]:
        """The scorer as the HTTP protocol describes it."""
        return {
            "config": {"id": self.id, "name": self.name, "description": self.description},
            "steps": [{"name": step.name, "isPromptObject": step.prompt is not None} for step in self._steps],
            "originalPromptObjects": {},
            "source": "code",
        }

    def __repr__(self) -> str:
        return f"Scorer({self.id!r})"


def create_scorer(
    id: str,
    *,
    name: str | None = None,
    description: str = "",
    judge: Any = None,
    judge_instructions: str = "",
    type: str = "agent",
) -> Scorer:
    """A scorer without steps yet.

    ```
    brief = create_scorer("brief").generate_score(lambda run: 1.0 if len(run.output_text) < 200 else 0.0)
    ```
    """
    return Scorer(id, name=name, description=description, judge=judge, judge_instructions=judge_instructions, type=type)


def _number(value: Any, scorer: str) -> float:
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    if isinstance(value, int | float) and value == value:  # noqa: PLR0124 - NaN is not itself
        return value
    raise InvalidInput(f"The score of {scorer!r} is {value!r}, which is no number.")


def text_of(value: Any) -> str:
    """The text in whatever a run took or gave: a text, messages, or an object with messages."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        if "inputMessages" in value:
            return text_of(value["inputMessages"])
        if isinstance(value.get("text"), str):
            return str(value["text"])
        if "parts" in value:
            return text_of(value["parts"])
        if "content" in value:
            return text_of(value["content"])
        return ""
    if isinstance(value, list | tuple):
        return "\n".join(text for one in value if (text := text_of(one)))
    return text_of(getattr(value, "parts", None))
