"""Moments on the wire: ISO 8601 in UTC with milliseconds, as every Mastra client reads them."""

from __future__ import annotations

from datetime import UTC, datetime

from mastra.errors import InvalidInput


def to_wire(moment: datetime) -> str:
    """`2026-01-02T03:04:05.678Z`."""
    if moment.tzinfo is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError as error:
            raise InvalidInput(f"{moment} is not of the years 1 to 9999 in UTC.") from error
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def from_wire(text: object, what: str = "time") -> datetime:
    """The moment that an ISO 8601 text names; a time without a zone counts as UTC."""
    if isinstance(text, datetime):
        moment = text
    else:
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError as error:
            raise InvalidInput(f"{str(text)[:40]!r} is not a valid {what}.", hint="Use ISO 8601.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
