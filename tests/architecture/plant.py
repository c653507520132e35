"""Plants one violation for each gate in this checkout, sees that the gate refuses it, and takes it out again.

python tests/architecture/plant.py              some minutes; needs the development set-up and a clean checkout
python tests/architecture/plant.py mypy mirror  these gates only
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "python/mastra"
UP = "\nimport {}  # noqa: E402, F401\n"
PYTEST = ("pytest", "-q", "-p", "no:cacheprovider")
GUARD = (*PYTEST, "tests/architecture")
# Seconds for one gate; the C++ ones build everything first.
LIMIT = 900


@dataclass(frozen=True)
class Plant:
    """A violation: a text added to a file, and the command that must then fail."""

    gate: str
    file: str
    text: str
    command: tuple[str, ...]
    # What the failing command must say, so that it fails for this reason and no other.
    says: str
    # Taken out of the file instead of adding to it.
    without: str = ""


LONG_FUNCTION = "\n\ndef planted() -> None:\n    '''Too long.'''\n" + "    print()\n" * 90
CPP = '#include <thread>\n\n#include "check.hpp"\n\nTEST(planted) {{\n  {body}\n}}\n\nTEST_MAIN()\n'
RACE = "int shared = 0; std::thread other([&shared] { ++shared; }); ++shared; other.join(); CHECK(shared > 0);"
PLANTS = [
    Plant("ruff", f"{PACKAGE}/registry.py", "\nimport os\n", ("ruff", "check", "."), "E402"),
    Plant("ruff format", f"{PACKAGE}/registry.py", "\nPLANTED  =  1\n", ("ruff", "format", "--check", "."),
          "registry.py"),
    Plant("mypy", f"{PACKAGE}/registry.py", "\nPLANTED: int = ''\n", ("mypy",), "assignment"),
    Plant("pyright", f"{PACKAGE}/registry.py", "\nPLANTED: int = ''\n", ("pyright", "--pythonpath", sys.executable),
          "is not assignable"),
    Plant("imports only go down", f"{PACKAGE}/types/ids.py", UP.format("mastra.agents.agent"), GUARD,
          "test_import_contracts_hold"),
    Plant("adapters are not imported", f"{PACKAGE}/agents/loop.py", UP.format("mastra.storage.sqlite"),
          GUARD, "test_import_contracts_hold"),
    Plant("only native imports the core", f"{PACKAGE}/registry.py", "\nfrom mastra._core import dot\n", GUARD,
          "test_only_native_imports_the_compiled_core"),
    Plant("web framework at the edge", f"{PACKAGE}/agents/loop.py", "\nimport starlette\n", GUARD,
          "test_the_web_framework_stays_at_the_edge"),
    Plant("state is data", f"{PACKAGE}/agents/loop.py", "\nimport pickle\n", GUARD, "test_state_is_data"),
    Plant("public surface", "tests/architecture/surface.txt", "Planted  mastra.planted\n", GUARD,
          "test_the_surface_is_the_recorded_one"),
    Plant("mirror", f"{PACKAGE}/planted.py", '"""Planted."""\n\n\ndef planted() -> None:\n    """Nothing."""\n', GUARD,
          "test_every_module_has_its_test"),
    Plant("sizes: function", f"{PACKAGE}/registry.py", LONG_FUNCTION, GUARD, "test_functions_stay_short"),
    Plant("sizes: file", f"{PACKAGE}/registry.py", "# planted\n" * 600, GUARD, "test_files_stay_readable"),
    Plant("sizes: names", f"{PACKAGE}/utils.py", '"""Planted."""\n', GUARD,
          "test_no_file_is_a_drawer_for_everything"),
    Plant("module docstring", f"{PACKAGE}/planted.py", "PLANTED = 1\n", GUARD,
          "test_every_module_says_what_lives_there"),
    Plant("nothing left to do", f"{PACKAGE}/registry.py", "\n# TO" + "DO: planted\n", GUARD,
          "test_nothing_is_left_to_do"),
    Plant("errors documented", f"{PACKAGE}/errors.py",
          '\n\nclass Planted(MastraError):\n    """Planted."""\n\n    code = "planted"\n', GUARD,
          "test_every_error_code_has_a_row"),
    Plant("adapters documented", "docs/adapters.md", "", GUARD, "test_every_adapter_has_a_row",
          without="| `scripted` |"),
    Plant("settings documented", "docs/guide/settings.md", "\n| `planted.setting` | Planted. | 1 |\n", GUARD,
          "test_every_setting_has_a_row"),
    Plant("version = changelog", "CHANGELOG.md", "\n## 0.1.0\n\n- Planted.\n", GUARD,
          "test_the_changelog_begins_with_this_version"),
    Plant("import budget", f"{PACKAGE}/__init__.py", "\nimport asyncio\n", GUARD,
          "test_import_mastra_leaves_the_slow_standard_library_alone"),
    Plant("docs: a failing fence", "docs/errors.md", "\n```python\nassert False\n```\n", (*PYTEST, "tests/docs"),
          "test_python_fence_runs"),
    Plant("docs: a fence that escapes", "docs/errors.md", "\n```py\nx\n```\n", (*PYTEST, "tests/docs"),
          "test_no_fence_escapes"),
    Plant("C++ tests", "cpp/tests/test_planted.cpp", CPP.format(body="CHECK(1 == 2);"),
          ("nox", "-s", "cpp", "--", "dev"), "failed: 1 == 2"),
    Plant("C++: a data race", "cpp/tests/test_planted.cpp", CPP.format(body=RACE), ("nox", "-s", "cpp", "--", "tsan"),
          "ThreadSanitizer: data race"),
    Plant("stubs of the core", f"{PACKAGE}/_core.pyi", "\ndef planted() -> None: ...\n", GUARD, "test_stubs"),
]  # fmt: skip


def try_one(plant: Plant) -> str:
    """Plant it, run the gate, take it out again; what is wrong, or nothing."""
    file = ROOT / plant.file
    before = file.read_bytes() if file.exists() else None
    text = (before or b"").decode()
    try:
        file.write_bytes(((text.replace(plant.without, "| x |") if plant.without else text) + plant.text).encode())
        # Of the guards only the one that has to see it: the others have plants of their own.
        only = ("-k", plant.says) if plant.command[0] == "pytest" else ()
        command = [sys.executable, "-m", *plant.command, *only]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"it did not end within {LIMIT} s"
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_bytes(before)
    if done.returncode == 0:
        return "the gate let it pass"
    said = done.stdout + done.stderr
    return "" if plant.says in said else f"it failed, but for another reason: {said[-300:]}"


def main() -> int:
    """The command."""
    if subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout:
        sys.exit("commit or stash first: files are changed and changed back")
    wanted = sys.argv[1:]
    if unknown := set(wanted) - {plant.gate for plant in PLANTS}:
        sys.exit(f"there is no gate called {', '.join(sorted(unknown))}; there are {', '.join(p.gate for p in PLANTS)}")
    plants = [plant for plant in PLANTS if not wanted or plant.gate in wanted]
    failed = 0
    for plant in plants:
        wrong = try_one(plant)
        failed += bool(wrong)
        print(f"{'NOT SEEN' if wrong else 'refused':9} {plant.gate}  {wrong}", flush=True)
    print(f"{len(plants) - failed} of {len(plants)} planted violations were refused")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
