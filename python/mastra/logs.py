"""Logging for the command line and the server: console or JSON lines, rotation, context, no secrets.

As a library mastra only logs to loggers below `mastra` and sets up nothing.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

from mastra.errors import BadSetting, MastraError
from mastra.types.secrets import redact, redact_value

ROOT = "mastra"
_context: ContextVar[dict[str, Any]] = ContextVar("mastra_log_context")
# What every LogRecord has by itself: anything else came by `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "context", "taskName"}


@contextmanager
def log_context(**facts: Any) -> Iterator[None]:
    """Everything logged inside carries these facts: run_id, thread_id, request_id, ..."""
    token = _context.set({**_context.get({}), **{name: value for name, value in facts.items() if value is not None}})
    try:
        yield
    finally:
        _context.reset(token)


def current_context() -> dict[str, Any]:
    """The facts that log lines carry here."""
    return dict(_context.get({}))


class _Context(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.context = _context.get({})
        return True


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    facts = {**getattr(record, "context", {}), **extra}
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, MastraError):
        facts["code"] = error.code
    cleaned: dict[str, Any] = redact_value(facts)
    return cleaned


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        moment = datetime.fromtimestamp(record.created, UTC)
        out: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            **_facts(record),
        }
        if record.exc_info:
            out["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(out, ensure_ascii=False, default=lambda value: redact(str(value)))


class ConsoleFormatter(logging.Formatter):
    """Time, level, message and facts, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, or with an error the lines, of a record."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        # A line break in a logged value must not look like another line of the log.
        message = redact(record.getMessage()).replace("\r", "\\r").replace("\n", "\\n")
        line = f"{clock} {record.levelname.lower():<7} {message}" + (f"  {facts}" if facts else "")
        if record.exc_info:
            line += "\n" + redact(self.formatException(record.exc_info))
        return line


class RotatingFile(RotatingFileHandler):
    """A file that gives way to a new one at a size or an age; a number of old ones is kept."""

    def __init__(self, path: str, *, size: int, age_s: float, keep: int) -> None:
        self._age_s = age_s
        self._limit = size
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            super().__init__(path, maxBytes=size, backupCount=keep, encoding="utf-8")
        except OSError as error:
            raise BadSetting(f"log.file: {path!r} cannot be written: {error.strerror}.") from error
        self._began = self._birth()

    def _birth(self) -> float:
        # The first line's age survives a restart only as the file's own time.
        status = Path(self.baseFilename).stat()
        return min(status.st_ctime, status.st_mtime) if status.st_size else time.time()

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802 - the standard library's name
        """Whether the record belongs into a new file."""
        if self._age_s and time.time() - self._began >= self._age_s and Path(self.baseFilename).stat().st_size:
            return 1
        return int(super().shouldRollover(record)) if self._limit else 0

    def doRollover(self) -> None:  # noqa: N802 - the standard library's name
        """Begin a new file."""
        if self.backupCount == 0:
            # The standard library would go on writing to the old file.
            Path(self.baseFilename).unlink(missing_ok=True)
        super().doRollover()
        self._began = time.time()


_ours: logging.Handler | None = None


def configure(
    *,
    level: str = "info",
    format: str = "console",
    file: str = "",
    rotate_bytes: int = 0,
    rotate_s: float = 0,
    keep: int = 7,
    stream: TextIO | None = None,
) -> None:
    """Write what `mastra` loggers say to standard error or a file: `configure(**asdict(settings.log))`.

    Called again, it replaces the former set-up. Only the logger `mastra` is touched, never the root: an application's
    own logging stays as it is.
    """
    global _ours  # noqa: PLW0603 - one set-up for the process
    handler: logging.Handler
    if file:
        handler = RotatingFile(file, size=rotate_bytes, age_s=rotate_s, keep=keep)
    else:
        handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else ConsoleFormatter())
    handler.addFilter(_Context())
    release()
    logger = logging.getLogger(ROOT)
    logger.setLevel(level.upper())
    logger.addHandler(handler)
    logger.propagate = False
    _ours = handler


def release() -> None:
    """Undo `configure`: flush, close, and leave logging as it was."""
    global _ours  # noqa: PLW0603 - one set-up for the process
    logger = logging.getLogger(ROOT)
    if _ours is not None:
        logger.removeHandler(_ours)
        _ours.close()
        _ours = None
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
