"""Workflows: descriptions, runs, and every way to start, resume, repeat, follow and stop them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mastra.errors import AccessDenied, Conflict, NotFound, NotSuspended, ResumeClaimed, RunMissing
from mastra.server.problems import Refused
from mastra.server.replies import RECORDS, Stream
from mastra.server.sse import batches, error_chunk, record_frames
from mastra.server.table import outlives
from mastra.workflows.snapshots import run_info

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mastra.server.call import Call
    from mastra.server.siblings import RemoteRun
    from mastra.types.chunks import Chunk
    from mastra.workflows.run import Run
    from mastra.workflows.stream import WorkflowStream
    from mastra.workflows.workflow import Workflow

RUN_NOT_FOUND = {"error": "Workflow run not found"}


def _workflow(call: Call) -> Workflow[Any, Any]:
    workflow: Workflow[Any, Any] = call.mastra.get_workflow(call.params["workflowId"])
    return workflow


async def _run(call: Call, run_id: str | None = None) -> Run[Any, Any]:
    """The run that is meant, when it is there and the caller's own; somebody else's is as good as none."""
    wanted = run_id or call.query.get("runId") or call.params.get("runId", "")
    try:
        run = await _workflow(call).get_run(wanted)
    except (RunMissing, NotFound):
        raise Refused(404, RUN_NOT_FOUND) from None
    if not call.mine(run.state.resource_id):
        raise Refused(404, RUN_NOT_FOUND)
    return run


async def _new_run(call: Call, *, persist: bool = False) -> Run[Any, Any]:
    """A run to be started: a known one by its id, or a new one that belongs to the caller."""
    resource = call.owner((call.body or {}).get("resourceId"))
    run = await _workflow(call).create_run(call.query.get("runId"), resource=resource, persist=persist)
    if not call.mine(run.state.resource_id):
        raise AccessDenied("Access denied: run belongs to a different resource")
    return run


def _start_options(call: Call) -> dict[str, Any]:
    body = call.body
    return {
        "state": body.get("initialState"),
        "request_context": call.context.to_wire() or None,
        "per_step": bool(body.get("perStep")),
    }


def _resume_options(call: Call) -> dict[str, Any]:
    body = call.body
    return {
        "step": body.get("step"),
        "for_each_index": body.get("forEachIndex"),
        "request_context": call.context.to_wire() or None,
        "per_step": bool(body.get("perStep")),
    }


def _travel_options(call: Call) -> dict[str, Any]:
    body = call.body
    return {
        "input": body.get("inputData"),
        "context": body.get("context"),
        "resume_data": body.get("resumeData"),
        "state": body.get("initialState"),
        "per_step": bool(body.get("perStep")),
        "request_context": call.context.to_wire() or None,
    }


def _records(stream: WorkflowStream[Any]) -> Stream:
    return Stream(_stream_body(stream), RECORDS, beats=False)


async def _stream_body(stream: WorkflowStream[Any]) -> AsyncIterator[bytes]:
    started = False
    async with stream:
        try:
            async for batch in batches(stream):
                started = True
                yield record_frames(batch)
        except Exception as error:
            if not started:
                raise
            yield record_frames([error_chunk(error, stream.run_id, "WORKFLOW")])


async def _only_chunks(run: RemoteRun) -> AsyncIterator[Chunk]:
    async for observed in run.observe():
        yield observed.chunk


async def _chunks_body(chunks: AsyncIterator[Chunk]) -> AsyncIterator[bytes]:
    async for batch in batches(chunks):
        yield record_frames(batch)


# ---------------------------------------------------------------- descriptions


async def list_workflows(call: Call) -> dict[str, Any]:
    """Every workflow, whole or in short."""
    partial = call.query.get("partial") == "true"
    return {name: workflow.describe(partial=partial) for name, workflow in call.mastra.workflows.items()}


async def run_counts(call: Call) -> dict[str, Any]:
    """How many runs of each workflow are at work and wait."""
    return {
        name: {
            "running": await workflow.count_runs("running"),
            "suspended": await workflow.count_runs("suspended"),
        }
        for name, workflow in call.mastra.workflows.items()
    }


async def get_workflow(call: Call) -> dict[str, Any]:
    """One workflow."""
    return _workflow(call).describe()


# ---------------------------------------------------------------- runs


async def list_runs(call: Call) -> dict[str, Any]:
    """Runs, newest first."""
    query = call.query
    per_page = query.get("perPage") or query.get("limit") or 100
    page = query.get("page")
    if page is None:
        page = (query.get("offset") or 0) // per_page
    return await _workflow(call).list_runs(
        status=query.get("status"),
        resource=call.owner(query.get("resourceId")),
        page=page,
        per_page=per_page,
        from_date=query.get("fromDate"),
        to_date=query.get("toDate"),
    )


async def get_run(call: Call) -> dict[str, Any]:
    """One run, whole or some of its fields."""
    run = await _run(call)
    wanted = call.query.get("fields")
    return run_info(run.state, run.workflow, wanted.split(",") if wanted else None)


async def delete_run(call: Call) -> dict[str, str]:
    """Forget a run with all its records."""
    run = await _run(call)
    await run.workflow.delete_run(run.run_id)
    return {"message": "Workflow run deleted"}


async def create_run(call: Call) -> dict[str, str]:
    """Make a run; it is not started. It is written down: whoever asks for its id finds it, and whose it is."""
    run = await _new_run(call, persist=True)
    return {"runId": run.run_id}


async def cancel(call: Call) -> dict[str, str]:
    """Stop a run."""
    run = await _run(call)
    await run.cancel()
    return {"message": "Workflow run cancelled"}


@outlives
async def start_async(call: Call) -> dict[str, Any]:
    """Start a run and answer when it ends or waits. It goes on when the caller leaves."""
    run = await _new_run(call)
    result = await run.start(call.body.get("inputData"), **_start_options(call))
    return result.to_wire()


async def start(call: Call) -> dict[str, str]:
    """Start a run and answer once it is accepted."""
    run = await _new_run(call)
    await run.start_async(call.body.get("inputData"), **_start_options(call))
    return {"message": "Workflow run started"}


async def stream(call: Call) -> Stream:
    """Start a run and follow it."""
    run = await _new_run(call)
    return _records(run.stream(call.body.get("inputData"), **_start_options(call)))


async def observe(call: Call) -> Stream:
    """Follow a run that was started elsewhere, from an offset on."""
    run = await _run(call)
    offset = int(call.query.get("offset") or 0)
    chunks = run.observe(offset)
    here, siblings = call.mastra.services.runs.get(run.run_id), call.state.siblings
    if siblings is not None and (here is None or here.closed):
        elsewhere = await siblings.find_run(run.run_id, offset)
        if elsewhere is not None and (here is None or elsewhere.open):
            chunks = _only_chunks(elsewhere)
        elif elsewhere is not None:
            await elsewhere.leave()
    return Stream(_chunks_body(chunks), RECORDS, beats=False)


@outlives
async def resume_async(call: Call) -> dict[str, Any]:
    """Answer a waiting step and say how the run ends."""
    run = await _run(call)
    result = await run.resume(call.body.get("resumeData"), **_resume_options(call))
    return result.to_wire()


async def resume(call: Call) -> dict[str, str]:
    """Answer a waiting step; the run goes on by itself."""
    run = await _run(call)
    await run.resume_async(call.body.get("resumeData"), **_resume_options(call))
    return {"message": "Workflow run resumed"}


async def resume_no_wait(call: Call) -> dict[str, str]:
    """Answer a waiting step; the answer is the run's id."""
    run = await _run(call)
    await run.resume_async(call.body.get("resumeData"), **_resume_options(call))
    return {"runId": run.run_id}


