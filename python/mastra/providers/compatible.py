"""Makes the model of any vendor in `compatible.toml`, or of any endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from mastra.errors import MissingKey
from mastra.providers import catalog
from mastra.providers.keys import KeySource
from mastra.providers.openai_chat import Dialect, OpenAIChat
from mastra.providers.transport import Http, HttpOptions
from mastra.types.model import ModelProfile

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_DIALECT_FIELDS = ("auth", "path", "query", "max_tokens", "output", "strict", "stream_usage", "rename",
                   "tool_choice_required", "reasoning")  # fmt: skip


class Compatible(OpenAIChat):
    """A model of a vendor that speaks Chat Completions in its own dialect."""

    def __init__(
        self,
        model_id: str,
        *,
        vendor: str,
        url: str | None = None,
        api_key: KeySource = None,
        headers: Mapping[str, str] | None = None,
        profile: ModelProfile | None = None,
        http: Http | HttpOptions | None = None,
    ) -> None:
        row = catalog.vendors().get(vendor)
        super().__init__(
            model_id,
            provider=vendor,
            url=url or filled_url(vendor, row),
            api_key=api_key,
            key_env=tuple(row["key"]) if row else (variable_of(vendor),),
            # An endpoint of one's own may have no key at all.
            key_required=row.get("key_required", True) if row and url is None else False,
            headers=headers,
            profile=profile,
            http=http,
            dialect=dialect_of(row) if row else Dialect(strict=False),
        )

    @staticmethod
    def vendors() -> list[str]:
        """The vendors there are."""
        return list(catalog.vendors())


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
