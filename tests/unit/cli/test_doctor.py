"""`mastra doctor` tells what is installed, what is weak and what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from mastra.cli import doctor
from mastra.cli.main import main
from mastra.native.distance import active_kernel


def look(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["mastra", "doctor", "--json", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0), {one["name"]: one for one in json.loads(capsys.readouterr().out)}


def test_a_sound_installation_has_its_core_its_kernel_and_a_safe_sqlite(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, found = look(capsys)
    assert code == 0
    assert found["core"]["state"] == found["sqlite"]["state"] == "ok"
    assert active_kernel() in found["core"]["detail"]
    assert found["key"]["state"] == found["application"]["state"] == "note"


def test_a_key_is_named_and_not_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-very-secret")
    _, found = look(capsys)
    assert found["key"] == {"name": "key", "state": "ok", "detail": "ANTHROPIC_API_KEY is set", "hint": ""}


def test_an_sqlite_that_can_damage_files_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    code, found = look(capsys)
    assert code == 3
    assert found["sqlite"]["state"] == "problem"
    assert "pip install" in found["sqlite"]["hint"]


def test_an_application_that_cannot_be_loaded_is_a_problem(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("raise RuntimeError('broken on purpose')\n")
    code, found = look(capsys, "--app", "app:mastra")
    assert code == 3
    assert found["application"]["state"] == "problem"
    assert "broken on purpose" in found["application"]["detail"]


def test_a_missing_core_is_a_note_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "build_info", lambda: {"version": "", "compiler": "none"})
    found = doctor._core()
    assert (found.name, found.state) == ("core", "note")
    assert "wheel" in found.hint
