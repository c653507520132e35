from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mastra import logs
from mastra.errors import BadSetting, RateLimited
from mastra.settings.settings import LogSettings
from mastra.types.secrets import Secret

log = logging.getLogger("mastra.test")


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    yield
    logs.release()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_time_level_message_and_facts() -> None:
    stream = io.StringIO()
    logs.configure(format="json", stream=stream)
    with logs.log_context(run_id="r1", thread_id="t1"):
        log.info("Step %d done", 3, extra={"tool": "search"})
    log.info("after")
    first, second = lines(stream)
    assert first["message"] == "Step 3 done"
    assert (first["level"], first["logger"], first["run_id"], first["thread_id"], first["tool"]) == (
        "info", "mastra.test", "r1", "t1", "search",
    )  # fmt: skip
    assert str(first["time"]).endswith("Z")
    assert "run_id" not in second


async def test_context_belongs_to_its_task() -> None:
    stream = io.StringIO()
    logs.configure(format="json", stream=stream)

    async def work(name: str) -> None:
        with logs.log_context(run_id=name, step=None):
            await asyncio.sleep(0)
            log.info("%s", name)

    await asyncio.gather(*(work(f"r{number}") for number in range(5)))
    assert all(line["run_id"] == line["message"] and "step" not in line for line in lines(stream))
    assert logs.current_context() == {}


def test_the_level_is_obeyed() -> None:
    stream = io.StringIO()
    logs.configure(level="warning", stream=stream)
    log.info("quiet")
    log.warning("loud")
    assert "loud" in stream.getvalue()
    assert "quiet" not in stream.getvalue()


CANARIES = [f"canary-{number}-" + "f0e1d2c3" * 2 for number in range(10)]


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_canary_gets_into_the_log(form: str) -> None:
    stream = io.StringIO()
    logs.configure(format=form, level="debug", stream=stream)
    for canary in CANARIES:
        secret = Secret(canary)
        log.debug("plain %s", canary)
        log.info("%r", {"deep": [canary]})
        log.info("extra", extra={"value": canary, "list": [{canary: 1}], "object": secret})
        with logs.log_context(request_id=canary):
            log.warning("context")
        try:
            raise RateLimited(f"refused {canary}", details={"key": canary})
        except RateLimited:
            log.exception("failed with %s", canary)
    assert stream.getvalue().count("\n") >= 5 * len(CANARIES)
    assert not any(canary in stream.getvalue() for canary in CANARIES)
    assert "f0e1d2c3" not in stream.getvalue()


def test_an_error_of_ours_brings_its_code() -> None:
    stream = io.StringIO()
    logs.configure(format="json", stream=stream)
    try:
        raise RateLimited("Slow down.")
    except RateLimited:
        log.exception("call failed")
    (line,) = lines(stream)
    assert line["code"] == "model-rate-limited"
    assert "Slow down." in str(line["error"])


def test_a_line_break_in_a_value_makes_no_second_line() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    log.info("user said %s", "hi\n12:00:00 error   forged")
    assert stream.getvalue().count("\n") == 1


def test_a_file_rotates_by_size_and_keeps_some(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "app.log"
    logs.configure(file=str(path), rotate_bytes=300, rotate_s=0, keep=2)
    for number in range(40):
        log.info("line %d", number)
    assert sorted(item.name for item in path.parent.iterdir()) == ["app.log", "app.log.1", "app.log.2"]
    assert "line 39" in path.read_text()
    assert all(item.stat().st_size <= 300 for item in path.parent.iterdir())


def test_a_file_rotates_by_age(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("from yesterday\n")
    os.utime(path, (1_000_000, 1_000_000))
    logs.configure(file=str(path), rotate_bytes=0, rotate_s=3600, keep=1)
    log.info("today")
    log.info("still today")
    assert (tmp_path / "app.log.1").read_text() == "from yesterday\n"
    assert path.read_text().count("today") == 2


def test_no_old_files_are_kept_when_none_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    logs.configure(file=str(path), rotate_bytes=200, rotate_s=0, keep=0)
    for number in range(20):
        log.info("line %d", number)
    assert [item.name for item in tmp_path.iterdir()] == ["app.log"]
    assert path.stat().st_size <= 200


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSetting, match=r"log\.file"):
        logs.configure(file=str(tmp_path / "file" / "app.log"))


def test_as_a_library_the_root_logger_is_left_alone() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    logs.configure(stream=io.StringIO())
    logs.configure(stream=io.StringIO())
    assert (list(root.handlers), root.level) == before
    assert len(logging.getLogger("mastra").handlers) == 1
    logs.release()
    ours = logging.getLogger("mastra")
    assert (ours.handlers, ours.propagate, ours.level) == ([], True, logging.NOTSET)


def test_the_settings_fit() -> None:
    logs.configure(**dataclasses.asdict(LogSettings()), stream=io.StringIO())
    assert logging.getLogger("mastra").level == logging.INFO
