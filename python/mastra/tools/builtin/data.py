"""Data: JSON, CSV, HTML, URLs, and tables of records."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from mastra.errors import InvalidInput
from mastra.tools.tool import tool
from mastra.types.json import loads

_MAX_ROWS = 10_000
_SILENT = frozenset({"script", "style", "template", "noscript", "svg", "head"})
_BLOCKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "table",
                     "ul", "ol", "blockquote", "pre", "header", "footer"})  # fmt: skip


def parsed(text: str) -> Any:
    """The value of a JSON text."""
    try:
        return loads(text)
    except ValueError as error:
        raise InvalidInput(f"This is not JSON: {error}.") from error


@tool
async def check_json(text: str) -> dict[str, Any]:
    """Whether a text is JSON; what is wrong and where when it is not."""
    try:
        value = loads(text)
    except json.JSONDecodeError as error:
        return {"valid": False, "problem": error.msg, "line": error.lineno, "column": error.colno}
    except ValueError as error:
        return {"valid": False, "problem": str(error)}
    return {"valid": True, "type": type(value).__name__}


@tool
async def query_json(text: str, pointer: str) -> Any:
    """A part of a JSON text by its pointer, like "/users/0/name"; "" is the whole."""
    value = parsed(text)
    for token in pointer.split("/")[1:] if pointer else []:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            known = (
                list(value)[:20]
                if isinstance(value, dict)
                else f"0 to {len(value) - 1}"
                if isinstance(value, list)
                else ""
            )
            raise InvalidInput(f"There is no {key[:60]!r} at this place.", hint=f"Known: {known}." if known else "")
    return value


@tool
async def format_json(text: str, indent: int = 2, sort_keys: bool = False) -> str:
    """Write JSON with line breaks, or compact with indent 0."""
    layout: dict[str, Any] = {"indent": min(indent, 8)} if indent > 0 else {"separators": (",", ":")}
    return json.dumps(parsed(text), ensure_ascii=False, sort_keys=sort_keys, **layout)


@tool
async def csv_to_records(text: str, delimiter: str = ",") -> list[dict[str, Any]]:
    """The rows of a CSV text as objects; the first row names the fields."""
    if len(delimiter) != 1:
        raise InvalidInput("The delimiter is one character.")
    rows: list[dict[str, Any]] = []
    try:
        for row in csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True):
            if len(rows) >= _MAX_ROWS:
                raise InvalidInput(f"There are more than {_MAX_ROWS} rows.")
            rows.append({str(key): value for key, value in row.items() if key is not None})
    except csv.Error as error:
        raise InvalidInput(f"This is not CSV: {error}.") from error
    return rows


@tool
async def records_to_csv(records: list[dict[str, Any]], delimiter: str = ",") -> str:
    """Objects as a CSV text; all their fields, in the order in which they first occur."""
    if len(delimiter) != 1:
        raise InvalidInput("The delimiter is one character.")
    fields = list(dict.fromkeys(str(key) for record in records for key in record))
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: value if isinstance(value, str | int | float) else json.dumps(value) for key, value in record.items()}
        for record in records
    )
    return out.getvalue()


class _Reader(HTMLParser):
    """Text, links and tables of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.links: list[dict[str, str]] = []
        self.tables: list[list[list[str]]] = []
        self._silent = 0
        self._cell: list[str] | None = None
        self._link: dict[str, str] | None = None
        self.title = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        if tag in _SILENT:
            self._silent += 1
        if tag in _BLOCKS:
            self.text.append("\n")
        if tag == "a":
            href = dict(attrs).get("href")
            self._link = {"url": href, "text": ""} if href else None
            if self._link is not None:
                self.links.append(self._link)
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag in _SILENT and self._silent:
            self._silent -= 1
        if tag in _BLOCKS:
            self.text.append("\n")
        if tag == "a":
            self._link = None
        elif tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        if self._silent:
            return
        self.text.append(data)
        if self._link is not None:
            self._link["text"] += data
        if self._cell is not None:
            self._cell.append(data)


