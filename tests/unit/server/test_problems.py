"""Errors on the wire: the protocol's statuses, and nothing internal."""

import pytest

from mastra import errors
from mastra.server.problems import Refused, problem


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (errors.NotFound("Agent with id x not found"), 404, {"error": "Agent with id x not found"}),
        (errors.RunMissing("Workflow run not found"), 404, {"error": "Workflow run not found"}),
        (errors.NotSuspended("This workflow run was not suspended"), 500, None),
        (errors.ResumeClaimed("taken"), 409, None),
        (errors.InvalidInput("bad"), 400, {"error": "bad"}),
        (errors.AccessDenied("no"), 403, {"error": "no"}),
        (errors.Unsupported("cannot"), 501, None),
        (errors.ModelUnavailable("mock model failure"), 500, {"error": "mock model failure"}),
        (errors.StorageUnavailable("down"), 503, None),
        (Refused(418, {"error": "teapot"}), 418, {"error": "teapot"}),
        (TimeoutError(), 504, {"error": "The request took too long"}),
    ],
)
def test_each_error_has_its_answer(error, status, body):
    told = problem(error)
    assert told.status == status
    if body is not None:
        assert told.body == body


def test_a_foreign_exception_says_nothing():
    assert problem(RuntimeError("password=hunter2")).body == {"error": "Internal Server Error"}


def test_hints_and_details_stay_on_the_server():
    error = errors.ModelError("failed", hint="key sk-1234", details={"body": "secret"})
    assert problem(error).body == {"error": "failed"}
