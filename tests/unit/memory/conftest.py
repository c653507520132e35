"""Messages and memories for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mastra.memory.threads import ThreadRepo
from mastra.storage.memory import MemoryStorage
from mastra.storage.sqlite import SqliteStorage
from mastra.types.messages import Message

START = datetime(2026, 1, 1, tzinfo=UTC)


def say(text: str, *, role: str = "user", id: str | None = None, at: int = 0, **facts) -> Message:
    return Message(
        id=id or f"m-{text[:60].replace(' ', '-')}",
        role=role,
        parts=({"type": "text", "text": text},),
        created_at=START + timedelta(seconds=at),
        extra={"content": text},
        **facts,
    )


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request, tmp_path):
    made = MemoryStorage() if request.param == "memory" else SqliteStorage(tmp_path / "m.db", durability="process")
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def threads(storage):
    return ThreadRepo(storage)
