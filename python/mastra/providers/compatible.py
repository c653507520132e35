"""Makes the model of any vendor in `compatible.toml`, or of any endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from mastra.errors import MissingKey, Unsupported
from mastra.providers import catalog
from mastra.providers.openai_chat import Dialect, OpenAIChat
from mastra.providers.wire import ModelOptions

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_DIALECT_FIELDS = ("auth", "path", "query", "max_tokens", "output", "strict", "stream_usage", "rename",
                   "tool_choice_required", "reasoning")  # fmt: skip


class Facts(TypedDict):
    """What the list of vendors says of one, whichever of its endpoints is meant."""

    provider: str
    url: str
    key_env: tuple[str, ...]
    key_required: bool


class Compatible(OpenAIChat):
    """A model of a vendor that speaks Chat Completions in its own dialect."""

    def __init__(
        self,
        model_id: str,
        *,
        vendor: str,
        url: str | None = None,
        **options: Unpack[ModelOptions],
    ) -> None:
        row = catalog.vendors().get(vendor)
        dialect = dialect_of(row) if row else Dialect(strict=False)
        super().__init__(model_id, dialect=dialect, **facts_of(vendor, url), **options)

    @staticmethod
    def vendors() -> list[str]:
        """The vendors there are."""
        return list(catalog.vendors())


def facts_of(vendor: str, url: str | None, capability: str = "") -> Facts:
    """Where `vendor` is and which key it wants; a `capability` that the list does not give it is refused."""
    rows = catalog.vendors()
    row = rows.get(vendor)
    if capability and row is not None and url is None and capability not in row:
        known = ", ".join(vendors_with(capability))
        raise Unsupported(f"{vendor} has no {capability}.", hint=f"Known: {known}.")
    return Facts(
        provider=vendor,
        url=url or filled_url(vendor, row),
        key_env=tuple(row["key"]) if row else (variable_of(vendor),),
        # An endpoint of one's own may have no key at all.
        key_required=row.get("key_required", True) if row and url is None else False,
    )


def vendors_with(capability: str) -> list[str]:
    """The vendors that the list gives a capability: `"embeddings"`, `"rerank"`."""
    return [name for name, row in catalog.vendors().items() if capability in row]


def filled_url(vendor: str, row: Mapping[str, Any] | None) -> str:
    """The vendor's URL, with its variables taken from the environment."""
    if row is None:
        raise MissingKey(f"The endpoint of {vendor!r} is not known.", hint='Give {"id": ..., "url": ...}.')

    def value(match: re.Match[str]) -> str:
        name = match[1]
        found = os.environ.get(name)
        if not found:
            raise MissingKey(
                f"The endpoint of {vendor!r} needs the environment variable {name}.",
                hint=f"Set {name}, or give the url.",
            )
        return found.rstrip("/")

    return _VARIABLE.sub(value, row["url"])


def variable_of(vendor: str) -> str:
    """The environment variable in which the key of an unknown vendor is looked for: ACME_API_KEY."""
    return re.sub(r"\W+", "_", vendor).upper() + "_API_KEY"


def dialect_of(row: Mapping[str, Any]) -> Dialect:
    """Where a vendor differs."""
    given = {name: row[name] for name in _DIALECT_FIELDS if name in row}
    return Dialect(drop=tuple(row.get("drop", ())), **given)
