"""API keys: where they come from, read anew for every request, and never shown."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from mastra.errors import BadDefinition, BadSetting, MastraError, MissingKey
from mastra.types.secrets import Secret

KeyText: TypeAlias = "str | Secret"
KeySource: TypeAlias = "KeyText | Path | Callable[[], KeyText | Awaitable[KeyText]] | None"
MASK = "[redacted]"
# Things that look like a key even when they are not ours: a provider may quote another account's.
_LOOKS_SECRET = re.compile(
    r"(?i)\b(?:sk|pk|rk|gsk|xai|hf|nvapi|pplx|csk|fw|r8|ghp|gho|github_pat|AKIA|ASIA|AIza)[-_]?[A-Za-z0-9_\-]{16,}"
    r"|\bBearer\s+[A-Za-z0-9._~+/=\-]{8,}"
)
_SHORTEST_TO_HIDE = 6


class KeyReader:
    """Reads one key from its source each time it is asked, so that a rotated key is used by the next request.

    A text is the key itself, `env:NAME` or `file:/path`; a path is a file; a secret is one of the settings; a function
    returns the key, now or later; None looks into the environment variables that the provider is known by.
    """

    __slots__ = ("_source", "env", "provider")

    def __init__(self, source: KeySource, *, env: tuple[str, ...] = (), provider: str = "") -> None:
        if isinstance(source, str):
            if source.startswith("file:"):
                source = Path(source[5:])
            elif source.startswith("env:"):
                env, source = (source[4:],), None
            else:
                source = Secret(source, passing=True)
        elif not (source is None or isinstance(source, Path | Secret) or callable(source)):
            raise BadDefinition(
                f"api_key of {provider!r} is a {type(source).__name__}.",
                hint="Give a text, env:NAME, file:PATH, a path, a Secret or a function.",
            )
        self._source: Secret | Path | Callable[[], KeyText | Awaitable[KeyText]] | None = source
        self.env = env
        self.provider = provider

    def __repr__(self) -> str:
        return f"KeyReader(provider={self.provider!r}, env={self.env!r})"

    async def read(self, *, required: bool = True) -> Secret | None:
        """The key as it is now; `MissingKey` names the places that were looked into."""
        value = await self._whole(self._from_source())
        if isinstance(value, Secret):
            value = value.reveal()
        if not isinstance(value, str | None):
            raise BadSetting(f"The key function of {self.provider!r} returns a {type(value).__name__}, not a text.")
        value = value.strip() if value else None
        if not value:
            if not required:
                return None
            places = " or ".join(self.env) or "api_key"
            raise MissingKey(
                f"There is no API key for {self.provider!r}.",
                hint=f"Set {places}, or give api_key (a text, env:NAME, file:PATH or a function).",
                details={"provider": self.provider, "env": list(self.env)},
            )
        if not value.isascii() or not value.isprintable():
            raise BadSetting(
                f"The API key for {self.provider!r} contains characters that no HTTP header can carry.",
                hint="Look for a line break or a typographic quotation mark in it.",
            )
        return Secret(value, passing=True)

    async def _whole(self, value: Any) -> Any:
        if not isinstance(value, Awaitable):
            return value
        try:
            return await value
        except Exception as error:
            raise self._no_key(error) from error

    def _no_key(self, error: Exception) -> Exception:
        if isinstance(error, MastraError):
            return error
        # Its text may hold anything; what it was is told by its kind, and it hangs below as the cause.
        return MissingKey(f"The key function of {self.provider!r} failed with {type(error).__name__}.")

    def _from_source(self) -> KeyText | Awaitable[KeyText] | None:
        source = self._source
        if isinstance(source, Secret):
            return source.reveal()
        if isinstance(source, Path):
            try:
                return source.read_text(encoding="utf-8")
            except OSError as error:
                raise MissingKey(f"The key file of {self.provider!r} cannot be read: {source}.") from error
        if source is not None:
            try:
                return source()
            except Exception as error:
                raise self._no_key(error) from error
        for name in self.env:
            if value := os.environ.get(name):
                return value
        return None


def redact(text: str, known: Iterable[Secret | None] = ()) -> str:
    """`text` without the secrets, in any of the forms in which a provider may quote them, and without look-alikes."""
    for secret in known:
        if secret is None:
            continue
        raw = secret.reveal()
        if len(raw) < _SHORTEST_TO_HIDE:
            continue
        for form in _forms(raw):
            if form in text:
                text = text.replace(form, MASK)
    return _LOOKS_SECRET.sub(MASK, text)


def _forms(raw: str) -> tuple[str, ...]:
    data = raw.encode()
    encoded = base64.b64encode(data).decode()
    url_safe = base64.urlsafe_b64encode(data).decode()
    return (
        raw,
        quote(raw, safe=""),
        encoded,
        encoded.rstrip("="),
        url_safe,
        url_safe.rstrip("="),
        data.hex(),
        data.hex().upper(),
    )
