import email

import pytest

from mastra.errors import ToolError
from mastra.tools.builtin import mail


async def test_a_message_is_composed():
    text = await mail.compose_email(to=["a@x.no"], subject="Hei på deg", body="Tekst\n", cc=["b@x.no"])
    message = email.message_from_string(text, policy=email.policy.default)
    assert (message["To"], message["Cc"], message["Subject"]) == ("a@x.no", "b@x.no", "Hei på deg")
    assert message.get_content() == "Tekst\n"


@pytest.mark.parametrize(
    "arguments",
    [
        {"to": [], "subject": "s", "body": "b"},
        {"to": ["nobody"], "subject": "s", "body": "b"},
        {"to": ["a@x.no"], "subject": "s\r\nBcc: evil@x.no", "body": "b"},
        {"to": ["a@x.no\r\nBcc: evil@x.no"], "subject": "s", "body": "b"},
    ],
)
async def test_headers_cannot_be_smuggled_in(arguments):
    with pytest.raises(ToolError):
        await mail.compose_email(arguments)


async def test_addresses_are_checked():
    assert await mail.check_email_address(address="Ann@Example.org") == {
        "valid": True,
        "name": "Ann",
        "domain": "example.org",
    }
    assert await mail.check_email_address(address="ann@") == {"valid": False}
