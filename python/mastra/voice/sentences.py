"""Text that comes in pieces, cut into sentences that can be spoken one after the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

# A shorter piece sounds chopped; a longer one keeps the listener waiting.
LEAST = 16
MOST = 600
# The end of a sentence is known once something follows it: "3." may become "3.5".
_END = re.compile(r"[.!?…:;][\"'”’)\]]*\s|\n|[。！？]")  # noqa: RUF001 - the marks of other scripts


async def sentences(pieces: AsyncIterable[str]) -> AsyncIterator[str]:
    """The sentences of a text as soon as each is whole; nothing is lost but the blanks between them."""
    held = ""
    async for piece in pieces:
        held += piece
        while (at := _cut(held)) is not None:
            whole, held = held[:at].strip(), held[at:]
            if whole:
                yield whole
    if held.strip():
        yield held.strip()


def _cut(text: str) -> int | None:
    """Where the first sentence ends; None while that is not known."""
    for match in _END.finditer(text):
        if match.end() > MOST:
            break
        if len(text[: match.end()].strip()) >= LEAST:
            return match.end()
    if len(text) <= MOST:
        return None
    blank = text.rfind(" ", LEAST, MOST)
    return MOST if blank < 0 else blank + 1
