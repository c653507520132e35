"""What a step may use besides its input: state, suspension, writer, the run it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mastra.errors import Aborted, InvalidInput
from mastra.runtime.signals import Bail, Suspend
from mastra.types.schema import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mastra.runtime.request_context import RequestContext
    from mastra.runtime.services import Services
    from mastra.types.records import Operation
    from mastra.workflows.engine import Execution


class StepContext:
    """Handed to a step that asks for it (a parameter annotated `StepContext` or called `ctx`)."""

    __slots__ = (
        "_effects",
        "_execution",
        "_scope",
        "attempt",
        "input",
        "key",
        "resume_data",
        "step_id",
        "suspend_data",
    )  # fmt: skip

    def __init__(self, execution: Execution, step_id: str, key: str, scope: str, value: Any) -> None:
        self._execution = execution
        self._effects: list[Operation] | None = None
        self._scope = scope
        self.step_id = step_id
        # Names this step of this run, the same in every attempt and in every process.
        self.key = key
        self.input = value
        # 0 is the first try.
        self.attempt = 0
        # What the run was resumed with; None while the step has not been suspended.
        self.resume_data: Any = None
        # What the step gave to `suspend` before it was resumed.
        self.suspend_data: Any = None

    @property
    def execution(self) -> Execution:
        """The pass that runs the step; for other parts of the engine."""
        return self._execution

    @property
    def run_id(self) -> str:
        """The run."""
        return self._execution.run.run_id

    @property
    def workflow_id(self) -> str:
        """The workflow of the run."""
        return self._execution.run.workflow_id

    @property
    def resource_id(self) -> str | None:
        """Whom the run belongs to."""
        return self._execution.run.resource_id

    @property
    def idempotency_key(self) -> str:
        """To hand to services outside, so that they can tell a repetition: stable over attempts and recoveries."""
        run = self._execution.run
        epoch = f"~{run.epoch}" if run.epoch else ""
        return f"{run.workflow_id}/{run.run_id}/{self.key}{epoch}"

    @property
    def request_context(self) -> RequestContext:
        """What the caller handed through the run."""
        return self._execution.request_context

    @property
    def services(self) -> Services:
        """The application's parts."""
        return self._execution.services

    @property
    def state(self) -> Any:
        """The run's state, shared by its steps."""
        return self._execution.run.state

    def set_state(self, value: Mapping[str, Any] | Any) -> None:
        """Replace the state (a mapping is merged into one); it is stored with this step's result."""
        current = self._execution.run.state
        if isinstance(value, dict) and isinstance(current, dict):
            value = {**current, **value}
        self._execution.set_state(value)

    @property
    def init_data(self) -> Any:
        """What the run was started with."""
        return self._execution.scope_input(self._scope)

    def get_step_result(self, step: Any) -> Any:
        """The output of an earlier step (by step or id) of the same workflow; None when it has none."""
        name = step if isinstance(step, str) else step.id
        return self._execution.output_of(self._scope, name)

    def suspend(self, payload: Any = None, *, label: str | None = None) -> NoReturn:
        """Stop the run here until somebody resumes it; `resume_data` is there in the next call of the step."""
        raise Suspend(payload, label=label)

    def bail(self, result: Any = None) -> NoReturn:
        """End the workflow now, as a success with this result."""
        raise Bail(result)

    def abort(self, reason: str = "The step aborted the run.") -> NoReturn:
        """Stop the run as canceled."""
        raise Aborted(reason, run_id=self.run_id, step=self.step_id)

    @property
    def writer(self) -> StepWriter:
        """Writes data into the run's stream."""
        return StepWriter(self._execution, self.step_id)

    def write_with_result(self, *operations: Operation) -> None:
        """Storage operations that are committed together with this step's record: exactly once, or not at all."""
        if not self._execution.is_durable:
            raise InvalidInput("There is no journal to commit with.", hint="Give the workflow's application a storage.")
        if self._effects is None:
            self._effects = []
        self._effects.extend(operations)

    def effects_clear(self) -> None:
        """Forget the operations of a try that failed."""
        self._effects = None

    @property
    def effects(self) -> list[Operation] | None:
        """The operations that wait for the step's record."""
        return self._effects


class StepWriter:
    """The step's way into the stream of its run."""

    __slots__ = ("_execution", "_step")

    def __init__(self, execution: Execution, step: str) -> None:
        self._execution, self._step = execution, step

    async def write(self, data: Any) -> None:
        """Data of any JSON shape, as a `workflow-step-output` chunk."""
        self._execution.emit_output(self._step, to_json(data))

    def forward(self, chunk: Any) -> None:
        """The chunk of an agent inside the step."""
        self._execution.emit_output(self._step, chunk.to_wire())

    def count(self, result: Any) -> None:
        """Add the tokens that an agent inside the step used to those of the run."""
        usage = getattr(result, "total_usage", None)
        if usage is not None:
            self._execution.add_usage(to_json(usage))

    async def custom(self, chunk: Mapping[str, Any]) -> None:
        """A chunk of your own: `{"type": "data-...", "data": ...}`."""
        kind = chunk.get("type")
        if not isinstance(kind, str) or not kind.startswith("data-"):
            raise InvalidInput("A custom chunk has a type that begins with 'data-'.")
        self._execution.emit_custom(dict(chunk))
