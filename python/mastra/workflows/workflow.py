"""Workflow: a finished definition that makes runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from mastra.errors import BadDefinition, InvalidInput, near_miss
from mastra.runtime.services import Services
from mastra.types.ids import check_id
from mastra.types.json import dumps
from mastra.types.schema import to_json
from mastra.workflows.builder import Builder
from mastra.workflows.graph import MapNode, NestedNode, StepNode, leaves, mermaid, serialise
from mastra.workflows.records import STATUSES
from mastra.workflows.run import Run
from mastra.workflows.runs import LocalRuns, StoredRuns
from mastra.workflows.step import check_callable

if TYPE_CHECKING:
    from mastra.workflows.changes import Migration
    from mastra.workflows.step import Step

In = TypeVar("In")
Cur = TypeVar("Cur")
Given = TypeVar("Given")


class Workflow(Builder[In, Cur]):
    """Steps in an order. Built once, immutable after `commit()`, carried any number of times at once."""

    @overload
    def __init__(self: Workflow[Given, Given], id: str, *, input: type[Given], **options: Any) -> None: ...
    @overload
    def __init__(self: Workflow[Any, Any], id: str, **options: Any) -> None: ...
    def __init__(
        self,
        id: str,
        *,
        durable: bool = True,
        versions: Sequence[Workflow[Any, Any]] = (),
        migrate: Callable[[Migration], Any] | None = None,
        schedule: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
        **options: Any,
    ) -> None:
        super().__init__(id, **options)
        # When it starts by itself: what `Schedules.create` takes without the workflow, or several, each with an `id`.
        self.schedules = (schedule,) if isinstance(schedule, Mapping) else tuple(schedule)
        if self.schedules:
            from mastra.workflows.schedules import declared  # noqa: PLC0415 - cron is for those who schedule

            declared(self.id, self.schedules)
        self.services = Services()
        # Without it runs stay in the process even when the application has a storage.
        self.is_durable = durable
        # Definitions that were deployed before, for the runs they began.
        self.versions = tuple(versions)
        if not all(getattr(one, "is_committed", False) for one in self.versions):
            raise BadDefinition(f"The versions of workflow {id!r} are committed workflows.")
        check_callable(migrate, f"migrate of workflow {id!r}")
        self.migrate = migrate
        self._runs: LocalRuns | StoredRuns | None = None

    def __repr__(self) -> str:
        return f"Workflow({self.id!r}, {len(self.nodes)} nodes)"

    def bind(self, services: Services) -> None:
        """Take the application's storage, clock, tracer and registered parts."""
        self.services = services
        self._runs = None
        if self.is_durable and services.storage is not None and self.is_committed:
            self._runs = StoredRuns(self)

    @property
    def compensating(self) -> list[Step[Any, Any]]:
        """The steps that can be undone."""
        return [step for step in self.all_steps().values() if step.compensate is not None]

    def clone(self, id: str) -> Workflow[In, Cur]:
        """The same steps under another id, open for more."""
        made = copy.copy(self)
        made.id = check_id(id, "workflow id")
        made.hash = ""
        made._runs = None  # noqa: SLF001 - the same class
        return made

    # ------------------------------------------------------------ runs

    @property
    def runs(self) -> LocalRuns | StoredRuns:
        """Where its runs are kept."""
        if self._runs is None:
            stored = self.is_durable and self.services.storage is not None
            self._runs = StoredRuns(self) if stored else LocalRuns(self)
        return self._runs

    async def create_run(
        self, run_id: str | None = None, *, resource: str | None = None, persist: bool = False
    ) -> Run[In, Cur]:
        """A run that is not started yet; with an id that is known, that run.

        `persist` writes it down at once, so that its id is known to every process before it starts.
        """
        if not self.is_committed:
            raise BadDefinition(f"Workflow {self.id!r} is not committed.", hint="Call .commit() at its end.")
        return await self.runs.create(run_id, resource, persist=persist)

    async def get_run(self, run_id: str) -> Run[In, Cur]:
        """A run by its id; `RunMissing` when there is none."""
        return await self.runs.get(run_id)

    async def list_runs(
        self,
        *,
        status: str | None = None,
        resource: str | None = None,
        page: int = 0,
        per_page: int = 100,
        from_date: Any = None,
        to_date: Any = None,
    ) -> dict[str, Any]:
        """Runs, newest first, as `{"runs": [...], "total": n}` of the wire."""
        numbers: tuple[Any, ...] = (page, per_page)
        if any(not isinstance(one, int) for one in numbers) or page < 0 or per_page < 1:
            raise InvalidInput("page is zero or more and per_page at least one.")
        if status is not None:
            _check_status(status)
        shown, total = await self.runs.page(status, resource, (from_date, to_date), page * per_page, per_page)
        return {"runs": shown, "total": total}

    async def count_runs(self, status: str) -> int:
        """How many runs stand like this."""
        _check_status(status)
        return await self.runs.count(status)

    async def delete_run(self, run_id: str) -> None:
        """Stop a run and forget all its records."""
        await self.runs.delete(run_id)

    async def send_event(self, run_id: str, name: str, data: Any = None) -> None:
        """Give a run an event; it is kept until the run takes it."""
        await self.runs.send(run_id, check_id(name, "event name"), data)

    async def take_over(self, row: dict[str, Any], *, at_once: bool = False) -> bool:
        """Carry on a stored run that nobody carries; for the worker."""
        return isinstance(self.runs, StoredRuns) and await self.runs.take_over(row, at_once=at_once)

    # ------------------------------------------------------------ descriptions

    def accept_state(self, state: Any) -> Any:
        """The initial state, checked; a required one that is missing is refused."""
        if self.state is None:
            return to_json(state) if state is not None else {}
        try:
            return self.state.dump(self.state.validate(to_json(state) if state is not None else {}))
        except InvalidInput as error:
            shown = "".join(f"\n- {issue['field']}: {issue['message']}" for issue in error.issues)
            raise InvalidInput(f"Invalid initial state: {shown}", issues=error.issues) from error

    def accept(self, value: Any) -> Any:
        """`value` as the workflow's input; `InvalidInput` that names what does not fit."""
        try:
            return super().accept(value)
        except InvalidInput as error:
            shown = "".join(f"\n- {issue['field']}: {issue['message']}" for issue in error.issues)
            raise InvalidInput(f"Invalid input data: {shown}", issues=error.issues) from error

    def graph(self) -> list[dict[str, Any]]:
        """The serialised step graph."""
        return serialise(self.nodes)

    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        return mermaid(self.nodes)

    def all_steps(self) -> dict[str, Step[Any, Any]]:
        """Every step by its wire id, those of nested workflows among them."""
        out: dict[str, Step[Any, Any]] = {}
        for leaf in leaves(self.nodes):
            if isinstance(leaf, StepNode | MapNode):
                out[leaf.id] = leaf.step
            elif isinstance(leaf, NestedNode):
                out |= {f"{leaf.id}.{name}": step for name, step in leaf.workflow.all_steps().items()}
        return out

    def describe(self, *, partial: bool = False) -> dict[str, Any]:
        """The workflow as the JSON of the wire; `partial` leaves the schemas out."""
        options = {"validateInputs": True, "emitStepEvents": True}
        out: dict[str, Any] = {"name": self.id}
        if self.description:
            out["description"] = self.description
        if partial:
            count = sum(isinstance(leaf, StepNode | NestedNode) for leaf in leaves(self.nodes))
            rest = {"options": options, "steps": {}, "allSteps": {}, "origin": "code"}
            return out | {"stepCount": count, "stepGraph": self.graph()} | rest
        out["origin"] = "code"
        out["steps"] = {
            leaf.id: _described(leaf) for leaf in leaves(self.nodes) if isinstance(leaf, StepNode | NestedNode)
        }
        out["allSteps"] = self._all_described("")
        out["stepGraph"] = self.graph()
        for name, schema in (("inputSchema", self.input), ("outputSchema", self.output), ("stateSchema", self.state)):
            if schema is not None:
                out[name] = wire_schema(schema.json_schema)
        return out | {"options": options, "isProcessorWorkflow": False}

    def _all_described(self, prefix: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for leaf in leaves(self.nodes):
            if isinstance(leaf, StepNode | NestedNode):
                out[prefix + leaf.id] = _described(leaf) | {"isWorkflow": isinstance(leaf, NestedNode)}
            if isinstance(leaf, NestedNode):
                out |= leaf.workflow._all_described(f"{prefix}{leaf.id}.")  # noqa: SLF001 - the same class
        return out


def _check_status(status: str) -> None:
    if status not in STATUSES:
        raise InvalidInput(
            f"No run stands as {status!r}.", hint=near_miss(str(status), STATUSES) or f"Use one of {sorted(STATUSES)}."
        )


def _described(leaf: StepNode | NestedNode) -> dict[str, Any]:
    if isinstance(leaf, NestedNode):
        inner = leaf.workflow
        known: Mapping[str, Any] = {"inputSchema": inner.input, "outputSchema": inner.output}
        schemas = {name: schema.json_schema for name, schema in known.items() if schema is not None}
        out: dict[str, Any] = {"id": leaf.id}
        if inner.description:
            out["description"] = inner.description
    else:
        schemas = leaf.step.schemas()
        out = {key: value for key, value in leaf.step.describe().items() if key != "canSuspend"}
    return out | {name: wire_schema(schema) for name, schema in schemas.items()}


def wire_schema(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as clients of the protocol expect it: text inside of text."""
    return dumps({"json": {"$schema": "http://json-schema.org/draft-07/schema#", **schema}})
