from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mastra import Mastra
from mastra.cli.main import make_app
from mastra.cli.output import Exit
from mastra.server.audit import AUDIT, SECRET_VARIABLE, AuditLog
from mastra.types.records import Put

APPLICATION = 'from mastra import Mastra\nmastra = Mastra(storage="sqlite:///audited.db")\n'
SECRET = "a secret of the tests"


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    (tmp_path / "audited_app.py").write_text(APPLICATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)

    async def write() -> None:
        async with Mastra(storage="sqlite:///audited.db") as mastra:
            log = AuditLog(mastra.storage)
            for number in range(3):
                log.append({"at": f"2026-03-01T00:00:0{number}.000Z", "actor": "ann"})
            await log.flush()

    asyncio.run(write())
    return lambda *arguments: CliRunner().invoke(
        make_app("audit"), ["audit", arguments[0], "--app", "audited_app.py:mastra", *arguments[1:]]
    )


async def _tamper() -> None:
    async with Mastra(storage="sqlite:///audited.db") as mastra:
        (first, *_) = (await mastra.storage.scan(AUDIT, {}, limit=1)).records
        await mastra.storage.write([Put(AUDIT, first.key, {**first.value, "actor": "bob"})])


def test_a_chain_that_nobody_touched_holds_and_another_is_a_finding(audit: Callable[..., Result]) -> None:
    assert audit("verify").stdout == "3 rows, the chain holds\n"
    assert json.loads(audit("verify", "--json").stdout) == {"rows": 3, "holds": True, "broken": None}
    asyncio.run(_tamper())
    found = audit("verify", "--json")
    assert found.exit_code == Exit.FINDINGS
    assert json.loads(found.stdout)["holds"] is False
    said = audit("verify")
    assert (said.exit_code, said.stdout) == (Exit.FINDINGS, "")
    assert "at row" in said.stderr


def test_the_newest_rows_are_listed_a_line_each(audit: Callable[..., Result]) -> None:
    rows = [json.loads(line) for line in audit("list", "--limit", "2").stdout.splitlines()]
    assert [row["at"][:19] for row in rows] == ["2026-03-01T00:00:02", "2026-03-01T00:00:01"]
    assert audit("list", "--limit", "0").exit_code == Exit.USAGE
