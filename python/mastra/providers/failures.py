"""From what a provider says when it refuses to a typed error: status, body and headers, or an event in a stream."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic_core import from_json

from mastra.errors import (
    AuthFailed,
    BadModelRequest,
    ContentRefused,
    ContextTooLong,
    ModelError,
    ModelMissing,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
)
from mastra.providers.keys import redact
from mastra.types.secrets import Secret

_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|limit)|maximum.{0,20}(context|prompt|input).{0,20}(length|tokens)|prompt is too long"
    r"|too many (input )?tokens|input.{0,20}(is too long|exceeds)|exceed.{0,30}(context|token limit|input token)"
    r"|token count.{0,30}exceeds|reduce the length",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"content.?(filter|policy|management)|safety|moderation|responsible ai|guardrail", re.IGNORECASE)
_BAD_KEY = re.compile(r"api.?key.{0,20}(not valid|invalid|expired|missing)|invalid.{0,10}api.?key", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model.{0,60}(not found|does not exist|not exist|is not supported|not available|unknown|invalid model)"
    r"|(no such|unknown|invalid|unsupported) model|try pulling it",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(
    r"insufficient.{0,10}(quota|balance|credit|funds)|billing|credit balance|exceeded your current quota",
    re.IGNORECASE,
)
_OVERLOADED = re.compile(
    r"overload|unavailable|capacity|throttl|try again|internal|server.?error|timeout", re.IGNORECASE
)
_RATE = re.compile(r"rate.?limit|too.?many.?requests|throttling|resource.?exhausted|\b429\b", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SAID_WAIT = re.compile(r"(?:try again|retry) (?:in|after) (?:(\d+)m)?(\d+(?:\.\d+)?) ?(ms|s|m|h|d)(?:ec|in|our|ay|\b)")
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "x-goog-request-id", "cf-ray")
_RESET_HEADERS = (
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-reset",
    "x-ratelimit-reset",
)
_LONGEST_MESSAGE = 500
_MESSAGE_FIELDS = ("message", "detail", "msg", "Message", "error_message")


def error_of_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    provider: str,
    model: str,
    secrets: Iterable[Secret | None] = (),
) -> ModelError:
    """The error that an answer with a bad status stands for."""
    try:
        payload = from_json(body)
    except ValueError:
        payload = None
    message, kind = describe(payload)
    if not message:
        # A proxy's HTML page: its text is noise, its presence is a fact.
        message = "" if body.lstrip()[:1] == b"<" else body[:_LONGEST_MESSAGE].decode("utf-8", "replace").strip()
    facts: dict[str, Any] = {"model": model}
    for name in _REQUEST_ID_HEADERS:
        if name in headers:
            facts["request_id"] = headers[name][:100]
            break
    return make_error(
        status, kind, message, provider=provider, wait=retry_after(headers, payload), facts=facts, secrets=secrets
    )


def error_of_event(payload: Any, *, provider: str, model: str, secrets: Iterable[Secret | None] = ()) -> ModelError:
    """The error that an event inside a stream, or the body of a false success, stands for."""
    message, kind = describe(payload)
    status = _status_in(payload)
    return make_error(
        status, kind, message, provider=provider, wait=retry_after({}, payload), facts={"model": model}, secrets=secrets
    )


def make_error(
    status: int | None,
    kind: str,
    message: str,
    *,
    provider: str,
    wait: float | None = None,
    facts: dict[str, Any] | None = None,
    secrets: Iterable[Secret | None] = (),
) -> ModelError:
    """The typed error for a status, a vendor's word for it, and its message."""
    said = redact(message[:_LONGEST_MESSAGE], secrets)
    word = redact(kind[:100], secrets)
    text = f"{provider} answered {status}" if status else f"{provider} reported an error"
    if word and word.lower() not in said.lower():
        text += f" ({word})"
    text += f": {said}" if said else "."
    details = {**(facts or {}), **({"kind": word} if word else {})}
    known: dict[str, Any] = {"adapter": provider, "status": status, "details": details}
    about = f"{kind} {message}"
    if status == 407:
        wants = f"The proxy before {provider} wants a password."
        return ModelUnavailable(wants, retryable=False, hint="Check the proxy and its password.", **known)
    if status in (401, 403) or (status in (400, None) and _BAD_KEY.search(about)) or kind == "authentication_error":
        return AuthFailed(text, hint="Check the API key and what it may use.", **known)
    # Google says the same of a minute's quota as of an empty account; a wait tells them apart.
    waits = status == 429 and wait is not None and kind != "insufficient_quota"
    if status == 402 or (status in (429, 400, None) and _NO_MONEY.search(about) and not waits):
        return RateLimited(
            text, retryable=False, retry_after=wait, hint="The account has no quota or credit left.", **known
        )
    if status == 429 or (status is None and _RATE.search(about)):
        return RateLimited(text, retry_after=wait, **known)
    if status in (408, 504):
        return ModelTimeout(text, **known)
    if status is not None and (status >= 500 or status in (409, 425)):
        return ModelUnavailable(text, retry_after=wait, retryable=status not in (501, 505), **known)
    if _TOO_LONG.search(about) or status == 413:
        return ContextTooLong(text, hint="Shorten the history, or choose a model with a larger context.", **known)
    if status == 404 or _NO_MODEL.search(about):
        return ModelMissing(text, hint="Check the model's name and the endpoint's URL.", **known)
    if _REFUSED.search(about):
        return ContentRefused(text, **known)
    if status is None and _OVERLOADED.search(about):
        return ModelUnavailable(text, retry_after=wait, **known)
    if status is None and "invalid" not in about.lower():
        return ModelUnavailable(text, retry_after=wait, **known)
    return BadModelRequest(text, **known)


