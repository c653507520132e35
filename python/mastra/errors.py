"""Every error that mastra raises, and nothing else. The whole tree, in one look.

MastraError                     code, message, hint, retryable, details
├─ ConfigError                  the set-up is wrong, nothing has run yet
│  ├─ MissingExtra              an optional dependency is not installed (also ImportError)
│  ├─ MissingKey                an API key is needed and nowhere to be found
│  ├─ UnknownAdapter            no adapter answers to this URL scheme (also LookupError)
│  ├─ UnknownSetting            a setting that does not exist (also LookupError)
│  ├─ BadSetting                a setting with a value that cannot be (also ValueError)
│  └─ BadDefinition             an agent, tool or workflow that cannot work as declared (also TypeError)
├─ InputError                   what the caller gave is not acceptable (also ValueError)
│  ├─ InvalidInput              a value fails its schema or its bounds
│  ├─ InvalidId                 an id with a wrong length or alphabet
│  └─ InvalidFilter             a filter that the filter language does not know
├─ NotFound                     a named thing that is not there (also LookupError)
├─ AccessError                  who asks may not
│  ├─ Unauthenticated           no valid token
│  └─ AccessDenied              a valid token without the right
├─ AdapterError                 something outside failed; adapter, status
│  ├─ ModelError
│  │  ├─ AuthFailed             the provider refuses the key
│  │  ├─ RateLimited            too many requests or tokens; retry_after
│  │  ├─ ContextTooLong         the prompt does not fit the model
│  │  ├─ ContentRefused         the provider's filter refused
│  │  ├─ ModelMissing           the provider does not know the model
│  │  ├─ BadModelRequest        the provider calls the request wrong
│  │  ├─ ModelUnavailable       the provider failed or is overloaded
│  │  ├─ ModelTimeout           no answer in time (also TimeoutError)
│  │  ├─ StreamBroken           a stream ended, stalled or broke before its terminal event
│  │  └─ ResponseMalformed      bytes that the provider's protocol does not allow
│  ├─ StorageError
│  │  ├─ Conflict               a precondition of a write no longer holds
│  │  ├─ StorageCorrupt         stored bytes that fail their checks; refused whole
│  │  ├─ StorageFull            no space; nothing was written
│  │  ├─ StorageUnavailable     the database cannot be reached or is busy for too long
│  │  │  └─ CommitUnknown       the connection broke during a commit; the write may have happened
│  │  └─ SchemaTooNew           written by a newer version than this one
│  ├─ VectorError
│  │  ├─ IndexMissing           no such index (also LookupError)
│  │  ├─ IndexExists            an index of this name with other properties
│  │  └─ DimensionMismatch      a vector has another length than its index (also ValueError)
│  ├─ CacheError                a cache backend failed
│  ├─ BusError                  an event bus failed
│  ├─ McpError                  an MCP peer failed or broke its protocol
│  └─ SpeechError               a speech provider failed
├─ RunError                     one run failed; run_id, step
│  ├─ LimitReached              steps, tokens, money, time or calls are used up
│  ├─ Aborted                   the caller or a deadline stopped the run
│  ├─ Tripwire                  a processor blocked the run
│  ├─ OutputInvalid             the answer does not fit the asked-for shape
│  ├─ ApprovalInvalid           an approval that is unknown, used, expired or for other arguments
│  └─ ToolError
│     ├─ ToolMissing            the model called a tool that is not there
│     ├─ BadArguments           arguments that fail the tool's schema
│     ├─ ToolFailed             the tool's own code raised
│     └─ ToolTimeout            the tool took too long (also TimeoutError)
├─ WorkflowError                run_id, step
│  ├─ StepFailed                a step raised after its last retry
│  │  ├─ StepTimeout            a step took too long (also TimeoutError)
│  │  └─ ProcessLost            the process that ran a step ended
│  ├─ HistoryMismatch           the recorded run does not fit today's definition
│  ├─ RunMissing                no such run (also LookupError)
│  ├─ RunExists                 the run id is taken by a run with other input
│  ├─ NotSuspended              a resume of something that does not wait
│  ├─ ResumeClaimed             another caller resumed it first
│  ├─ LeaseLost                 another worker owns the run now
│  └─ NotSerialisable           a value that cannot be stored as JSON; path
├─ Unsupported                  an ability that this adapter or platform lacks (also NotImplementedError)
└─ NativeError                  raised by the C++ core
   ├─ NativeInvalidArgument     (also ValueError)
   ├─ NativeNotFound            (also LookupError)
   ├─ NativeAlreadyExists       (also ValueError)
   ├─ NativeCorrupt             a damaged file or blob, refused whole
   ├─ NativeUnsupported         a newer format or a missing ability
   ├─ NativeClosed              use after close
   ├─ NativeLimit               a declared size or depth limit was passed
   ├─ NativeInvalidEncoding     bytes that are not UTF-8 (also ValueError)
   ├─ NativeIo                  the operating system refused (also OSError)
   └─ NativeOutOfMemory         (also MemoryError)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class MastraError(Exception):
    """The root: `except MastraError` catches everything that mastra raises on purpose.

    `code` is a stable word, the same in Python, over HTTP and in the documentation. `hint` is the next step
    to take. `retryable` is decided where the error is born; nobody guesses it later.
    """

    code: ClassVar[str] = "mastra"
    default_hint: ClassVar[str] = ""
    default_retryable: ClassVar[bool] = False
    # Only named facts that are safe to show: never a key, a token or a provider's raw body.
    details: dict[str, Any]

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retryable: bool | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        self.retryable = self.default_retryable if retryable is None else retryable
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def to_dict(self) -> dict[str, Any]:
        """The error as plain data: for logs, stored runs and HTTP."""
        out: dict[str, Any] = {"code": self.code, "message": self.message, "retryable": self.retryable}
        if self.hint:
            out["hint"] = self.hint
        if self.details:
            out["details"] = self.details
        return out


def near_miss(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """A sentence that suggests what `name` may have meant, or an empty text.

    >>> near_miss("opneai", ["openai", "anthropic"])
    "Did you mean 'openai'?"
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only a failing path pays for it

    matches = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"Did you mean {matches[0]!r}?" if matches else ""


