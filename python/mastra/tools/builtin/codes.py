"""Codes: hashes, base64, URL encoding, random values."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import string
from typing import Literal
from urllib.parse import quote, unquote

from mastra.errors import InvalidInput
from mastra.tools.tool import tool
from mastra.types.ids import new_id


@tool
async def hash_text(
    text: str, algorithm: Literal["sha256", "sha512", "sha3_256", "blake2b", "sha1", "md5"] = "sha256"
) -> str:
    """The hash of a text as hexadecimal digits; sha1 and md5 only to compare with old ones."""
    return hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()


@tool
async def base64_encode(text: str, url_safe: bool = False) -> str:
    """A text as base64."""
    data = text.encode()
    return (base64.urlsafe_b64encode(data) if url_safe else base64.b64encode(data)).decode()


@tool
async def base64_decode(text: str) -> str:
    """The text in base64 (of either alphabet)."""
    padded = text.strip().replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidInput("This is not a text in base64.") from error


@tool
async def url_encode(text: str) -> str:
    """A text as it may stand in a URL."""
    return quote(text, safe="")


@tool
async def url_decode(text: str) -> str:
    """The text behind the % signs of a URL."""
    return unquote(text)


@tool
async def new_uuid() -> str:
    """A new random UUID."""
    return new_id()


@tool
async def random_number(minimum: int, maximum: int) -> int:
    """A random whole number from minimum to maximum, both included."""
    if maximum < minimum:
        raise InvalidInput("The maximum is smaller than the minimum.")
    return minimum + secrets.randbelow(maximum - minimum + 1)


@tool
async def random_choice(items: list[str], count: int = 1) -> list[str]:
    """Some of the items, chosen at random, none of them twice."""
    if not 1 <= count <= len(items):
        raise InvalidInput(f"The count is 1 to {len(items)}.")
    return secrets.SystemRandom().sample(items, count)


@tool
async def new_password(length: int = 20, symbols: bool = True) -> str:
    """A random password with letters, digits and (when asked) symbols."""
    if not 8 <= length <= 256:
        raise InvalidInput("The length is 8 to 256.")
    alphabet = string.ascii_letters + string.digits + ("!#$%&*+-=?@_" if symbols else "")
    return "".join(secrets.choice(alphabet) for _ in range(length))


TOOLS = (hash_text, base64_encode, base64_decode, url_encode, url_decode, new_uuid, random_number, random_choice,
         new_password)  # fmt: skip
