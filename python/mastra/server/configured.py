"""The settings of a server as its options, at the start and while it runs: a change needs no restart.

What the code says (`Mastra(server=ServerOptions(...))`) holds until a setting says otherwise; keys add to its auth.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra import logs
from mastra.errors import BadSetting
from mastra.server.access import ROLES
from mastra.server.auth import AuthProvider, Several, StaticKeys
from mastra.server.limits import Rate
from mastra.server.options import ServerOptions, check_bind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mastra.server.http import App
    from mastra.settings import LiveSettings, Settings

log = logging.getLogger("mastra.server")
# setting -> option, where one is the other.
_SAME = {"api_prefix": "prefix", "cors_origins": "cors_origins", "max_body_bytes": "max_body"}
_SAME |= {name: name for name in ("timeout_s", "drain_s")}
_RATES = ("rate_per_key", "rate_per_address")
# Read once: listening and routing cannot move under a running server.
AT_START = ("server.host", "server.port", "server.workers", "server.api_prefix", "server.drain_s")


def server_options(base: ServerOptions, settings: Settings) -> ServerOptions:
    """The options of the code with those that the settings give; refuses what does not go together."""
    said, given = settings.server, settings.given
    facts: dict[str, Any] = {option: getattr(said, name) for name, option in _SAME.items() if f"server.{name}" in given}
    for name in _RATES:
        if f"server.{name}" in given:
            rate: float = getattr(said, name)
            facts[name] = Rate(rate, max(1, round(2 * rate))) if rate else None
    providers: list[AuthProvider] = [] if base.auth is None else [base.auth]
    if said.keys_file:
        providers.append(read_keys(Path(said.keys_file), base.roles))
    if said.token:
        providers.append(StaticKeys({said.token.reveal(): {"id": "token", "roles": ["owner"]}}))
    if providers:
        facts["auth"] = providers[0] if len(providers) == 1 else Several(providers)
    return replace(base, **facts)


def read_keys(path: Path, roles: Mapping[str, Any] = ROLES) -> StaticKeys:
    """The keys of a file: `"sha256:<hash>"` (as `mastra keys new` prints it) to whose it is."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        # A parser may quote the text: it must not be shown.
        reason = error.strerror if isinstance(error, OSError) else "it is neither JSON nor TOML"
        raise BadSetting(f"The keys file {str(path)!r} cannot be read: {reason}.") from None
    if not isinstance(data, dict):
        raise BadSetting(f"The keys file {str(path)!r} is not a table of keys.")
    for number, (key, owner) in enumerate(data.items(), 1):
        wrong = _wrong(key, owner, roles)
        if wrong:
            raise BadSetting(f"The keys file {str(path)!r}, entry {number}: {wrong}.")
    return StaticKeys(data, roles=roles)


def _wrong(key: str, owner: object, roles: Mapping[str, Any]) -> str:
    """What is wrong with an entry of a keys file, without its key."""
    if not key.startswith("sha256:") or len(key) != 71:
        return "the key is no hash; `mastra keys new` prints one"
    if not isinstance(owner, dict) or not isinstance(owner.get("id"), str):
        return "it does not say whose the key is (id)"
    names = owner.get("roles", [])
    if not isinstance(names, list) or any(name not in roles for name in names):
        return f"roles is not a list of {', '.join(roles)}"
    for name in ("resource", "tenant", "name", "email"):
        if not isinstance(owner.get(name, ""), str):
            return f"{name} is not a text"
    until = owner.get("expiresAt", 0)
    if isinstance(until, bool) or not isinstance(until, int | float):
        return "expiresAt is not a number of seconds since 1970"
    permissions = owner.get("permissions", [])
    if not isinstance(permissions, list) or not all(isinstance(one, str) for one in permissions):
        return "permissions is not a list of texts"
    return ""


class Following:
    """Keeps a running application's options as the settings are. Stands beside it: start, stop."""

    def __init__(self, app: App, base: ServerOptions, live: LiveSettings, *, every_s: float = 1.0) -> None:
        self._app = app
        self._base = base
        self._live = live
        self._every_s = every_s
        self._host = live.current.server.host
        self._task: asyncio.Task[None] | None = None
        self._next: ServerOptions | None = None
        live.guard(self._check)
        live.subscribe(self._apply)

    async def start(self) -> None:
        """Look at the files from now on."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._live.watch(self._every_s), name="mastra-settings")

    async def stop(self) -> None:
        """Look no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def _check(self, new: Settings) -> None:
        options = server_options(self._base, new)
        check_bind(self._host, options)
        self._next = options

    def _apply(self, old: Settings, new: Settings) -> None:
        later = [name for name in AT_START if _value(old, name) != _value(new, name)]
        if later:
            log.warning("These settings take effect at the next start: %s", ", ".join(later))
        if old.log != new.log:
            logs.configure(**asdict(new.log))
            logging.getLogger("uvicorn.error").setLevel(new.log.level.upper())
        if self._next is not None:
            now = self._app.options
            self._app.reconfigure(replace(self._next, prefix=now.prefix, drain_s=now.drain_s, page=now.page))


def _value(settings: Settings, name: str) -> Any:
    section, _, field = name.partition(".")
    return getattr(getattr(settings, section), field)
