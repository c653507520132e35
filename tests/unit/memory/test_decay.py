"""Forgetting what is old and unimportant."""

from datetime import timedelta

import pytest
from tests.unit.memory.conftest import START, say

from mastra.errors import BadDefinition
from mastra.memory.decay import AUDIT, Decay, forget
from mastra.memory.tables import DUE
from mastra.types.messages import Message

NOW = START + timedelta(days=365)


def weighed(text: str, importance: float) -> Message:
    wire = say(text).to_wire()
    return Message.from_wire({**wire, "content": {**wire["content"], "metadata": {"importance": importance}}})


async def left(threads, thread="t"):
    return [row["content"]["parts"][0]["text"] for row in await threads.messages.rows(thread)]


async def test_old_and_unimportant_messages_go_and_the_rest_stays(threads):
    await threads.append("t", "u", [say("small talk"), weighed("kept by hand", 1.0), weighed("worthless", 0.0)])
    await threads.append("t", "u", [say("recent", at=int(timedelta(days=360).total_seconds()))])
    policy = Decay(half_life=timedelta(days=200), keep_above=0.2, keep_last=0)
    trial = await forget(threads, policy, now=NOW, dry_run=True)
    assert (trial.removed, trial.audit_id) == (2, None)
    assert len(await left(threads)) == 4
    done = await forget(threads, policy, now=NOW)
    assert await left(threads) == ["kept by hand", "recent"]
    audit = await threads.storage.get(AUDIT, done.audit_id)
    assert audit["removed"] == 2
    assert set(audit["worths"]) == {"m-small-talk", "m-worthless"}


async def test_the_newest_messages_of_each_thread_stay(threads):
    await threads.append("t", "u", [say(f"m{n}", at=n) for n in range(250)])
    assert (await forget(threads, Decay(keep_last=20), now=NOW)).removed == 230
    assert await left(threads) == [f"m{n}" for n in range(230, 250)]


async def test_only_the_named_resource_is_cleaned_and_vectors_are_told(threads):
    threads.has_vectors = True
    await threads.append("t", "u", [say("mine")])
    await threads.append("x", "other", [say("theirs")])
    assert (await forget(threads, Decay(keep_last=0), now=NOW, resource_id="u")).removed == 1
    assert await left(threads, "x") == ["theirs"]
    assert await threads.storage.count(DUE, {"kind": "drop"}) == 1


def test_worth_halves_with_each_half_life():
    policy = Decay(half_life=timedelta(days=10))
    row = weighed("x", 0.8).to_wire()
    assert policy.worth(row, START + timedelta(days=20)) == pytest.approx(0.2)
    assert policy.importance_of(say("please remember: I am allergic to nuts").to_wire()) == pytest.approx(0.9)
    with pytest.raises(BadDefinition):
        Decay(keep_above=2)
