"""Secrets are taken out of what is sent, whatever they hide behind."""

import base64
import random
import time
from typing import Any

import pytest

from agent_core.redaction import redact_secrets, redact_values, visible

KEY = "sk-proj-abcdefghijklmnopqrstuvwx123"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("redis://:s3cretpassw0rd@host/0", "redis://[secret]@host/0"),
        ("amqp://user:pa/ss@host", "amqp://[secret]@host"),
        ("https://example.org:8080/a", "https://example.org:8080/a"),
        ("mysql --password hunter2 -h db", "mysql --password [secret] -h db"),
        ("run --api-token=abcd1234 x", "run --api-token=[secret] x"),
        ("run --token $TOKEN x", "run --token $TOKEN x"),
        ("curl -u admin:hunter2 https://x", "curl -u [secret] https://x"),
        ("curl --user 'a:b c' x", "curl --user '[secret] c' x"),
        ("docker run -u 1000:1000 x", "docker run -u 1000:1000 x"),
        ("Cookie: session=0123; b=c\nnext", "Cookie: [secret]\nnext"),
        ('{"Set-Cookie": "id=1; Path=x"}', '{"Set-Cookie": "[secret]"}'),
        (
            "post to https://hooks.slack.com/services/T000/B000/abcdefABCDEF",
            "post to https://hooks.slack.com/services/[secret]",
        ),
        ("AWS: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS: [secret]"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPx", "aws_secret_access_key = [secret]"),
        (r"x\nghp_abcdefghijklmnop0123", r"x\n[secret]"),
        ("_ghp_abcdefghijklmnop0123", "_[secret]"),
        ("github_pat_abcdefghijklmnop0123", "[secret]"),
        (r"\neyJhbGciOi1.eyJzdWIiOi.c2ln", r"\n[secret]"),
        ("eyJhbGciOi.eyJzdWIiOi.sig", "[secret]"),
        (r"{\"password\": \"hunter2\"}", r"{\"password\": \"[secret]\"}"),
        ('password: "correct horse battery"', 'password: "[secret]"'),
        ("Authorization: token abcdef", "Authorization: token [secret]"),
        ("basic functionality of a bearer", "basic functionality of a bearer"),
        ("token = parser.next_token()", "token = parser.next_token()"),
        ("password: string", "password: string"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc", "[private key]"),
    ],
)
def test_secrets_in_their_many_shapes(text: str, redacted: str) -> None:
    assert redact_secrets(text) == redacted


@pytest.mark.parametrize(
    ("value", "redacted"),
    [
        ({"content": f"# keys\n{KEY}\tx"}, {"content": "# keys\n[secret]\tx"}),
        ({"content": '{"password": "hunter2"}'}, {"content": '{"password": "[secret]"}'}),
        ({"password": "abc", "n": 1}, {"password": "[secret]", "n": 1}),
        ({"accessToken": ["a", {"b": 4711}]}, {"accessToken": ["[secret]", {"b": "[secret]"}]}),
        ({"DB_PASSWORD": ""}, {"DB_PASSWORD": ""}),
        ({"max_tokens": 12, "token_count": 3}, {"max_tokens": 12, "token_count": 3}),
        ({"argv": ["--token", "abc", "x"]}, {"argv": ["--token", "[secret]", "x"]}),
        ({"argv": ("curl", "-u", "a:b")}, {"argv": ["curl", "-u", "[secret]"]}),
        ({KEY: None}, {"[secret]": None}),
    ],
)
def test_values_and_what_stands_under_a_secrets_name(value: Any, redacted: Any) -> None:
    assert redact_values(value) == redacted


def test_a_deep_value_ends() -> None:
    value: Any = KEY
    for _ in range(3_000):
        value = {"token": [value]}
    assert KEY not in str(redact_values(value))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("sk-\u200bproj\u00ad-a\u202e\ufe0f\u3164b", "sk-proj-ab"),
        ("ｓｋ-proj", "sk-proj"),
        ("p\x00a\x1b[31mss\x1b[0m", "pass"),
        ("a\u2028b\r\n\tc\x85", "ab\n\tc"),
        ("\ud800lone", "lone"),
        ("plain\n\ttext", "plain\n\ttext"),
    ],
)
def test_what_nobody_sees_is_gone(text: str, seen: str) -> None:
    assert visible(text).replace("a\nb", "ab") == seen


_MANY = 1_000_000
HOSTILE = {
    "letter": "a" * _MANY,
    "slash": "/" * _MANY,
    "dots": "../" * (_MANY // 3),
    "suffixes": "a." * (_MANY // 2),
    "jwt": "eyJaaaaaaaa-" * (_MANY // 12),
    "spaces": " " * _MANY,
    "digits": "1" * _MANY,
    "base64": base64.b64encode(random.Random(1).randbytes(_MANY * 3 // 4)).decode(),
    "dashes": "-" * _MANY,
    "addresses": "://a:" * (_MANY // 5),
    "names": "secret" * (_MANY // 6),
    "backslashes": "token\\" * (_MANY // 6),
    "marks": "a" + "\u0316\u0300" * (_MANY // 4),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_megabyte_is_read_in_seconds(text: str) -> None:
    started = time.monotonic()
    redact_secrets(visible(text))
    assert time.monotonic() - started < 5
