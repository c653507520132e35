"""`mastra build`: a folder that can be carried to another machine: wheels, lock, Dockerfile, entry point, SBOM."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from mastra.cli.deploy import dockerfile
from mastra.cli.options import AsJson
from mastra.cli.output import emit, fail

# What belongs to the application and not to the machine it was written on.
LEFT_OUT = {".git", ".venv", "venv", "__pycache__", "dist", "node_modules", ".env", ".mypy_cache", ".ruff_cache"}
ENTRY = '''"""Starts the application of this folder: python serve.py."""

from mastra.server.serve import run, settings_of

if __name__ == "__main__":
    run({target!r}, settings_of())
'''


def build(
    target: Annotated[str, typer.Argument(help="The application, as module:attribute.")] = "app:mastra",
    *,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("dist/mastra"),
    wheels: Annotated[bool, typer.Option(help="Download the wheels, so that nothing is fetched later.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write everything that a server needs into one folder."""
    here = Path.cwd()
    if out.exists():
        shutil.rmtree(out)
    app = out / "app"
    app.mkdir(parents=True)
    copied = _copy(here, app, out.resolve())
    packages = installed()
    lock = [f"{name}=={version}" for name, version in packages]
    (out / "requirements.lock").write_text("\n".join(lock) + "\n", encoding="utf-8")
    (app / "serve.py").write_text(ENTRY.format(target=target), encoding="utf-8")
    (out / "Dockerfile").write_text(dockerfile(target, wheels=wheels), encoding="utf-8")
    (out / "sbom.json").write_text(json.dumps(sbom(packages), indent=2) + "\n", encoding="utf-8")
    count = _download(out) if wheels else 0
    facts = {"folder": str(out), "files": copied, "packages": len(lock), "wheels": count}
    if as_json:
        emit(facts)
    else:
        typer.echo(f"{out}: {copied} files of yours, {len(lock)} packages locked, {count} wheels")
        typer.echo(f"  docker build -t my-app {out}")


def _copy(source: Path, target: Path, out: Path) -> int:
    count = 0
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        if any(part in LEFT_OUT or part.endswith((".db", ".db-wal", ".db-shm", ".egg-info")) for part in parts):
            continue
        if path.is_file() and not path.resolve().is_relative_to(out):
            place = target.joinpath(*parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
            count += 1
    return count


def installed() -> list[tuple[str, str]]:
    """What mastra needs, as it is installed here: names and versions, dependencies of dependencies among them."""
    found: dict[str, str] = {}
    waiting = ["mastra"]
    while waiting:
        name = waiting.pop()
        key = name.lower().replace("_", "-")
        if key in found:
            continue
        try:
            there = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[key] = there.version
        for line in there.requires or ():
            if "extra ==" in line:
                continue
            waiting.append(line.split(";")[0].split("[")[0].rstrip("<>=!~ .0123456789").split(" ")[0].split("<")[0]
                           .split(">")[0].split("=")[0].split("!")[0].split("~")[0].strip())  # fmt: skip
    return sorted(found.items())


def sbom(packages: list[tuple[str, str]]) -> dict[str, Any]:
    """What is inside, in CycloneDX's form."""
    parts = [
        {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
        for name, version in packages
    ]
    serial = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial[:8]}-{serial[8:12]}-4{serial[13:16]}-8{serial[17:20]}-{serial[20:32]}",
        "version": 1,
        "metadata": {"timestamp": datetime.now(UTC).isoformat(timespec="seconds")},
        "components": parts,
    }


def _download(out: Path) -> int:
    folder = out / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(folder), "-r", str(out / "requirements.lock")]
    uv = shutil.which("uv")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603 - our own list
    except (OSError, subprocess.TimeoutExpired) as error:
        raise fail(f"The wheels could not be downloaded: {error}", "Use --no-wheels.") from None
    if done.returncode != 0:
        hint = "Use --no-wheels" + (" (pip is missing here: this is a uv environment)." if uv else ".")
        raise fail(f"The wheels could not be downloaded: {done.stderr.strip()[-300:]}", hint)
    return len(list(folder.iterdir()))
