from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mastra.cli import demo
from mastra.cli.main import make_app


def output(*arguments: str) -> str:
    result = CliRunner().invoke(make_app("demo"), ["demo", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_tour_shows_every_part_at_work_in_under_ten_seconds() -> None:
    began = time.perf_counter()
    text = output()
    assert time.perf_counter() - began < 10
    assert "get_weather({'city': 'Oslo'})" in text
    assert "assistant  It is 21 °C and clear in Oslo." in text
    remembered = text[text.index("2. ") : text.index("3. ")]
    assert "What is the weather in Oslo?" in remembered
    assert "It is 21 °C and clear in Oslo." in remembered
    assert "suspended at: approve" in text
    assert "'approved': True" in text
    assert "adapters.md" in text[text.index("4. ") :] or "extend/adapter.md" in text[text.index("4. ") :]


def test_another_model_takes_every_part() -> None:
    text = output("--model", "scripted/Something else.")
    assert "assistant  Something else." in text
    assert "answer     Something else." in text


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    output()
    assert list(tmp_path.iterdir()) == []


def test_the_documentation_is_found() -> None:
    assert (demo.docs_folder() / "errors.md").is_file()