async def resume_stream(call: Call) -> Stream:
    """Answer a waiting step and follow the run."""
    run = await _run(call)
    return _records(run.resume_stream(call.body.get("resumeData"), **_resume_options(call)))


@outlives
async def time_travel_async(call: Call) -> dict[str, Any]:
    """Run again from a step on and say how it ends."""
    run = await _run(call)
    result = await run.time_travel(call.body["step"], **_travel_options(call))
    return result.to_wire()


async def time_travel(call: Call) -> dict[str, str]:
    """Run again from a step on; the run goes on by itself."""
    run = await _run(call)
    await run.time_travel_async(call.body["step"], **_travel_options(call))
    return {"message": "Workflow run time travel started"}


async def time_travel_stream(call: Call) -> Stream:
    """Run again from a step on and follow it."""
    run = await _run(call)
    return _records(run.time_travel_stream(call.body["step"], **_travel_options(call)))


@outlives
async def restart_async(call: Call) -> dict[str, Any]:
    """Take up a run that was left, and say how it ends."""
    run = await _run(call)
    if run.status == "success":
        # Nothing of it runs again, and who asks twice gets the same answer twice.
        return (await run.wait()).to_wire()
    with _conflict():
        result = await run.restart(request_context=call.context.to_wire() or None)
    return result.to_wire()


