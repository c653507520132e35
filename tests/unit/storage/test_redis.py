"""How the Redis adapter orders members and reads errors; the contract suite runs against a server."""

import pytest

pytest.importorskip("redis")

import redis.exceptions as redis_errors

from mastra.errors import BadSetting, CommitUnknown, StorageError, StorageFull, StorageUnavailable
from mastra.storage.redis import RedisStorage, translate, translate_write


def test_errors_say_whether_a_write_may_have_happened():
    broke = redis_errors.ConnectionError("redis://u:hunter2@h")
    assert type(translate_write(broke)) is CommitUnknown
    before = translate(broke)
    assert type(before) is StorageUnavailable
    assert "hunter2" not in f"{before}{before.hint}"
    for text, kind in (("OOM command not allowed", StorageFull), ("READONLY replica", StorageUnavailable),
                       ("LOADING", StorageUnavailable), ("WRONGTYPE", StorageError)):  # fmt: skip
        error = redis_errors.ResponseError(text)
        assert type(translate(error)) is kind
        assert type(translate_write(error)) is kind, "a refusal wrote nothing"
    mine = ValueError("mine")
    assert translate(mine) is mine


def test_a_prefix_that_cannot_be_is_refused():
    with pytest.raises(BadSetting):
        RedisStorage("redis://h/0", prefix="a*b")
