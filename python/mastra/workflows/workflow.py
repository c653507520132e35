"""Workflow: a finished definition that makes runs."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mastra.errors import BadDefinition, InvalidInput, RunMissing
from mastra.runtime.services import Services
from mastra.types.ids import check_id, new_id
from mastra.types.json import dumps
from mastra.types.schema import to_json
from mastra.workflows.builder import Builder
from mastra.workflows.graph import MapNode, NestedNode, StepNode, leaves, mermaid, serialise
from mastra.workflows.records import FINAL, RunState
from mastra.workflows.run import Run

if TYPE_CHECKING:
    from mastra.workflows.step import Step

In = TypeVar("In")
Cur = TypeVar("Cur")

# Finished runs without storage are forgotten, oldest first, beyond this many.
KEPT_RUNS = 1_000


class Workflow(Builder[In, Cur]):
    """Steps in an order. Built once, immutable after `commit()`, carried any number of times at once."""

    def __init__(self, id: str, **options: Any) -> None:
        super().__init__(id, **options)
        self.services = Services()
        self._runs: OrderedDict[str, Run[Any, Any]] = OrderedDict()

    def __repr__(self) -> str:
        return f"Workflow({self.id!r}, {len(self.nodes)} nodes)"

    def bind(self, services: Services) -> None:
        """Take the application's storage, clock, tracer and registered parts."""
        self.services = services

    @property
    def compensating(self) -> list[Step[Any, Any]]:
        """The steps that can be undone."""
        return [step for step in self.all_steps().values() if step.compensate is not None]

    def clone(self, id: str) -> Workflow[In, Cur]:
        """The same steps under another id, open for more."""
        made = copy.copy(self)
        made.id = check_id(id, "workflow id")
        made.hash = ""
        made._runs = OrderedDict()  # noqa: SLF001 - the same class
        return made

    # ------------------------------------------------------------ runs

    async def create_run(self, run_id: str | None = None, *, resource: str | None = None) -> Run[In, Cur]:
        """A run that is not started yet; with an id that is known, that run."""
        if not self.is_committed:
            raise BadDefinition(f"Workflow {self.id!r} is not committed.", hint="Call .commit() at its end.")
        if run_id is None:
            run_id = new_id()
        else:
            check_id(run_id, "run id")
            known = self._runs.get(run_id)
            if known is not None:
                return known
        clock = self.services.clock
        run = Run(self, RunState(self.id, run_id, resource, self.hash, int(clock.now().timestamp() * 1000)))
        self._keep(run)
        return run

    def _keep(self, run: Run[Any, Any]) -> None:
        self._runs[run.run_id] = run
        if len(self._runs) > KEPT_RUNS:
            for name, one in self._runs.items():
                if one.status in FINAL or one.status == "pending":
                    del self._runs[name]
                    return

    async def get_run(self, run_id: str) -> Run[In, Cur]:
        """A run by its id; `RunMissing` when there is none."""
        run = self._runs.get(run_id)
        if run is None:
            raise RunMissing(f"Workflow run {run_id!r} not found.", run_id=run_id)
        return run

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
        if page < 0 or per_page < 1:
            raise InvalidInput("page is zero or more and per_page at least one.")
        from mastra.workflows.snapshots import list_entry, matches_dates  # noqa: PLC0415 - only readers need it

        found = [
            one for one in reversed(self._runs.values())
            if (status is None or one.status == status)
            and (resource is None or one.state.resource_id == resource)
            and matches_dates(one.state, from_date, to_date)
        ]  # fmt: skip
        shown = found[page * per_page : (page + 1) * per_page]
        return {"runs": [list_entry(one.state, self) for one in shown], "total": len(found)}

    async def count_runs(self, status: str) -> int:
        """How many runs stand like this."""
        return sum(one.status == status for one in self._runs.values())

    async def delete_run(self, run_id: str) -> None:
        """Forget a run and all its records."""
        run = await self.get_run(run_id)
        await run.cancel()
        self._runs.pop(run_id, None)

    async def send_event(self, run_id: str, name: str, data: Any = None) -> None:
        """Give a run an event; it is kept until the run takes it."""
        check_id(name, "event name")
        run = await self.get_run(run_id)
        if run.status in FINAL:
            raise InvalidInput(f"Run {run_id!r} has ended as {run.status}; it takes no events.")
        await run.inbox.put(name, to_json(data))

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
