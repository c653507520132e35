"""A step for each item: in order, each recorded for itself, however the others fare."""

import asyncio

import pytest

from mastra import StepContext, Workflow, step


def flow_of(execute, **options):
    return Workflow("each").foreach(step(id="item")(execute), **options).commit()


@pytest.mark.parametrize("concurrency", [1, 3, 50])
async def test_results_keep_the_order_and_no_more_than_allowed_are_at_work(concurrency):
    at_work, most = 0, 0

    async def work(n: int) -> int:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        for _ in range(20 - n):
            await asyncio.sleep(0)
        at_work -= 1
        return n * n

    result = await (await flow_of(work, concurrency=concurrency).create_run()).start(list(range(20)))
    assert result.result == [n * n for n in range(20)]
    assert most == min(concurrency, 20)


async def test_an_empty_list_is_a_list():
    result = await (await flow_of(lambda n: n).create_run()).start([])
    assert (result.status, result.result) == ("success", [])


async def test_what_is_no_list_fails_with_a_hint():
    result = await (await flow_of(lambda n: n).create_run()).start({"n": 1})
    assert result.status == "failed"
    assert "needs a list" in (result.error or {})["message"]


@pytest.mark.parametrize(
    ("on_failure", "status", "seen"), [("wait", "failed", 6), ("collect", "success", 6), ("fail_fast", "failed", 3)]
)
async def test_a_failure_among_them_means_what_was_asked_for(on_failure, status, seen):
    calls = []

    async def work(n: int) -> int:
        calls.append(n)
        await asyncio.sleep(0)
        if n == 1:
            raise ValueError("one")
        return n

    run = await flow_of(work, on_failure=on_failure, concurrency=3 if on_failure == "fail_fast" else 2).create_run()
    result = await run.start(list(range(6)))
    assert result.status == status
    assert len(calls) >= seen
    if status == "success":
        assert result.result == [0, {"error": {"message": "one", "name": "ValueError"}}, 2, 3, 4, 5]


async def test_items_are_resumed_one_by_one_and_the_finished_ones_do_not_run_again():
    calls = []

    def ask(n: int, ctx: StepContext):
        calls.append(n)
        if n % 2 and ctx.resume_data is None:
            ctx.suspend({"n": n})
        return ctx.resume_data or n

    run = await flow_of(ask, concurrency=4).create_run()
    assert (await run.start([0, 1, 2, 3])).status == "suspended"
    assert (await run.resume(30, for_each_index=3)).status == "suspended"
    result = await run.resume(10, for_each_index=1)
    assert result.result == [0, 10, 2, 30]
    assert sorted(calls) == [0, 1, 1, 2, 3, 3]
