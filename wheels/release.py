"""The check-list of a release, as a command. Nothing is published from here: the tag starts wheels.yml, which does.

python wheels/release.py --dry-run      look at everything, change nothing
python wheels/release.py                the same, then make the signed tag (pushing it is up to you)
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def version() -> str:
    """The version of the package."""
    text = (ROOT / "python" / "mastra" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    assert found
    return found[1]


def git(*arguments: str) -> str:
    """What git says."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def clean() -> str:
    """Nothing uncommitted."""
    return "commit or stash first" if git("status", "--porcelain") else ""


def changelog() -> str:
    """The changelog's newest heading is this version."""
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    return "" if headings[:1] == [version()] else f"CHANGELOG.md begins with {headings[:1]}, not with {version()}"


def new_tag() -> str:
    """The version was never released."""
    return f"the tag v{version()} exists" if git("tag", "--list", f"v{version()}") else ""


def pinned() -> str:
    """Every line of the pin lists has hashes, every action a commit."""
    wrong = []
    for name in ("build-requirements.txt", "requirements.txt"):
        text = (ROOT / "wheels" / name).read_text(encoding="utf-8").replace("\\\n", " ")
        wrong += [line.split()[0] for line in text.splitlines() if "==" in line and "--hash=sha256:" not in line]
    for workflow in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        for action in re.findall(r"uses: (\S+)", workflow.read_text(encoding="utf-8")):
            if not re.search(r"@[0-9a-f]{40}$", action):
                wrong.append(f"{workflow.name}: {action}")
    return f"not pinned: {', '.join(wrong)}" if wrong else ""


def identifiers() -> str:
    """The wheels that the table promises are those that cibuildwheel would build."""
    return run("-m", "pytest", "-q", "tests/wheels", "-m", "slow or not slow", "-k", "identifier or pinned")


def gates() -> str:
    """Every gate of the repository."""
    return run("-m", "nox", "-s", "lint", "types", "layers", "tests", "docs")


def run(*arguments: str) -> str:
    """A command of this Python: empty when it went well."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False)
    return f"{' '.join(arguments)} failed" if done.returncode else ""


CHECKS: list[Callable[[], str]] = [clean, changelog, new_tag, pinned, identifiers, gates]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="check, but make no tag")
    parser.add_argument("--only", action="append", choices=[check.__name__ for check in CHECKS], help="some checks")
    options = parser.parse_args()
    failed = 0
    for check in CHECKS:
        if options.only and check.__name__ not in options.only:
            continue
        complaint = check()
        failed += bool(complaint)
        print(f"{'FAILED' if complaint else 'ok':7} {check.__name__:12} {complaint or check.__doc__}", flush=True)
    if failed:
        return 1
    tag = f"v{version()}"
    only_looking = options.dry_run or options.only
    print(f"{'would make' if only_looking else 'making'} the signed tag {tag}; then: git push origin {tag}")
    if not only_looking:
        git("tag", "-s", tag, "-m", f"mastra {version()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
