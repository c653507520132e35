from __future__ import annotations

import json

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mastra.cli.main import make_app
from mastra.server.auth import StaticKeys, hash_key


def keys(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(make_app("keys"), ["keys", *arguments], input=given)


async def test_a_new_key_is_let_in_by_its_hash() -> None:
    made = json.loads(keys("new", "--json").stdout)
    assert made["hash"] == f"sha256:{hash_key(made['key'])}"
    assert made["id"] in made["key"]
    found = await StaticKeys({made["hash"]: {"id": "ada"}}).authenticate(made["key"])
    assert found is not None
    assert found.id == "ada"


def test_a_pepper_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    made = json.loads(keys("new", "--json").stdout)
    assert keys("hash", given=made["key"] + "\n").stdout.strip() == made["hash"]
    monkeypatch.setenv("MASTRA_KEY_PEPPER", "salt")
    assert keys("hash", given=made["key"]).stdout.strip() == f"sha256:{hash_key(made['key'], 'salt')}"


def test_a_mistyped_key_is_found() -> None:
    made = json.loads(keys("new", "--json").stdout)
    assert keys("check", given=made["key"]).exit_code == 0
    wrong = keys("check", given=made["key"][:-1] + ("0" if made["key"][-1] != "0" else "1"))
    assert wrong.exit_code == 3
    assert made["key"][:20] not in wrong.output
    assert keys("hash", given="").exit_code == 2
