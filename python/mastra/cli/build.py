"""`mastra build`: a folder that can be carried to another machine: wheels, lock, Dockerfile, entry point, SBOM."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mastra.cli.deploy import PYTHON_IMAGE, dockerfile
from mastra.cli.options import AsJson
from mastra.cli.output import emit, fail, progress
from mastra.cli.wheelhouse import Package, closure, requirements, write_wheel

# What belongs to the application and not to the machine it was written on.
LEFT_OUT = {".git", ".venv", "venv", "__pycache__", "dist", "node_modules", ".env", ".mypy_cache", ".ruff_cache"}
_MARK = "mastra-build.json"
ENTRY = '''"""Starts the application of this folder: python serve.py."""

from mastra.server.serve import run, settings_of

if __name__ == "__main__":
    run({target!r}, settings_of())
'''


def build(
    target: Annotated[str, typer.Argument(help="The application, as module:attribute.")] = "app:mastra",
    *,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("dist/mastra"),
    wheels: Annotated[
        bool, typer.Option(help="Write the wheels of what is installed here, so that nothing is fetched later.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Write everything that a server needs into one folder: your files, what they need, and how to start them."""
    here = Path.cwd()
    _check(here, target, out)
    if wheels and sys.platform != "linux":
        raise fail("Wheels of this system do not run in a Linux image.", "Use --no-wheels: the image installs its own.")
    if out.exists():
        shutil.rmtree(out)
    app = out / "app"
    app.mkdir(parents=True)
    copied = _copy(here, app, out.resolve())
    packages = closure(requirements(here))
    made = _write_wheels(packages, out / "wheels", show=not as_json) if wheels else {}
    lock = [f"{package.name}=={package.version}" for package in packages]
    (out / "requirements.lock").write_text("\n".join(lock) + "\n", encoding="utf-8")
    (app / "serve.py").write_text(ENTRY.format(target=target), encoding="utf-8")
    image = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim" if wheels else PYTHON_IMAGE
    (out / "Dockerfile").write_text(dockerfile(target, built=True, wheels=wheels, image=image), encoding="utf-8")
    (out / "sbom.json").write_text(json.dumps(sbom(here.name, packages, made), indent=2) + "\n", encoding="utf-8")
    facts = {"folder": str(out), "files": copied, "packages": len(lock), "wheels": len(made)}
    (out / _MARK).write_text(json.dumps({**facts, "target": target}) + "\n", encoding="utf-8")
    if as_json:
        emit(facts)
    else:
        typer.echo(f"{out}: {copied} files of yours, {len(lock)} packages locked, {len(made)} wheels")
        typer.echo(f"  docker build -t my-app {out}")


def _check(here: Path, target: str, out: Path) -> None:
    """Refuse what would build nothing, or lose something."""
    name = target.partition(":")[0]
    places = [here / name] if name.endswith(".py") else [
        here / f"{name.replace('.', '/')}.py", here / name.replace(".", "/") / "__init__.py"]  # fmt: skip
    if not any(place.is_file() for place in places):
        raise fail(f"There is no application {target!r} in {here}.", "Write module:attribute, such as app:mastra.")
    if here.is_relative_to(out.resolve()):
        raise fail(f"{out} holds the application itself.", "Choose another folder with --out.")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / _MARK).is_file())):
        raise fail(f"{out} is there and was not made by this command.", "Choose another folder with --out.")


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


def _write_wheels(packages: list[Package], folder: Path, *, show: bool) -> dict[str, Path]:
    """The wheel of each package by its name."""
    folder.mkdir()
    return {package.name: write_wheel(package, folder) for package in progress(packages, "wheels", show=show)}


def sbom(name: str, packages: list[Package], wheels: dict[str, Path]) -> dict[str, Any]:
    """What is inside, in CycloneDX's form."""
    parts = []
    for package in packages:
        part: dict[str, Any] = {"type": "library", "name": package.name, "version": package.version}
        part["purl"] = part["bom-ref"] = f"pkg:pypi/{package.name}@{package.version}"
        if package.name in wheels:
            digest = hashlib.sha256(wheels[package.name].read_bytes()).hexdigest()
            part["hashes"] = [{"alg": "SHA-256", "content": digest}]
        parts.append(part)
    serial = hashlib.sha256(json.dumps([name, parts]).encode()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial[:8]}-{serial[8:12]}-4{serial[13:16]}-8{serial[17:20]}-{serial[20:32]}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {"type": "application", "name": name, "bom-ref": "application"},
        },
        "components": parts,
    }
