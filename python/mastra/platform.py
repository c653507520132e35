"""Which platform this is, and the defaults that differ from one to the other, as data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

Name: TypeAlias = Literal["linux", "macos", "windows", "android", "ios", "harmonyos", "wasm", "unknown"]
Libc: TypeAlias = Literal["glibc", "musl", "bionic", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformDefaults:
    """What a platform allows or prefers, as data; the settings take their defaults from it."""

    # Outgoing HTTP connections kept by one model client, all and idle.
    max_connections: int = 1000
    max_idle_connections: int = 100
    # Where the server listens when nothing else is said.
    host: str = "127.0.0.1"
    port: int = 4111
    # Lowest TLS version for outgoing connections, and whether the system's certificate store can be used.
    tls_minimum: Literal["1.2", "1.3"] = "1.2"
    system_certificates: bool = True
    # Whether child processes (MCP over stdio, code sandboxes) and threads can be started.
    processes: bool = True
    threads: bool = True
    # Rows and files go below this folder; "~" is the user's or the application's home.
    data_folder: str = "~/.mastra"


# Telephones and consoles close idle sockets and count open files; a browser has neither threads nor processes.
_PHONE = PlatformDefaults(max_connections=16, max_idle_connections=4, processes=False, tls_minimum="1.3")
DEFAULTS: Mapping[Name, PlatformDefaults] = {
    "linux": PlatformDefaults(data_folder="~/.local/share/mastra"),
    "macos": PlatformDefaults(data_folder="~/Library/Application Support/mastra"),
    "windows": PlatformDefaults(data_folder="~/AppData/Local/mastra"),
    "android": _PHONE,
    "ios": _PHONE,
    # Applications reach only their own sandbox; 4111 is free for them, ports below 1024 are not.
    "harmonyos": PlatformDefaults(
        max_connections=32,
        max_idle_connections=8,
        processes=False,
        tls_minimum="1.3",
        system_certificates=False,
        data_folder="~/files/mastra",
    ),
    "wasm": PlatformDefaults(
        max_connections=6, max_idle_connections=0, processes=False, threads=False, system_certificates=False
    ),
    "unknown": PlatformDefaults(processes=False),
}


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform that runs us."""

    name: Name
    machine: str
    libc: Libc

    @property
    def defaults(self) -> PlatformDefaults:
        """What this platform allows or prefers."""
        return DEFAULTS[self.name]


@cache
def here() -> PlatformDefaults:
    """What the platform that runs us allows or prefers."""
    return DEFAULTS[_name(sys.platform, os.environ, os.path.exists)]


def detect(
    system: str | None = None,
    *,
    machine: str | None = None,
    environ: Mapping[str, str] | None = None,
    abi: str | None = None,
    exists: Callable[[str], bool] = os.path.exists,
) -> Platform:
    """The platform, from `sys.platform` and marks in the file system; the arguments stand in for them in tests.

    OpenHarmony's Python may call itself `linux`, so its own files are looked for before that name is believed.
    """
    system = sys.platform if system is None else system
    environ = os.environ if environ is None else environ
    machine = _machine() if machine is None else machine
    name = _name(system, environ, exists)
    return Platform(name, machine.lower(), _libc(name, _abi() if abi is None else abi))


_BY_SYSTEM: Mapping[str, Name] = {
    "darwin": "macos",
    "win32": "windows",
    "cygwin": "windows",
    "android": "android",
    "ios": "ios",
    "ohos": "harmonyos",
    "openharmony": "harmonyos",
    "harmonyos": "harmonyos",
    "emscripten": "wasm",
    "wasi": "wasm",
}
_OHOS_MARKS = ("/system/etc/param/ohos.para", "/etc/param/ohos.para", "/system/lib64/libace_napi.z.so")


def _name(system: str, environ: Mapping[str, str], exists: Callable[[str], bool]) -> Name:
    if system in _BY_SYSTEM:
        return _BY_SYSTEM[system]
    if not system.startswith("linux"):
        return "unknown"
    if any(map(exists, _OHOS_MARKS)):
        return "harmonyos"
    # Before Python 3.13 Android called itself linux; its loader sets both of these.
    if "ANDROID_ROOT" in environ and "ANDROID_DATA" in environ:
        return "android"
    return "linux"


def _libc(name: Name, abi: str) -> Libc:
    if name == "linux":
        return "musl" if "musl" in abi else "glibc"
    if name == "android":
        return "bionic"
    return "musl" if name == "harmonyos" else "other"


def _abi() -> str:
    from sysconfig import get_config_var  # noqa: PLC0415 - slow to load, needed once

    return str(get_config_var("SOABI") or "")


def _machine() -> str:
    if hasattr(os, "uname"):
        return os.uname().machine
    return os.environ.get("PROCESSOR_ARCHITECTURE", "unknown")
