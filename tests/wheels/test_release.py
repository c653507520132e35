"""The check-list of a release, walked through in a clone: what stops it, and that it comes to its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# All but the gates, which are every test of this repository.
LOOKS = ("clean", "changelog", "new_tag", "pinned")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("needs the repository")
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, folder], check=True)
    # The check-list of this checkout, and a changelog that stands for a release.
    for name in ("wheels/release.py", "python/mastra/__init__.py"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def git(folder: Path, *arguments: str) -> str:
    known = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *known, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def head(folder: Path, heading: str) -> None:
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## {heading}\n\n- First.\n", encoding="utf-8")
    git(folder, "commit", "-q", "--allow-empty", "-am", "a release")


def dry_run(folder: Path, *checks: str) -> tuple[int, dict[str, str], str]:
    only = [part for check in checks for part in ("--only", check)]
    command = [sys.executable, str(folder / "wheels" / "release.py"), "--dry-run", *only]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    return done.returncode, {line.split()[1]: line.split()[0] for line in lines if line.split()[1] in LOOKS}, lines[-1]


def test_a_release_that_is_ready_comes_to_the_tag_and_makes_none(clone: Path) -> None:
    sys.path.insert(0, str(ROOT / "wheels"))
    import release  # noqa: PLC0415 - a script, not a package

    head(clone, f"{release.version()} (2026-11-21)")
    code, said, last = dry_run(clone, *LOOKS)
    assert (code, said) == (0, dict.fromkeys(LOOKS, "ok"))
    assert last.startswith(f"would make the signed tag v{release.version()}")
    assert git(clone, "tag", "--list") == ""
    git(clone, "tag", f"v{release.version()}")
    (clone / "stray.txt").write_text("forgotten")
    code, said, _ = dry_run(clone, *LOOKS)
    assert (code, said) == (1, {"clean": "FAILED", "changelog": "ok", "new_tag": "FAILED", "pinned": "ok"})


def test_a_changelog_that_is_not_headed_and_a_loose_pin_stop_it(clone: Path) -> None:
    head(clone, "Unreleased")
    workflow = clone / ".github" / "workflows" / "wheels.yml"
    workflow.write_text(workflow.read_text(encoding="utf-8") + "      - uses: somebody/action@v1\n", encoding="utf-8")
    code, said, last = dry_run(clone, *LOOKS)
    assert (code, said) == (1, {"clean": "FAILED", "changelog": "FAILED", "new_tag": "ok", "pinned": "FAILED"})
    assert "somebody/action@v1" in last