def describe(payload: Any) -> tuple[str, str]:
    """The message and the vendor's word for the kind of error, out of any of the shapes that vendors use."""
    if isinstance(payload, list) and payload:
        payload = payload[0]
    if isinstance(payload, str):
        return payload, ""
    if not isinstance(payload, dict):
        return "", ""
    error = payload.get("error", payload)
    if isinstance(error, str):
        return error, str(payload.get("type") or payload.get("code") or "")
    if not isinstance(error, dict):
        error = payload
    message = next(
        (
            error[key]
            for key in ("message", "detail", "msg", "Message", "error_message")
            if isinstance(error.get(key), str)
        ),
        "",
    )
    if not message and isinstance(error.get("detail"), list):
        message = "; ".join(str(item.get("msg", "")) for item in error["detail"] if isinstance(item, dict))
    words = [error.get("code"), error.get("type"), error.get("status"), error.get("__type")]
    kind = next((word for word in words if isinstance(word, str) and word not in ("error", "")), "")
    return message, kind


def _status_in(payload: Any) -> int | None:
    error = payload.get("error", payload) if isinstance(payload, dict) else None
    if isinstance(error, dict):
        for key in ("code", "status", "status_code", "http_code"):
            value = error.get(key)
            if isinstance(value, str) and value.isdigit():
                value = int(value)
            if isinstance(value, int) and 400 <= value < 600:
                return value
    return None


def retry_after(headers: Mapping[str, str], payload: Any = None) -> float | None:
    """How many seconds the provider asks to wait, in whichever form it says so; None when it does not."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _seconds(headers[name]) if name in headers else None
        if milliseconds is not None:
            return milliseconds / 1000
    if "retry-after" in headers:
        seconds = _seconds(headers["retry-after"])
        if seconds is not None:
            return seconds
    delay = _delay_in(payload)
    if delay is not None:
        return delay
    if headers.get("x-ratelimit-remaining-requests") == "0" or headers.get("x-ratelimit-remaining-tokens") == "0":
        waits = [wait for name in _RESET_HEADERS if name in headers and (wait := _seconds(headers[name])) is not None]
        return max(waits, default=None)
    return None


def _delay_in(payload: Any) -> float | None:
    # Google says it in the details of the error: {"@type": ".../RetryInfo", "retryDelay": "34s"}.
    error = payload.get("error") if isinstance(payload, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(detail.get("retryDelay"), str):
            return _seconds(detail["retryDelay"])
    # In the middle of a stream there are no headers; OpenAI and others say it in words.
    said = _SAID_WAIT.search(describe(payload)[0])
    return None if said is None else float(said[1] or 0) * 60 + float(said[2]) * _UNITS[said[3]]


def _seconds(text: str) -> float | None:
    """Seconds out of `12`, `1.5`, `6m0s`, `450ms`, an HTTP date or an ISO moment."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if not 0 <= number < float("inf"):
            return None
        # Some send the moment as seconds since 1970.
        return max(0.0, number - time.time()) if number > 1e9 else number
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
