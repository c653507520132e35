from __future__ import annotations

import json

import pytest

from mastra.cli.output import Exit, console, emit, emit_line, fail, progress, wait


def test_values_are_one_document_or_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"a": "ü", "b": [1]})
    emit_line({"a": 1, "b": "x\ny"})
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"a": "ü", "b": [1]}
    assert second == '{"a":1,"b":"x\\ny"}'


def test_a_failure_has_a_hint_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    error = fail("It broke.", "Mend it.", Exit.USAGE)
    assert error.exit_code == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "error: It broke.\n  Mend it.\n")


def test_without_a_terminal_there_is_no_bar_and_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1, 2, 3], "things")) == [1, 2, 3]
    console().print("[red]plain[/red]")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("plain\n", "")


def test_the_exit_codes_are_those_of_the_guide() -> None:
    assert {code.name: int(code) for code in Exit} == {
        "OK": 0, "ERROR": 1, "USAGE": 2, "FINDINGS": 3, "INTERRUPTED": 130}  # fmt: skip


def test_work_is_run_to_its_end() -> None:
    async def work() -> int:
        return 7

    assert wait(work()) == 7
