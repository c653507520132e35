"""`mastra doctor`: what is installed, what is weak, what is missing."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import NamedTuple

import typer

from mastra import registry
from mastra.cli.options import App, AsJson
from mastra.cli.output import Exit, emit, wait
from mastra.errors import MastraError
from mastra.native import build_info
from mastra.native.distance import active_kernel

SQLITE_SAFE = (3, 51, 3)


class Finding(NamedTuple):
    """One thing that was looked at. `state` is ok, note or problem."""

    name: str
    state: str
    detail: str
    hint: str = ""


def doctor(*, app: App = None, as_json: AsJson = False) -> None:
    """Look at the installation and the application. Exit code 3: there is a problem."""
    findings = [*_machine(), _sqlite(), *_keys(), *_application(app)]
    if as_json:
        emit([one._asdict() for one in findings])
    else:
        for one in findings:
            mark = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}[one.state]
            typer.echo(f"{mark} {one.name:<18} {one.detail}" + (f"\n        {one.hint}" if one.hint else ""))
    if any(one.state == "problem" for one in findings):
        raise typer.Exit(int(Exit.FINDINGS))


def _machine() -> list[Finding]:
    return [
        Finding("python", "ok", f"{platform.python_version()} ({sys.executable})"),
        Finding("mastra", "ok", metadata.version("mastra")),
        _core(),
    ]


def _core() -> Finding:
    info = build_info()
    if info["compiler"] == "none":
        missing = "missing: pure-Python parsers and a search through every row stand in, slower"
        return Finding(
            "core", "note", missing, "Install mastra from a wheel for this platform, or with a C++ compiler."
        )
    return Finding("core", "ok", f"{info['version']} by {info['compiler']}, kernel {active_kernel()}")


def _sqlite() -> Finding:
    import apsw  # noqa: PLC0415 - only this verb asks

    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < SQLITE_SAFE:
        return Finding("sqlite", "problem", version, "Older than 3.51.3, which can damage files: pip install -U apsw")
    return Finding("sqlite", "ok", version)


def _keys() -> list[Finding]:
    found = []
    for name in registry.names("mastra.providers"):
        variable = f"{name.upper().replace('-', '_')}_API_KEY"
        if os.environ.get(variable):
            found.append(Finding("key", "ok", f"{variable} is set"))
    return found or [Finding("key", "note", "no key of a model provider in the environment", "scripted/... needs none")]


def _application(target: str | None) -> list[Finding]:
    from mastra.server.loading import load_application  # noqa: PLC0415 - loads the application
    from mastra.server.options import ServerOptions  # noqa: PLC0415 - the same

    try:
        mastra = load_application(target)
    except MastraError as error:
        return [Finding("application", "note" if target is None else "problem", error.message, error.hint)]
    except Exception as error:  # noqa: BLE001 - a program that cannot be imported is a finding, whatever it raises
        told = f"cannot be imported: {type(error).__name__}: {error}"
        return [Finding("application", "problem", told, "Run the program itself to see where.")]
    found = [Finding("application", "ok", f"{len(mastra.agents)} agents, {len(mastra.workflows)} workflows")]

    async def opens() -> None:
        async with mastra:
            pass

    try:
        wait(opens())
        found.append(Finding("storage", "ok", f"{type(mastra.storage).__name__} opens"))
    except (MastraError, OSError) as error:
        found.append(Finding("storage", "problem", str(error)))
    options: ServerOptions = mastra.server or ServerOptions()
    if options.auth is None:
        found.append(Finding("auth", "note", "none: the server will only listen on this machine"))
    if options.allowed_hosts is not None and "*" in options.allowed_hosts and options.auth is None:
        found.append(Finding("hosts", "problem", "any host name is allowed without auth", "Name the hosts."))
    if not options.audit:
        found.append(Finding("audit", "note", "the audit log is off"))
    return found
