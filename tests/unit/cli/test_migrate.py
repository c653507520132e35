"""`mastra migrate` brings the storage forward; with --dry-run it says what it would do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mastra.cli.main import main

APP = """
from mastra import Mastra
mastra = Mastra(storage={url!r})
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, url: str = "sqlite:///app.db") -> tuple[int, str]:
        (tmp_path / "app.py").write_text(APP.format(url=url))
        sys.modules.pop("app", None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["mastra", "migrate", "--app", "app:mastra", *arguments])
            with pytest.raises(SystemExit) as left:
                main()
        streams = capsys.readouterr()
        return int(left.value.code or 0), streams.out + streams.err

    return run


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(run: Any, tmp_path: Path) -> None:
    assert run("--dry-run") == (0, "SqliteStorage: nothing is there yet; layout 1 would be made\n")
    assert not (tmp_path / "app.db").exists()
    assert run() == (0, "SqliteStorage: the schema is up to date\n")
    assert run("--dry-run") == (0, "SqliteStorage: layout 1 is the newest; nothing would be done\n")
    code, out = run("--dry-run", "--json")
    assert (code, json.loads(out)) == (
        0, {"storage": "SqliteStorage", "migrated": False, "layout": 1, "newest": 1},
    )  # fmt: skip


def test_what_has_no_layout_says_so(run: Any) -> None:
    assert run("--dry-run", url="memory:") == (0, "MemoryStorage: has no layout; there is nothing to migrate\n")
    assert json.loads(run("--json", url="memory:")[1]) == {"storage": "MemoryStorage", "migrated": True}


def test_a_file_of_something_else_is_refused_and_left(run: Any, tmp_path: Path) -> None:
    (tmp_path / "app.db").write_bytes(b"junk" * 1000)
    for arguments in (("--dry-run",), ()):
        code, out = run(*arguments)
        assert code != 0
        assert "app.db" in out
        assert "Traceback" not in out
    assert (tmp_path / "app.db").read_bytes() == b"junk" * 1000
