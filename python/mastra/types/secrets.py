"""Secrets that never print, and the one place where texts are cleaned of them."""

from __future__ import annotations

import base64
import re
from typing import Any, Final, NoReturn

MASK: Final = "[secret]"
# A shorter value would blank out ordinary words all over the logs.
_SHORTEST = 6

# Keys, tokens and passwords by their shape, for secrets that nobody registered.
_SHAPES: Final = re.compile(
    r"""
      (?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)                        # user:password@ in a URL
    | \b(?P<auth>(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}                          # Authorization
    | \b(?:sk|pk|rk|xox[abprs]|gh[pousr]|glpat|hf|gsk|AIza|AKIA|ya29)[-_.A-Za-z0-9]{12,}  # provider keys
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*                       # JSON Web Tokens
    | -----BEGIN[ A-Z]*PRIVATE\ KEY-----.*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)      # PEM
    | (?P<name>["']?\b[\w-]*(?:api[_-]?key|secret|password|passwd|token|authorization|credential)["']?\s*[=:]\s*["']?)
      (?!\[secret\]|bearer\s|basic\s)[^\s"',;&}\]]{4,}
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SENSITIVE_NAME: Final = re.compile(
    r"(?:api[_-]?key|secret|passwor|passwd|token$|authorization|credential|private[_-]?key|cookie)",
    re.IGNORECASE,
)


class Secret:
    """A text that shows itself only to `reveal()`. Printing, formatting, JSON and pickling never hold it.

    `passing`: it comes and goes (a key that is read anew for each request, a header of one caller). Whoever uses it
    hides it; `redact`, which is told of all others, would grow with every such text.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str, *, passing: bool = False) -> None:
        self._value = value
        if not passing:
            remember(value)

    def reveal(self) -> str:
        """The secret itself: hand it to what needs it, keep it nowhere."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})" if self._value else "Secret('')"

    def __str__(self) -> str:
        return MASK if self._value else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not copied out of the process.")


_known: dict[str, None] = {}
_pattern: re.Pattern[str] | None = None


def remember(value: str) -> None:
    """From now on `redact` hides `value`, also percent-encoded, in Base64 and in hexadecimal."""
    global _pattern  # noqa: PLW0603 - one pattern for the process, rebuilt when a secret is added
    if len(value) < _SHORTEST or value in _known:
        return
    from urllib.parse import quote  # noqa: PLC0415 - only a process with secrets needs it

    raw = value.encode("utf-8", "surrogatepass")
    _known[value] = None
    for form in (quote(value, safe=""), raw.hex(), raw.hex().upper(), *_base64_forms(raw)):
        if len(form) >= _SHORTEST:
            _known[form] = None
    _pattern = re.compile("|".join(map(re.escape, sorted(_known, key=len, reverse=True))))


def _base64_forms(raw: bytes) -> list[str]:
    """The text that any Base64 of something containing `raw` shows, for each of the three alignments."""
    forms = []
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + raw).decode()
        begin = (0, 2, 3)[lead]
        end = len(encoded.rstrip("="))
        if (lead + len(raw)) % 3:
            end -= 1  # the last character also depends on what follows
        middle = encoded[begin:end]
        forms += [middle, middle.replace("+", "-").replace("/", "_")]
    return forms


def redact(text: str) -> str:
    """`text` without the remembered secrets and without what looks like one."""
    if _pattern is not None:
        text = _pattern.sub(MASK, text)
    return _SHAPES.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    return f"{match['scheme'] or match['auth'] or match['name'] or ''}{MASK}"


def redact_value(value: Any) -> Any:
    """The same for JSON values: texts are cleaned, and what stands under a sensitive name is hidden whole."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, dict):
        return {
            redact(str(key)): MASK if _is_sensitive(key, item) else redact_value(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_value(item) for item in value]
    return value


def _is_sensitive(key: object, item: object) -> bool:
    # Numbers under such a name are counts: "tokens", "max_token".
    return bool(item) and not isinstance(item, int | float) and bool(_SENSITIVE_NAME.search(str(key)))
