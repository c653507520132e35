"""E-mail: compose a message and check addresses. Nothing is sent."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any

from mastra.errors import InvalidInput
from mastra.tools.tool import tool

_ADDRESS = re.compile(r"[\w.+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9-]{1,63})+")


def _checked(address: str) -> str:
    if not _ADDRESS.fullmatch(address.strip()):
        raise InvalidInput(f"{address[:80]!r} is no mail address.")
    return address.strip()


@tool
async def compose_email(to: list[str], subject: str, body: str, cc: list[str] | None = None, reply_to: str = "") -> str:
    """Write an e-mail in the form in which mail programs open it (.eml). It is not sent."""
    if not to:
        raise InvalidInput("There is nobody to write to.")
    if any(char in subject for char in "\r\n"):
        raise InvalidInput("The subject is one line.")
    message = EmailMessage()
    message["To"] = ", ".join(_checked(one) for one in to)
    if cc:
        message["Cc"] = ", ".join(_checked(one) for one in cc)
    if reply_to:
        message["Reply-To"] = _checked(reply_to)
    message["Subject"] = subject
    message.set_content(body)
    return message.as_string()


@tool
async def check_email_address(address: str) -> dict[str, Any]:
    """Whether a text has the form of a mail address, and its parts."""
    if not _ADDRESS.fullmatch(address.strip()):
        return {"valid": False}
    name, _, domain = address.strip().partition("@")
    return {"valid": True, "name": name, "domain": domain.lower()}


TOOLS = (compose_email, check_email_address)
