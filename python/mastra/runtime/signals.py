"""Ways to leave a function that are no errors: suspend, bail, ask the model to try again."""

from __future__ import annotations

from typing import Any


class Signal(BaseException):
    """Control flow. Not an `Exception`, so that `except Exception` in user code does not swallow it."""


class Suspend(Signal):
    """Stop here until somebody resumes; `payload` tells them why."""

    def __init__(self, payload: Any = None, *, label: str | None = None) -> None:
        super().__init__("suspended")
        self.payload = payload
        self.label = label


class Bail(Signal):
    """End the whole workflow run as a success with this result."""

    def __init__(self, result: Any = None) -> None:
        super().__init__("bailed")
        self.result = result


class ToolRetry(Exception):
    """A tool asks the model to call it again with other arguments; `message` tells the model why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
