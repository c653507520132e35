from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mastra.cli.main import make_app
from mastra.errors import MastraError


def dev(*arguments: str) -> Result:
    return CliRunner().invoke(make_app("dev"), ["dev", *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "served_app.py").write_text("from mastra import Mastra\nmastra = Mastra()\n")
    return tmp_path


def test_without_auth_it_does_not_listen_to_the_world(folder: Path) -> None:
    done = dev("served_app.py:mastra", "--host", "0.0.0.0")
    assert isinstance(done.exception, MastraError)
    assert done.exception.hint


def test_an_application_that_is_not_there_is_said_so(folder: Path) -> None:
    done = dev("nowhere.py:mastra")
    assert isinstance(done.exception, MastraError)
    assert "nowhere" in done.exception.message


def test_where_it_listens_is_said_before_it_serves(folder: Path) -> None:
    done = dev("served_app.py:mastra", "--host", "0.0.0.0", "--port", "4199")
    assert "http://0.0.0.0:4199 (page)" in done.stdout
    assert isinstance(done.exception, MastraError)


@pytest.mark.parametrize("wrong", [("--port", "0"), ("--workers", "2"), ("--open", "--port", "x")])
def test_options_that_cannot_be_are_refused_before_anything_is_loaded(folder: Path, wrong: tuple[str, ...]) -> None:
    assert dev("served_app.py:mastra", *wrong).exit_code == 2