# ---------------------------------------------------------------- set-up


class ConfigError(MastraError):
    """The set-up is wrong; nothing has run yet."""

    code = "config"


class MissingExtra(ConfigError, ImportError):
    """An optional dependency is not installed."""

    code = "missing-extra"

    def __init__(self, extra: str, *, feature: str, module: str = "") -> None:
        super().__init__(
            f"{feature} needs the optional dependency {module or extra!r}, which is not installed.",
            hint=f'Run: pip install "mastra[{extra}]"',
            details={"extra": extra, "feature": feature},
        )


class MissingKey(ConfigError):
    """An API key is needed and nowhere to be found."""

    code = "missing-key"


class UnknownAdapter(ConfigError, LookupError):
    """No adapter answers to this URL scheme."""

    code = "unknown-adapter"


class UnknownSetting(ConfigError, LookupError):
    """A setting that does not exist."""

    code = "unknown-setting"


class BadSetting(ConfigError, ValueError):
    """A setting with a value that cannot be."""

    code = "bad-setting"


class BadDefinition(ConfigError, TypeError):
    """An agent, tool or workflow that cannot work as it is declared."""

    code = "bad-definition"


# ---------------------------------------------------------------- what the caller gave


class InputError(MastraError, ValueError):
    """What the caller gave is not acceptable; nothing was changed."""

    code = "input"


