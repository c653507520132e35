"""Settings that follow their file: a change is validated, applied as a whole and told to subscribers."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mastra.errors import MastraError
from mastra.settings.settings import Settings
from mastra.settings.sources import find_file

Subscriber: TypeAlias = Callable[[Settings, Settings], None]
Stamp: TypeAlias = tuple[int, int, int] | None

log = logging.getLogger("mastra.settings")


class LiveSettings:
    """The settings in force now. `current` is always one whole, valid `Settings`."""

    def __init__(
        self,
        file: str | os.PathLike[str] | None = None,
        *,
        dotenv: str | os.PathLike[str] | None = ".env",
        environ: Mapping[str, str] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self._file = find_file(file)
        self._dotenv = Path(dotenv) if dotenv is not None else None
        self._environ = environ
        self._arguments = arguments
        self._subscribers: list[Subscriber] = []
        self._checks: list[Callable[[Settings], None]] = []
        self.current = self._load()
        self._beside = self._stamps(self.current)
        self._seen = self._fingerprint()

    def _load(self) -> Settings:
        return Settings.load(self._file, dotenv=self._dotenv, environ=self._environ, arguments=self._arguments)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber(old, new)` after every change; the returned function ends that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber) if subscriber in self._subscribers else None

    def guard(self, check: Callable[[Settings], None]) -> None:
        """Ask `check(new)` before every change: a `MastraError` refuses it as if the file were invalid."""
        self._checks.append(check)

    def reload(self) -> bool:
        """Read everything again; whether the settings, or a file that they name, changed.

        An invalid file leaves the old settings in force and is logged. A subscriber that raises is logged; the
        others are told all the same.
        """
        try:
            new = self._load()
            beside = self._stamps(new)
            for check in self._checks:
                check(new)
        except MastraError as error:
            log.error("The changed settings are refused, the old ones stay in force: %s", error)  # noqa: TRY400 - the message says it all
            return False
        old, self.current = self.current, new
        same, self._beside = beside == self._beside, beside
        if old == new and same:
            return False
        log.info("The settings changed: %s", ", ".join(_changes(old, new)) or "a file that they name")
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(old, new)
            except Exception:
                log.exception("A subscriber to the settings failed")
        return True

    async def watch(self, every_s: float = 1.0) -> None:
        """Reload whenever a file changes, until cancelled. Files are looked at every `every_s` seconds."""
        while True:
            seen = await asyncio.to_thread(self._fingerprint)
            if seen != self._seen:
                self._seen = seen
                self.reload()
            await asyncio.sleep(every_s)

    def _fingerprint(self) -> tuple[Stamp, ...]:
        if self._file is None:
            self._file = find_file(None)  # one that was not there at the start
        return tuple(map(_stamp, (self._file, self._dotenv, *self.current.files())))

    def _stamps(self, settings: Settings) -> tuple[Stamp, ...]:
        return tuple(map(_stamp, settings.files()))


def _stamp(path: Path | None) -> Stamp:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _changes(old: Settings, new: Settings) -> list[str]:
    before, after = old.to_dict(), new.to_dict()
    names = [f"{section}.{field}" for section, part in after.items() for field in part]
    moved = old.given ^ new.given
    return [
        name
        for name in names
        for section, _, field in [name.partition(".")]
        if name in moved or before[section][field] != after[section][field]
    ]
