from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from mastra.errors import BadSetting
from mastra.settings import LiveSettings, Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mastra.toml"
    path.write_text('[server]\nworkers = 3\n[log]\nlevel = "info"\n')
    return path


def live(file: Path) -> LiveSettings:
    return LiveSettings(file, dotenv=None, environ={})


def test_a_change_is_applied_as_a_whole_and_told(file: Path) -> None:
    settings = live(file)
    told: list[tuple[int, int, str]] = []
    settings.subscribe(lambda old, new: told.append((old.server.workers, new.server.workers, new.log.level)))
    file.write_text('[server]\nworkers = 9\n[log]\nlevel = "debug"\n')
    assert settings.reload()
    assert told == [(3, 9, "debug")]
    assert settings.current.server.workers == 9


def test_an_invalid_file_leaves_the_old_settings_in_force(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = live(file)
    told: list[Settings] = []
    settings.subscribe(lambda _, new: told.append(new))
    file.write_text('[log]\nlevel = "debug"\n[server]\nworkers = "many"\n')
    with caplog.at_level(logging.ERROR, logger="mastra.settings"):
        assert not settings.reload()
    assert (settings.current.log.level, settings.current.server.workers, told) == ("info", 3, [])
    (record,) = caplog.records
    assert "line 4" in record.getMessage()
    assert "old ones stay" in record.getMessage()


def test_a_deleted_file_leaves_the_old_settings_in_force(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = live(file)
    file.unlink()
    assert not settings.reload()
    assert settings.current.server.workers == 3
    assert caplog.records


def test_the_same_settings_are_no_change(file: Path) -> None:
    settings = live(file)
    settings.subscribe(lambda *_: pytest.fail("nothing changed"))
    file.write_text(file.read_text() + "# a comment\n")
    assert not settings.reload()


def test_a_failing_subscriber_does_not_stop_the_others(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = live(file)
    told: list[int] = []

    def failing(old: Settings, new: Settings) -> None:
        raise RuntimeError("no")

    settings.subscribe(failing)
    settings.subscribe(lambda _, new: told.append(new.server.workers))
    file.write_text("[server]\nworkers = 4\n")
    assert settings.reload()
    assert told == [4]
    assert "subscriber" in caplog.text


def test_who_leaves_is_told_no_more(file: Path) -> None:
    settings = live(file)
    told: list[int] = []
    leave = settings.subscribe(lambda _, new: told.append(new.server.workers))
    leave()
    leave()
    file.write_text("[server]\nworkers = 4\n")
    settings.reload()
    assert told == []


async def test_watching_sees_a_changed_file(file: Path) -> None:
    settings = live(file)
    changed = asyncio.Event()
    settings.subscribe(lambda *_: changed.set())
    watcher = asyncio.create_task(settings.watch(every_s=0.001))
    (file.parent / "new").write_text("[server]\nworkers = 77\n")
    (file.parent / "new").replace(file)
    await asyncio.wait_for(changed.wait(), 10)
    assert settings.current.server.workers == 77
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher


def test_a_broken_file_at_the_start_is_an_error(file: Path) -> None:
    file.write_text("[server\n")
    with pytest.raises(BadSetting):
        live(file)
