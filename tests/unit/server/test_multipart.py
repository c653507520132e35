"""Forms: what a browser sends is read, what is no form is refused, whatever the bytes are."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.server.multipart import MOST_PARTS, Upload, parse_form
from mastra.server.problems import Refused

KIND = "multipart/form-data; boundary=----b"
# As undici, the client of Node, writes it.
SENT = (
    b'------b\r\nContent-Disposition: form-data; name="audio"; filename="blob"\r\nContent-Type: audio/wav\r\n\r\n'
    b'x\r\n--x\r\n------b\r\nContent-Disposition: form-data; name="options"\r\n\r\n{"language":"en"}\r\n------b--\r\n'
)


def test_files_and_fields_are_read():
    assert parse_form(SENT, KIND) == {"audio": Upload(b"x\r\n--x", "audio/wav", "blob"), "options": {"language": "en"}}
    assert parse_form(SENT, KIND.replace("----b", '"----b"'))["audio"].filename == "blob"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (SENT, "multipart/form-data"),
        (SENT[:-8], KIND),
        (b"", KIND),
        (b"------b\r\n\r\nx\r\n------b--", KIND),
        (b"------b\r\nContent-Type: a/b\r\n\r\nx\r\n------b--", KIND),
        (b'------b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n------b--', KIND),
        (b'------b\r\nContent-Disposition: form-data; name="a"\r\n\r\n{"a"\r\n------b--', KIND),
        (b'------b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * (MOST_PARTS + 1) + b"------b--", KIND),
    ],
)
def test_what_is_no_form_is_refused(raw, kind):
    with pytest.raises(Refused) as refused:
        parse_form(raw, kind)
    assert refused.value.status == 400


@given(st.binary(max_size=200), st.text("bouNdary-=;\"'", max_size=30))
def test_any_bytes_are_a_form_or_a_refusal(raw, boundary):
    with contextlib.suppress(Refused):
        assert isinstance(parse_form(raw, f"multipart/form-data; boundary={boundary}"), dict)
