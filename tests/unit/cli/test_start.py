from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mastra.cli.main import make_app
from mastra.errors import MastraError


def start(*arguments: str) -> Result:
    return CliRunner().invoke(make_app("start"), ["start", *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "served_app.py").write_text("from mastra import Mastra\nmastra = Mastra()\n")
    return tmp_path


def test_without_auth_it_does_not_listen_to_the_world(folder: Path) -> None:
    done = start("served_app.py:mastra", "--host", "0.0.0.0")
    assert isinstance(done.exception, MastraError)
    assert done.exception.hint


def test_an_application_that_is_not_there_is_said_so(folder: Path) -> None:
    done = start("nowhere.py:mastra")
    assert isinstance(done.exception, MastraError)
    assert "nowhere" in done.exception.message


@pytest.mark.parametrize("wrong", [("--port", "0"), ("--port", "65536"), ("--workers", "0"), ("--workers", "many")])
def test_options_that_cannot_be_are_refused_before_anything_is_loaded(folder: Path, wrong: tuple[str, str]) -> None:
    assert start("served_app.py:mastra", *wrong).exit_code == 2


def test_a_level_of_the_log_that_is_none_is_refused(folder: Path) -> None:
    done = start("served_app.py:mastra", "--log-level", "loud")
    assert isinstance(done.exception, MastraError)
    assert "log.level" in done.exception.message
