"""The compatibility page says what the route table says."""

from pathlib import Path

from mastra.server.report import report
from mastra.server.table import load

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"


def test_the_committed_page_is_the_generated_one():
    assert PAGE.read_text(encoding="utf-8") == report(load()), (
        "Write it again: python -c 'from mastra.server.table import load; from mastra.server.report import report; "
        'print(report(load()), end="")\' > docs/compatibility.md'
    )
