"""No secret is stored, spooled or logged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeledger.model.redaction import is_secret_key, redact, redact_text, redact_url

# (text as it is met in life, the secret that must not be left)
SECRETS = [
    ("postgresql://etl:Tr0ub4dor@db:5432/dwh?sslmode=require", "Tr0ub4dor"),
    ("could not connect to mysql+pymysql://root:p%40ss@10.0.0.1/db", "p%40ss"),
    ("postgres://user:with@sign@host/db", "with@sign"),
    ("snowflake://u:s3cr3t@acc/db?warehouse=w", "s3cr3t"),
    ("redis://:onlypassword@cache:6379/0", "onlypassword"),
    ("https://host/path?api_key=abcdef123456&x=1", "abcdef123456"),
    ("https://b.blob.core.windows.net/c?sv=2020&sig=AbC%2Fd%3D&se=1", "AbC%2Fd%3D"),
    ("ALTER USER bob WITH PASSWORD 'hunter2'", "hunter2"),
    ("CREATE USER x IDENTIFIED BY 'hunter2'", "hunter2"),
    ("password = 'it''s secret' host=db", "it''s secret"),
    ("host=db user=etl password=hunter2 dbname=x", "hunter2"),
    ('{"aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG"}', "wJalrXUtnFEMI"),
    ("credentials (aws_access_key_id='AKIAIOSFODNN7EXAMPLE')", "AKIAIOSFODNN7EXAMPLE"),
    ("COPY t FROM 's3://b' WITH (SECRET_KEY := 'topsecret1')", "topsecret1"),
    ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "eyJhbGciOiJIUzI1NiJ9"),
    ("authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
    ("token ghp_0123456789abcdefghijABCDEFGHIJ012345 leaked", "ghp_0123456789"),
    ("slack xoxb-1234567890-abcdefghij", "xoxb-1234567890"),
    ("sk-proj-abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "AIzaSyA1234567890"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----", "MIIE"),
    ("client_secret=8f2d-aa; next", "8f2d-aa"),
]
KEYS = [
    "password", "PASSWORD", "db_password", "passwd", "pwd", "secret", "client_secret", "api_key",
    "apiKey", "api-key", "token", "access_token", "refreshToken", "aws_secret_access_key",
    "private_key", "authorization", "Cookie", "credentials", "connection_string", "sas_token",
]  # fmt: skip
INNOCENT = [
    ("SELECT password_changed_at FROM users WHERE token_count > 5", None),
    ("postgresql://db:5432/dwh?sslmode=verify-full&sslrootcert=/etc/ca.pem", None),
    ("rows: 5 of 10 for key=42", None),
    ("s3://bucket/path@2x/file.png", None),
    ("https://example.com/a?page=2&sort=name", None),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_in_text_is_removed(text: str, secret: str) -> None:
    assert secret not in redact_text(text)


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_removing_secrets_twice_changes_nothing_more(text: str, secret: str) -> None:
    assert redact_text(redact_text(text)) == redact_text(text)


@pytest.mark.parametrize(("text", "_"), INNOCENT)
def test_text_without_a_secret_is_left_as_it_is(text: str, _: None) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("key", KEYS)
def test_the_value_of_a_key_that_looks_like_a_secret_is_removed_at_any_depth(key: str) -> None:
    assert is_secret_key(key)
    assert "hunter2" not in json.dumps(redact({"conf": [{key: "hunter2", "other": 1}]}))


@pytest.mark.parametrize("key", ["pipeline", "key", "primary_key", "author", "rows", "max_tokens"])
def test_an_ordinary_key_is_kept(key: str) -> None:
    assert redact({key: "value"}) == {key: "value"}


def test_a_url_keeps_its_tls_parameters_and_loses_user_and_password() -> None:
    assert (
        redact_url("postgresql://u:p@h:5432/d?sslmode=require&sslpassword=x")
        == "postgresql://h:5432/d?sslmode=require&sslpassword=***"
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_anything_becomes_plain_json_and_only_once(value: object) -> None:
    once = redact(value)
    json.dumps(once, allow_nan=False)
    assert redact(once) == once


def test_what_refers_to_itself_is_cut() -> None:
    loop: dict[str, object] = {}
    loop["self"] = loop
    assert "..." in json.dumps(redact(loop))
