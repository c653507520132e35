"""From what a provider says to a typed error, and how long it asks to wait."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mastra.errors import (
    AuthFailed,
    BadModelRequest,
    ContentRefused,
    ContextTooLong,
    ModelMissing,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
)
from mastra.providers.failures import describe, error_of_event, error_of_response, retry_after
from mastra.types.secrets import Secret

# What vendors send, as they publish it.
CASES = [
    (
        400,
        {
            "error": {
                "message": "This model's maximum context length is 8192 tokens.",
                "code": "context_length_exceeded",
            }
        },
        ContextTooLong,
        False,
    ),
    (
        400,
        {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens"}},
        ContextTooLong,
        False,
    ),
    (
        400,
        {
            "error": {
                "code": 400,
                "message": "The input token count (9) exceeds the maximum",
                "status": "INVALID_ARGUMENT",
            }
        },
        ContextTooLong,
        False,
    ),
    (
        413,
        {"error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}},
        ContextTooLong,
        False,
    ),
    (
        400,
        {
            "error": {
                "code": 400,
                "message": "API key not valid. Please pass a valid API key.",
                "status": "INVALID_ARGUMENT",
            }
        },
        AuthFailed,
        False,
    ),
    (400, {"error": {"code": "content_filter", "message": "The response was filtered"}}, ContentRefused, False),
    (404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, ModelMissing, False),
    (400, {"error": {"message": "x is not a valid model ID", "code": "invalid model"}}, ModelMissing, False),
    (422, {"detail": [{"msg": "field required", "loc": ["body"]}]}, BadModelRequest, False),
    (402, {"error": {"message": "Insufficient Balance"}}, RateLimited, False),
    (400, {"error": {"message": "Your credit balance is too low"}}, RateLimited, False),
    (429, {"message": "slow down"}, RateLimited, True),
    (408, {}, ModelTimeout, True),
    (409, {"error": {"message": "conflict"}}, ModelUnavailable, True),
    (500, [{"error": {"message": "internal", "status": "INTERNAL"}}], ModelUnavailable, True),
    (501, {}, ModelUnavailable, False),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, ModelUnavailable, True),
]


@pytest.mark.parametrize(("status", "payload", "kind", "retryable"), CASES)
def test_a_status_and_a_body_become_an_error(status, payload, kind, retryable):
    error = error_of_response(status, {}, json.dumps(payload).encode(), provider="acme", model="m")
    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.status, error.adapter, error.details["model"]) == (status, "acme", "m")


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, ModelUnavailable),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow"}}, RateLimited),
        ({"type": "error", "error": {"type": "authentication_error", "message": "Bad"}}, AuthFailed),
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota"}}, RateLimited),
        ({"error": {"code": "invalid_prompt", "message": "Invalid prompt"}}, BadModelRequest),
        ({"error": "something went wrong"}, ModelUnavailable),
    ],
)
def test_an_event_becomes_an_error(payload, kind):
    assert type(error_of_event(payload, provider="acme", model="m")) is kind


def test_what_a_proxy_says_in_html_is_not_repeated():
    error = error_of_response(502, {}, b"  <html>nginx</html>", provider="acme", model="m")
    assert "nginx" not in str(error)


def test_a_long_message_is_shortened_and_a_key_is_hidden():
    body = json.dumps({"error": {"message": "my-own-secret " + "x" * 10_000}}).encode()
    error = error_of_response(
        400, {}, body, provider="acme", model="m", secrets=[Secret("my-own-secret", passing=True)]
    )
    assert len(str(error)) < 700
    assert "my-own-secret" not in str(error)


@pytest.mark.parametrize("payload", [None, 1, [], {}, {"error": None}, {"error": 5}, [[1]], {"error": {"message": 7}}])
def test_any_shape_of_body_is_borne(payload):
    assert describe(payload)[0] == ""
    error_of_event(payload, provider="acme", model="m")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "6m0s"}, 360),
        ({"retry-after": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "450ms"}, 0.45),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "450ms"}, None),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"anthropic-ratelimit-tokens-reset": "2126-01-01T00:00:00Z"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_every_way_to_ask_for_patience_is_understood(headers, seconds):
    assert retry_after(headers) == seconds


def test_a_moment_is_understood_in_three_forms():
    moment = datetime.now(UTC) + timedelta(seconds=100)
    for text in (format_datetime(moment, usegmt=True), moment.isoformat(), str(moment.timestamp())):
        assert 95 < (retry_after({"retry-after": text}) or 0) <= 100
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached for gpt-5 on tokens per min (TPM): Please try again in 11.054s. Visit ...", 11.054),
        ("Please try again in 6m0s.", 360),
        ("Please try again in 1m30.5s.", 90.5),
        ("Please try again in 20ms.", 0.02),
        ("Quota exceeded. Please retry in 34.07s.", 34.07),
        ("Please retry after 30 seconds.", 30),
        ("Please retry after 2 minutes.", 120),
        ("Please try again in a while.", None),
        ("Try again.", None),
    ],
)
def test_a_wait_that_is_said_in_words_is_understood(message, seconds):
    assert retry_after({}, {"error": {"message": message}}) == (None if seconds is None else pytest.approx(seconds))


def test_a_minutes_quota_is_no_empty_account():
    message = "You exceeded your current quota, please check your plan and billing details."
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
    body = {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}}
    error = error_of_response(429, {}, json.dumps(body).encode(), provider="google", model="m")
    assert isinstance(error, RateLimited)
    assert (error.retryable, error.retry_after) == (True, 34)
    body = {"error": {"message": message, "type": "insufficient_quota", "code": "insufficient_quota"}}
    error = error_of_response(429, {"retry-after": "1"}, json.dumps(body).encode(), provider="openai", model="m")
    assert (type(error), error.retryable) == (RateLimited, False)


def test_a_proxy_that_wants_a_password_is_no_fault_of_the_request():
    error = error_of_response(407, {}, b"", provider="acme", model="m")
    assert (type(error), error.retryable) == (ModelUnavailable, False)


def test_google_asks_in_the_body():
    payload = {"error": {"details": [{"@type": "x"}, {"@type": "type.googleapis.com/RetryInfo", "retryDelay": "34s"}]}}
    assert retry_after({}, payload) == 34
