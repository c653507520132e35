"""Signatures: AWS's own published example, credentials from the usual places, and botocore as an oracle."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.errors import MissingKey
from mastra.providers.aws import Credentials, find_credentials, signed_headers
from mastra.types.secrets import Secret

MOMENT = datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC)
KEYS = Credentials("AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", passing=True))


def test_the_published_example_has_the_published_signature():
    headers = signed_headers(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        b"",
        credentials=KEYS,
        region="us-east-1",
        service="iam",
        moment=MOMENT,
    )
    assert headers["authorization"].endswith(
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)


# A name of dots alone would be a step in the path: no model is called so.
@given(IDS.filter(lambda name: name.strip(".")), st.binary(max_size=50))
def test_botocore_signs_the_same(model_id, content):
    auth = pytest.importorskip("botocore.auth", reason="botocore is the oracle of this test")
    request_type = pytest.importorskip("botocore.awsrequest").AWSRequest
    credentials_type = pytest.importorskip("botocore.credentials").Credentials
    url = f"https://bedrock-runtime.eu-north-1.amazonaws.com/model/{quote(model_id, safe='')}/converse-stream"
    request = request_type("POST", url, headers={"content-type": "application/json"}, data=content)
    theirs = auth.SigV4Auth(
        credentials_type(KEYS.access_key, KEYS.secret_key.reveal(), "token"), "bedrock", "eu-north-1"
    )
    theirs.add_auth(request)
    moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = signed_headers(
        "POST",
        url,
        {"content-type": "application/json"},
        content,
        credentials=KEYS._replace(session_token=Secret("token", passing=True)),
        region="eu-north-1",
        service="bedrock",
        moment=moment,
    )
    assert ours["authorization"] == request.headers["Authorization"]


def test_credentials_come_from_the_environment_or_the_file(tmp_path):
    found = find_credentials({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"})
    assert (found.access_key, found.secret_key.reveal(), found.session_token.reveal()) == ("a", "b", "c")
    path = tmp_path / "credentials"
    path.write_text("[work]\naws_access_key_id = A\naws_secret_access_key = B%\n")
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_PROFILE": "work"}
    found = find_credentials(env)
    assert (found.access_key, found.secret_key.reveal(), found.session_token) == ("A", "B%", None)
    assert "B%" not in repr(found)
    with pytest.raises(MissingKey, match="AWS_ACCESS_KEY_ID"):
        find_credentials({**env, "AWS_PROFILE": "other"})
    path.write_text("no section")
    with pytest.raises(MissingKey, match="cannot be read"):
        find_credentials(env)