class InvalidInput(InputError):
    """A value fails its schema or its bounds. `issues` names each place: [{"field", "message"}]."""

    code = "invalid-input"

    def __init__(
        self,
        message: str,
        *,
        issues: Iterable[Mapping[str, str]] = (),
        hint: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.issues = [dict(issue) for issue in issues]
        extra = {"issues": self.issues} if self.issues else {}
        super().__init__(message, hint=hint, details={**(details or {}), **extra})


class InvalidId(InputError):
    """An id with a wrong length or alphabet."""

    code = "invalid-id"


class InvalidFilter(InputError):
    """A filter that the filter language does not know."""

    code = "invalid-filter"


class NotFound(MastraError, LookupError):
    """A named thing that is not there."""

    code = "not-found"


# ---------------------------------------------------------------- who may


class AccessError(MastraError):
    """Who asks may not."""

    code = "access"


class Unauthenticated(AccessError):
    """No valid token came with the request."""

    code = "unauthenticated"


class AccessDenied(AccessError):
    """A valid token without the right to do this."""

    code = "access-denied"


# ---------------------------------------------------------------- adapters


class AdapterError(MastraError):
    """Something outside of mastra failed. The third-party exception is the `__cause__`."""

    code = "adapter"

    def __init__(
        self,
        message: str,
        *,
        adapter: str = "",
        status: int | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        facts = dict(details or {})
        if adapter:
            facts["adapter"] = adapter
        if status is not None:
            facts["status"] = status
        super().__init__(message, hint=hint, retryable=retryable, details=facts)
        self.adapter = adapter
        self.status = status


class ModelError(AdapterError):
    """A model provider failed or refused."""

    code = "model"


class AuthFailed(ModelError):
    """The provider refuses the key."""

    code = "model-auth-failed"


class RateLimited(ModelError):
    """Too many requests or tokens; `retry_after` is in seconds when the provider said so."""

    code = "model-rate-limited"
    default_retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after
        if retry_after is not None:
            self.details["retry_after"] = retry_after


class ContextTooLong(ModelError):
    """The prompt does not fit the model's context."""

    code = "model-context-too-long"


class ContentRefused(ModelError):
    """The provider's own filter refused the request or the answer."""

    code = "model-content-refused"


class ModelMissing(ModelError):
    """The provider does not know the model."""

    code = "model-missing"


class BadModelRequest(ModelError):
    """The provider calls the request wrong."""

    code = "model-bad-request"


class ModelUnavailable(ModelError):
    """The provider failed or is overloaded; `retry_after` in seconds when it said so."""

    code = "model-unavailable"
    default_retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class ModelTimeout(ModelError, TimeoutError):
    """No connection, first byte, next byte or end within the time allowed."""

    code = "model-timeout"
    default_retryable = True


class StreamBroken(ModelError):
    """A stream ended, stalled or broke before the protocol's terminal event."""

    code = "model-stream-broken"
    default_retryable = True


class ResponseMalformed(ModelError):
    """Bytes that the provider's protocol does not allow."""

    code = "model-response-malformed"


class StorageError(AdapterError):
    """A storage backend failed."""

    code = "storage"


class Conflict(StorageError):
    """A precondition of a write no longer holds; nothing was written."""

    code = "storage-conflict"


class StorageCorrupt(StorageError):
    """Stored bytes that fail their checks; refused whole."""

    code = "storage-corrupt"


class StorageFull(StorageError):
    """There is no space; nothing was written."""

    code = "storage-full"


class StorageUnavailable(StorageError):
    """The database cannot be reached or was busy for too long."""

    code = "storage-unavailable"
    default_retryable = True


class CommitUnknown(StorageUnavailable):
    """The connection broke during a commit: the write may have happened. Read before you write it again."""

    code = "storage-commit-unknown"
    default_retryable = False


class SchemaTooNew(StorageError):
    """The data was written by a newer version of mastra than this one."""

    code = "storage-schema-too-new"


class VectorError(AdapterError):
    """A vector store failed."""

    code = "vector"


class IndexMissing(VectorError, LookupError):
    """There is no index of this name."""

    code = "vector-index-missing"


class IndexExists(VectorError):
    """There is an index of this name with other properties."""

    code = "vector-index-exists"


class DimensionMismatch(VectorError, ValueError):
    """A vector has another length than its index."""

    code = "vector-dimension-mismatch"


class CacheError(AdapterError):
    """A cache backend failed."""

    code = "cache"


class BusError(AdapterError):
    """An event bus failed."""

    code = "bus"


class McpError(AdapterError):
    """An MCP peer failed or broke its protocol."""

    code = "mcp"


class SpeechError(AdapterError):
    """A speech provider failed."""

    code = "speech"


# ---------------------------------------------------------------- runs


class RunError(MastraError):
    """One run failed; `run_id` and `step` say which and where."""

    code = "run"

    def __init__(
        self,
        message: str,
        *,
        run_id: str = "",
        step: str | int | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        facts = dict(details or {})
        if run_id:
            facts["run_id"] = run_id
        if step is not None:
            facts["step"] = step
        super().__init__(message, hint=hint, retryable=retryable, details=facts)
        self.run_id = run_id
        self.step = step


class LimitReached(RunError):
    """Steps, tokens, money, time or calls are used up."""

    code = "limit-reached"


class Aborted(RunError):
    """The caller or a deadline stopped the run."""

    code = "aborted"


class Tripwire(RunError):
    """A processor blocked the run."""

    code = "tripwire"


class OutputInvalid(RunError):
    """The model's answer does not fit the shape that was asked for."""

    code = "output-invalid"


class ApprovalInvalid(RunError):
    """An approval that is unknown, already used, expired, or for other arguments."""

    code = "approval-invalid"


class ToolError(RunError):
    """A tool call failed."""

    code = "tool"


class ToolMissing(ToolError):
    """The model called a tool that is not there."""

    code = "tool-missing"


class BadArguments(ToolError):
    """Arguments that fail the tool's schema."""

    code = "tool-bad-arguments"


class ToolFailed(ToolError):
    """The tool's own code raised; the exception is the `__cause__`."""

    code = "tool-failed"


class ToolTimeout(ToolError, TimeoutError):
    """The tool took longer than it may."""

    code = "tool-timeout"


# ---------------------------------------------------------------- workflows


class WorkflowError(RunError):
    """A workflow run failed."""

    code = "workflow"


class StepFailed(WorkflowError):
    """A step raised after its last retry; the exception is the `__cause__`."""

    code = "step-failed"


class StepTimeout(StepFailed, TimeoutError):
    """A step took longer than it may."""

    code = "step-timeout"


class ProcessLost(StepFailed):
    """The process that ran a step ended before it answered."""

    code = "process-lost"
    default_retryable = True


class HistoryMismatch(WorkflowError):
    """The recorded run does not fit today's definition; nothing was run."""

    code = "history-mismatch"


class RunMissing(WorkflowError, LookupError):
    """There is no run of this id."""

    code = "run-missing"


class RunExists(WorkflowError):
    """The run id is taken by a run with other input."""

    code = "run-exists"


class NotSuspended(WorkflowError):
    """A resume of something that does not wait."""

    code = "not-suspended"


class ResumeClaimed(WorkflowError):
    """Another caller resumed it first."""

    code = "resume-claimed"


class LeaseLost(WorkflowError):
    """Another worker owns the run now; this one wrote nothing more."""

    code = "lease-lost"


class NotSerialisable(WorkflowError):
    """A value that cannot be stored as JSON; `details["path"]` names the place."""

    code = "not-serialisable"


class Unsupported(MastraError, NotImplementedError):
    """An ability that this adapter or platform lacks."""

    code = "unsupported"


# ---------------------------------------------------------------- the C++ core


class NativeError(MastraError):
    """Raised by the C++ core."""

    code = "native"


class NativeInvalidArgument(NativeError, ValueError):
    """A value the core cannot accept; nothing was changed."""

    code = "native-invalid-argument"


class NativeNotFound(NativeError, LookupError):
    """An id or a name that is not there."""

    code = "native-not-found"


class NativeAlreadyExists(NativeError, ValueError):
    """An id that is there already."""

    code = "native-already-exists"


class NativeCorrupt(NativeError):
    """A damaged file or blob, refused whole."""

    code = "native-corrupt"


class NativeUnsupported(NativeError):
    """A newer format, or an ability this build lacks."""

    code = "native-unsupported"


class NativeClosed(NativeError):
    """Use of an object after it was closed."""

    code = "native-closed"


class NativeLimit(NativeError):
    """A declared size or depth limit was passed."""

    code = "native-limit"


class NativeInvalidEncoding(NativeError, ValueError):
    """Bytes that are not UTF-8 where text is required."""

    code = "native-invalid-encoding"


class NativeIo(NativeError, OSError):
    """The operating system refused."""

    code = "native-io"


class NativeOutOfMemory(NativeError, MemoryError):
    """The core could not get the memory it needs."""

    code = "native-out-of-memory"
