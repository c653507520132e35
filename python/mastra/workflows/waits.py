"""Sleeps and waits for events: recorded before they begin, so that a recovered run waits for the same moment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput, StepFailed
from mastra.types.schema import to_json
from mastra.types.times import from_wire
from mastra.workflows.chunks import brief
from mastra.workflows.graph import EventNode, SleepNode
from mastra.workflows.records import StepRecord

if TYPE_CHECKING:
    from mastra.workflows.engine import Execution
    from mastra.workflows.records import Scope


async def run_sleep(execution: Execution, node: SleepNode, value: Any, scope: Scope) -> Any:
    """Wait; the value flows on as it came."""
    run, key = execution.run, f"{scope.prefix}{node.id}"
    record = run.records.get(key)
    if record is not None and record.status == "success":
        return value
    if record is None or record.wake_at is None:
        record = StepRecord(f"{scope.wire}{node.id}", key, value, execution.now())
        record.status = "waiting"
        record.in_path = scope.is_root
        record.wake_at = await _wake_at(execution, node, value, scope)
        run.add(record)
        if scope.is_root:
            run.path.append(record.id)
        await execution.waits(record)
        execution.emit("workflow-step-waiting", brief(record) | {
            "payload": to_json(value), "startedAt": record.started_at, "status": "waiting"
        })  # fmt: skip
    record.payload = value
    await execution.sleep_until(record)
    record.status = "success"
    record.output = value
    await _waited(execution, record)
    return value


async def _waited(execution: Execution, record: StepRecord) -> None:
    record.ended_at = execution.now()
    await execution.wakes(record)
    execution.emit("workflow-step-result", brief(record) | {
        "endedAt": record.ended_at, "status": "success",
        "output": to_json(record.output),
    })  # fmt: skip


async def _wake_at(execution: Execution, node: SleepNode, value: Any, scope: Scope) -> int:
    if node.until is not None:
        return round(from_wire(node.until).timestamp() * 1000)
    if node.compute is None:
        return execution.now() + round((node.seconds or 0) * 1000)
    made = await execution.call(node.compute, value, scope, node.id)
    if node.is_moment:
        if not isinstance(made, datetime):
            raise InvalidInput(f"{node.id}: sleep_until needs a datetime, not a {type(made).__name__}.")
        return round(from_wire(made).timestamp() * 1000)
    if isinstance(made, bool) or not isinstance(made, int | float) or made < 0:
        raise InvalidInput(f"{node.id}: sleep needs seconds of zero or more, not {made!r}.")
    return execution.now() + round(made * 1000)


async def run_event(execution: Execution, node: EventNode, value: Any, scope: Scope) -> Any:
    """Wait for the event; its data flows on."""
    run, key = execution.run, f"{scope.prefix}{node.id}"
    record = run.records.get(key)
    if record is not None and record.status == "success":
        return record.output
    if record is None or record.status != "waiting":
        record = StepRecord(f"{scope.wire}{node.id}", key, value, execution.now())
        record.status = "waiting"
        record.in_path = scope.is_root
        if node.timeout is not None:
            record.wake_at = execution.now() + round(node.timeout * 1000)
        run.add(record)
        if scope.is_root:
            run.path.append(record.id)
        await execution.waits(record)
        execution.emit("workflow-step-waiting", brief(record) | {
            "payload": to_json(value), "startedAt": record.started_at, "status": "waiting"
        })  # fmt: skip
    record.payload = value
    event = await execution.take_event(node.event, record)
    if event is None:
        record.status = "failed"
        record.ended_at = execution.now()
        error = f"No event {node.event!r} came within {node.timeout:g} s."
        record.error = {"message": error, "name": "TimeoutError"}
        await execution.wakes(record)
        execution.emit("workflow-step-result", brief(record) | {
            "endedAt": record.ended_at, "status": "failed", "error": record.error
        })  # fmt: skip
        raise StepFailed(error, run_id=run.run_id, step=record.id) from TimeoutError(error)
    record.status = "success"
    record.output = event.data
    record.ended_at = execution.now()
    await execution.wakes(record, event)
    execution.emit("workflow-step-result", brief(record) | {
        "endedAt": record.ended_at, "status": "success", "output": event.data
    })  # fmt: skip
    return record.output
