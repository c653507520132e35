"""Errors on the wire: which status and which body an exception becomes. Nothing internal leaves through here."""

from __future__ import annotations

from typing import Any, NamedTuple

from mastra import errors


class Problem(NamedTuple):
    """What a caller is told."""

    status: int
    body: dict[str, Any]
    code: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()


# The first class that fits decides; more special ones stand first.
_STATUSES: tuple[tuple[type[errors.MastraError], int], ...] = (
    (errors.NotFound, 404),
    (errors.RunMissing, 404),
    (errors.IndexMissing, 404),
    (errors.ToolMissing, 404),
    (errors.Unauthenticated, 401),
    (errors.AccessError, 403),
    (errors.ResumeClaimed, 409),
    (errors.RunExists, 409),
    (errors.LeaseLost, 409),
    (errors.Conflict, 409),
    (errors.ApprovalInvalid, 409),
    (errors.IndexExists, 409),
    (errors.DimensionMismatch, 400),
    (errors.InputError, 400),
    # What a request asks for is a definition too: tools of the caller, a shape, instructions.
    (errors.BadDefinition, 400),
    (errors.BadArguments, 400),
    (errors.NotSerialisable, 400),
    (errors.NativeInvalidArgument, 400),
    (errors.NativeInvalidEncoding, 400),
    (errors.LimitReached, 429),
    (errors.Unsupported, 501),
    (errors.StorageUnavailable, 503),
)


class Refused(errors.MastraError):
    """A request that the server refuses by itself, with the exact status and body of the protocol."""

    code = "refused"

    def __init__(self, status: int, body: dict[str, Any], *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(str(body.get("error", body.get("message", ""))))
        self.status = status
        self.body = body
        self.headers = headers


def problem(error: BaseException) -> Problem:
    """The problem that an exception stands for; foreign exceptions become a 500 that says nothing."""
    if isinstance(error, Refused):
        return Problem(error.status, error.body, error.code, error.headers)
    if isinstance(error, TimeoutError) and not isinstance(error, errors.MastraError):
        return Problem(504, {"error": "The request took too long"}, "timeout")
    if not isinstance(error, errors.MastraError):
        return Problem(500, {"error": "Internal Server Error"}, "internal")
    if type(error) is errors.RunError and error.__cause__ is not None:
        # A run that broke on code which is not ours: what it says may be anything.
        return Problem(500, {"error": "Internal Server Error"}, error.code)
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    return Problem(status, {"error": error.message}, error.code)


def invalid(what: str, issues: list[dict[str, str]]) -> Refused:
    """The answer to a body, query or path that does not fit its shape."""
    return Refused(400, {"error": f"Invalid {what}", "issues": issues})


def openai_body(told: Problem) -> dict[str, Any]:
    """The same problem as OpenAI's SDK reads it; issues go into the message."""
    message = str(told.body.get("error", told.body.get("message", "error")))
    issues = [f"{one['field']}: {one['message']}" for one in told.body.get("issues", ())]
    code = told.code if told.code and told.code != Refused.code else None
    kind = "server_error" if told.status >= 500 else "invalid_request_error"
    return {"error": {"message": "; ".join([message, *issues]), "type": kind, "param": None, "code": code}}