async def restart(call: Call) -> dict[str, str]:
    """Take up a run that was left; it goes on by itself."""
    run = await _run(call)
    if run.status != "success":
        with _conflict():
            await run.restart_async(request_context=call.context.to_wire() or None)
    return {"message": "Workflow run restarted"}


@contextmanager
def _conflict() -> Iterator[None]:
    """A run that cannot be taken up as it stands is a conflict with what is there, not a fault of the server."""
    try:
        yield
    except NotSuspended as error:
        raise Refused(409, {"error": error.message}) from error


async def _restart_all(call: Call) -> list[Run[Any, Any]]:
    workflow = _workflow(call)
    page = await workflow.list_runs(status="running", resource=call.owner(None), per_page=1_000)
    taken = []
    for entry in page["runs"]:
        run = await workflow.get_run(entry["runId"])
        try:
            await run.restart_async()
        except (Conflict, ResumeClaimed, NotSuspended):
            continue  # another worker carries it, or it has ended meanwhile
        taken.append(run)
    return taken


async def restart_all(call: Call) -> dict[str, str]:
    """Take up every run that was left."""
    taken = await _restart_all(call)
    return {"message": f"Restarted {len(taken)} active workflow runs"}


@outlives
async def restart_all_async(call: Call) -> dict[str, str]:
    """Take up every run that was left, and wait for their ends."""
    taken = await _restart_all(call)
    await asyncio.gather(*(run.wait() for run in taken))
    return {"message": f"Restarted {len(taken)} active workflow runs"}


_ONE = "/workflows/:workflowId"
ROUTES: Mapping[str, Any] = {
    "GET /workflows": list_workflows,
    "GET /workflows/run-counts": run_counts,
    f"GET {_ONE}": get_workflow,
    f"GET {_ONE}/runs": list_runs,
    f"GET {_ONE}/runs/:runId": get_run,
    f"DELETE {_ONE}/runs/:runId": delete_run,
    f"POST {_ONE}/create-run": create_run,
    f"POST {_ONE}/runs/:runId/cancel": cancel,
    f"POST {_ONE}/start": start,
    f"POST {_ONE}/start-async": start_async,
    f"POST {_ONE}/stream": stream,
    f"POST {_ONE}/stream-legacy": stream,
    f"POST {_ONE}/observe": observe,
    f"POST {_ONE}/observe-stream-legacy": observe,
    f"POST {_ONE}/resume": resume,
    f"POST {_ONE}/resume-async": resume_async,
    f"POST {_ONE}/resume-no-wait": resume_no_wait,
    f"POST {_ONE}/resume-stream": resume_stream,
    f"POST {_ONE}/time-travel": time_travel,
    f"POST {_ONE}/time-travel-async": time_travel_async,
    f"POST {_ONE}/time-travel-stream": time_travel_stream,
    f"POST {_ONE}/restart": restart,
    f"POST {_ONE}/restart-async": restart_async,
    f"POST {_ONE}/restart-all-active-workflow-runs": restart_all,
    f"POST {_ONE}/restart-all-active-workflow-runs-async": restart_all_async,
}