def read_html(html: str) -> _Reader:
    """A page, read."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def plain_text(html: str) -> str:
    """The text of a page as a reader sees it."""
    lines = (" ".join(line.split()) for line in "".join(read_html(html).text).split("\n"))
    out: list[str] = []
    for line in lines:
        if line or (out and out[-1]):
            out.append(line)
    return "\n".join(out).strip()


@tool
async def html_to_text(html: str) -> str:
    """The readable text of an HTML page, without scripts and styles."""
    return plain_text(html)


@tool
async def html_links(html: str, page_url: str = "") -> list[dict[str, Any]]:
    """The links of an HTML page: url and text, made absolute when the page's URL is given."""
    return [
        {"url": urljoin(page_url, link["url"]), "text": " ".join(link["text"].split())}
        for link in read_html(html).links
    ][:1000]


@tool
async def html_tables(html: str) -> list[list[list[str]]]:
    """The tables of an HTML page as rows of cells."""
    return [table for table in read_html(html).tables if table]


@tool
async def parse_url(url: str) -> dict[str, Any]:
    """The parts of a URL: scheme, host, port, path, query and fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"This is not a URL: {error}.") from error
    query = {key: values[0] if len(values) == 1 else values for key, values in parse_qs(parts.query).items()}
    return {"scheme": parts.scheme, "host": parts.hostname, "port": port, "path": parts.path, "query": query,
            "fragment": parts.fragment}  # fmt: skip


@tool
async def build_query(values: dict[str, Any]) -> str:
    """A URL query from names and values, encoded."""
    return urlencode(values, doseq=True)


def _key(record: dict[str, Any], field: str) -> tuple[int, Any]:
    value = record.get(field)
    if value is None:
        return (2, "")
    if isinstance(value, bool | int | float):
        return (0, float(value))
    try:
        return (0, float(value))
    except (TypeError, ValueError):
        return (1, str(value).lower())


@tool
async def sort_records(records: list[dict[str, Any]], field: str, descending: bool = False) -> list[dict[str, Any]]:
    """Objects sorted by a field: numbers first, then texts, then those without it."""
    return sorted(records, key=lambda record: _key(record, field), reverse=descending)


@tool
async def filter_records(
    records: list[dict[str, Any]],
    field: str,
    compare: Literal["equals", "not-equals", "contains", "more", "less", "exists"],
    value: str = "",
) -> list[dict[str, Any]]:
    """The objects whose field compares as asked; "more" and "less" compare numbers."""

    def holds(record: dict[str, Any]) -> bool:
        found = record.get(field)
        if compare == "exists":
            return found is not None
        if compare in ("more", "less"):
            try:
                return float(found or "x") > float(value) if compare == "more" else float(found or "x") < float(value)
            except (TypeError, ValueError):
                return False
        if compare == "contains":
            return value.lower() in str(found or "").lower()
        return (str(found) == value) is (compare == "equals")

    return [record for record in records if holds(record)]


@tool
async def summarize_records(
    records: list[dict[str, Any]],
    group_by: str,
    field: str = "",
    function: Literal["count", "sum", "mean", "min", "max"] = "count",
) -> dict[str, float]:
    """Objects grouped by a field, with the count, sum, mean, smallest or largest of another field."""
    groups: dict[str, list[float]] = {}
    for record in records:
        number = 1.0
        if function != "count":
            try:
                number = float(record.get(field) or "x")
            except (TypeError, ValueError):
                continue
        groups.setdefault(str(record.get(group_by)), []).append(number)
    if function in ("count", "sum"):
        return {name: sum(numbers) for name, numbers in groups.items()}
    if function == "mean":
        return {name: sum(numbers) / len(numbers) for name, numbers in groups.items()}
    pick = min if function == "min" else max
    return {name: pick(numbers) for name, numbers in groups.items()}


TOOLS = (check_json, query_json, format_json, csv_to_records, records_to_csv, html_to_text, html_links, html_tables,
         parse_url, build_query, sort_records, filter_records, summarize_records)  # fmt: skip
