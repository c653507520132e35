"""What is known about vendors and models: the tables that are shipped as data, and the user's own on top of them."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mastra.errors import BadSetting
from mastra.types.model import ModelProfile

# A JSON file of the same form; its entries win over the shipped ones.
MODEL_DATA_VARIABLE = "MASTRA_MODEL_DATA"
_PROFILE_FIELDS = frozenset(field.name for field in fields(ModelProfile))
_DATED = re.compile(r"[-@](?:\d{4}-?\d{2}-?\d{2}|\d{6}|latest|preview|\d{3,4})$|:(?:free|nitro|floor|exacto|latest)$")


@cache
def vendors() -> dict[str, dict[str, Any]]:
    """The vendors that speak a known wire format, by name."""
    return tomllib.loads((files(__package__) / "compatible.toml").read_text(encoding="utf-8"))  # pyright: ignore[reportArgumentType]  # mypy reads it right


@cache
def _data(extra_path: str) -> dict[str, Any]:
    shipped: dict[str, Any] = json.loads((files(__package__) / "models.json").read_text(encoding="utf-8"))  # pyright: ignore[reportArgumentType]  # mypy reads it right
    if not extra_path:
        return shipped
    try:
        extra = json.loads(Path(extra_path).read_text(encoding="utf-8"))
        models = dict(extra["models"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadSetting(
            f"{MODEL_DATA_VARIABLE} names a file that is no model list: {extra_path}.",
            hint='It holds {"date": "YYYY-MM-DD", "models": {"provider/model": {...}}}.',
        ) from error
    for name, facts in models.items():
        unknown = set(facts) - _PROFILE_FIELDS if isinstance(facts, dict) else {"(not an object)"}
        if unknown:
            raise BadSetting(f"The model list says {', '.join(sorted(unknown))} of {name!r}, which means nothing here.")
    return {"date": str(extra.get("date", "")), "models": {**shipped["models"], **models}}


def data_date() -> str:
    """The day on which the model list was last checked."""
    return str(_data(os.environ.get(MODEL_DATA_VARIABLE, ""))["date"])


def models(provider: str | None = None) -> list[str]:
    """The models in the list, as `provider/model`, sorted."""
    names = _data(os.environ.get(MODEL_DATA_VARIABLE, ""))["models"]
    return sorted(name for name in names if provider is None or name.startswith(f"{provider}/"))


def profile_of(provider: str, model_id: str) -> ModelProfile:
    """What is known about a model; careful defaults when nothing is."""
    return _profile(provider, model_id, os.environ.get(MODEL_DATA_VARIABLE, ""))


@cache
def _profile(provider: str, model_id: str, extra_path: str) -> ModelProfile:
    known = _data(extra_path)["models"]
    vendor = vendors().get(provider, {})
    facts = dict(vendor.get("profile", {}))
    for name in _names(provider, model_id, vendor.get("models_of")):
        if name in known:
            facts.update(known[name])
            break
    return ModelProfile(**facts)


def _names(provider: str, model_id: str, models_of: str | None) -> list[str]:
    """The names under which a model may stand in the list, best first."""
    out: list[str] = []
    forms = [model_id]
    shorter = model_id
    while (cut := _DATED.sub("", shorter)) != shorter:
        forms.append(cut)
        shorter = cut
    for form in forms:
        out.append(f"{provider}/{form}")
        if models_of:
            out.append(f"{models_of}/{form}")
        if "/" in form:
            # Routers name their models by the vendor's own name.
            out.append(form)
            out.append(form.partition("/")[2])
    return out
