"""Writes the table of wheels/README.md from wheels/matrix.json; with --check it only compares."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- matrix -->", "<!-- end of matrix -->"


def table(rows: list[dict[str, object]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| target | Python | built | symbols | auditwheel | ran | kernel | size | note |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        size = f"{int(str(row['size'])) / 1e6:.2f} MB" if row["size"] else ""
        cells = (
            row["target"],
            row["python"],
            row["built"],
            row["checked"],
            row["audit"],
            row["ran"],
            row["kernel"],
            size,
            row["note"],
        )
        lines.append("| " + " | ".join(" ".join(str(cell).split()) for cell in cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """The command."""
    page = HERE / "README.md"
    old = page.read_text(encoding="utf-8")
    rows = json.loads((HERE / "matrix.json").read_text(encoding="utf-8"))
    new = re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{table(rows)}\n{END}", old, flags=re.DOTALL)
    if "--check" in sys.argv:
        return old != new
    page.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
