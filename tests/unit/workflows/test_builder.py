"""The typed builder: what does not fit is found by mypy, by pyright, and again at commit."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mastra import Workflow, step
from mastra.errors import BadDefinition, MastraError

TYPED = Path(__file__).parent / "typed"
CHECKERS = {
    "mypy": [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"],
    "pyright": [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
}


def complaints(checker, name, folder):
    pytest.importorskip(checker)
    path = folder / f"{name}.py"
    shutil.copy(TYPED / f"{name}.py.txt", path)
    done = subprocess.run([*CHECKERS[checker], str(path)], capture_output=True, text=True, check=False, cwd=folder)
    lines = {
        int(line.split(f"{name}.py:", 1)[1].split(":")[0])
        for line in done.stdout.splitlines()
        if f"{name}.py:" in line and "error" in line
    }
    return lines, done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", CHECKERS)
def test_steps_that_do_not_fit_are_found_before_anything_runs(checker, tmp_path):
    wrong = (TYPED / "wrong.py.txt").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(wrong, 1) if line.endswith("# wrong")}
    found, said = complaints(checker, "wrong", tmp_path)
    assert found == marked, said


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", CHECKERS)
def test_definitions_that_fit_need_no_annotation_and_no_cast(checker, tmp_path):
    found, said = complaints(checker, "right", tmp_path)
    assert found == set(), said


@step
def one(value: int) -> str:
    return str(value)


@step
def two(value: int) -> int:
    return value


# The type checkers would refuse most of what follows.
UNCHECKED: Any = Workflow("w", input={"type": "integer"})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: UNCHECKED.clone("w").then(one).then(two).commit(), "does not fit 'two'"),
        (lambda: UNCHECKED.clone("w").then(one).foreach(two).commit(), "needs a list"),
        (lambda: UNCHECKED.clone("w").parallel([one, one]).commit(), "two steps with the id 'one'"),
        (lambda: UNCHECKED.clone("w").dountil(one, lambda value: True).commit(), "does not fit itself"),
        (lambda: UNCHECKED.clone("w").parallel([]), "no steps"),
        (lambda: UNCHECKED.clone("w").branch([]), "no cases"),
        (lambda: UNCHECKED.clone("w").branch([one]), "pairs"),
        (lambda: UNCHECKED.clone("w").then(42), "cannot be a step"),
        (lambda: UNCHECKED.clone("w").foreach(two, concurrency=0), "at least 1"),
        (lambda: UNCHECKED.clone("w").parallel([one], on_failure="maybe"), "on_failure"),
        (lambda: UNCHECKED.clone("w").sleep(-1), "zero or more"),
        (lambda: UNCHECKED.clone("w").sleep_until("tomorrow"), "datetime"),
        (lambda: UNCHECKED.clone("w").wait_for_event("go", timeout=0), "greater than zero"),
        (lambda: UNCHECKED.clone("w").map({"n": {"step": "nobody", "path": "x"}}).commit(), "nobody"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_put_together(make, said):
    with pytest.raises(MastraError, match=said):
        make()


def test_a_workflow_cannot_contain_itself_nor_be_used_before_it_is_finished():
    open_one = Workflow("open").then(two)
    with pytest.raises(BadDefinition, match="before its commit"):
        Workflow("w").then(open_one)
    inner = Workflow("inner").then(two).commit()
    again: Any = inner.clone("inner").then(inner)
    assert [node.id for node in again.commit().nodes] == ["two", "inner"]


def plain(value):
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: Workflow("w").sleep("x"),  # type: ignore[arg-type]  # what is tried
        lambda: Workflow("w").sleep(None),  # type: ignore[arg-type]  # what is tried
        lambda: Workflow("w").sleep(float("nan")),
        lambda: Workflow("w").sleep_until(5),  # type: ignore[arg-type]  # what is tried
        lambda: Workflow("w").wait_for_event("e", timeout=float("inf")),
        lambda: Workflow("w").wait_for_event("e", timeout="5"),  # type: ignore[arg-type]  # what is tried
        lambda: Workflow("w").wait_for_event("e", id="a b"),
        lambda: Workflow("w").dowhile(plain, None),  # type: ignore[arg-type]  # what is tried
        lambda: Workflow("w").dountil(plain, 5),  # type: ignore[arg-type]  # what is tried
        lambda: Workflow("w").map(5),  # type: ignore[arg-type]  # what is tried
        lambda: Workflow("w").then(plain).map({"a": {"step": "plain", "path": 5}}),
        lambda: Workflow("w", on_finish=5),
        lambda: Workflow("w", migrate=5),
        lambda: Workflow("w", versions=[5]),
        lambda: Workflow("w", versions=[Workflow("w").then(plain)]),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_written(make):
    with pytest.raises(MastraError):
        make()
