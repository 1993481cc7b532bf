"""The privacy filter and the redaction of secrets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.privacy import PrivacyFilter, ordinary_words
from agent_core.redaction import redact_secrets

SESSION = [
    "Please make the invoice page of Zylophar faster, Jane Quibbleworth is waiting for it.",
    "The order number is 4711 and my colleague Rose from Acmebilling will check it on monday.",
    'def compute_total(rows): return sum(r["amount"] for r in rows)',
    "張偉さんの請求書を確認してください。パスワードは変更しないで",
    "Mein Kollege Wackernagel prüft die Überweisung am Donnerstag.",
    "Моего начальника зовут Порфирий, он ждёт отчёт.",
    "연락처는 김철수입니다",
    "تواصل مع عبدالقدوس بخصوص الفاتورة",
]
FILTER = PrivacyFilter(SESSION, frozenset({"run_command", "error_event"}))

_REASONS = {
    "holds an e-mail address",
    "holds a URL",
    "holds a path",
    "holds a key or identifier",
    "holds code",
    "shares a run of 5 words with the session",
    "shares characters of a script without spaces with the session",
    "holds a word that is not an ordinary one",
    "holds signs beyond letters, digits and punctuation",
    "spells something out in letters or digits",
    "is longer than 600 characters",
    "puts a word of the session together",
    "holds a name of several words",
}


@pytest.mark.parametrize(
    "text",
    [
        "The person asked for a faster page and reported that it still fails.",
        "The agent ran commands, while run_command ran out of time twice.",
        "After a second error_event the person stopped the run.",
        "The person's wish was met at the first attempt, in 2 steps.",
        "",
    ],
)
def test_abstract_text_passes(text: str) -> None:
    assert FILTER.check(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "They wanted to make the invoice page of the product faster.",
            "shares a run of 5 words with the session",
        ),
        (
            "They wanted to MAKE the  invoice,\u200b page of it.",
            "shares a run of 5 words with the session",
        ),
        ("The file src/app was wrong.", "holds a word that is not an ordinary one"),
        ("The agent edited /etc/passwd there.", "holds a path"),
        ("The agent edited main.py there.", "holds a path"),
        ("The agent read ~/notes there.", "holds a path"),
        ("They visited https://x.y there.", "holds a URL"),
        ("They visited example.com there.", "holds a URL"),
        ("They wrote to a@b.de there.", "holds an e-mail address"),
        ("The key was sk3cr3tk3yabcd9 there.", "holds a key or identifier"),
        ("The commit was deadbeef there.", "holds a key or identifier"),
        ("The function computeTotal failed.", "holds code"),
        ("The function compute_total failed.", "holds code"),
        ("They ran `ls` there.", "holds code"),
        ("They called total() there.", "holds code"),
        ("The person Jane complained.", "holds a word that is not an ordinary one"),
        ("Rose complained.", "holds a word that is not an ordinary one"),
        ("The zylophar page failed.", "holds a word that is not an ordinary one"),
        (
            "The Zylopharian page failed.",
            "holds a word that is not an ordinary one",
        ),
        ("Quibbleworth's wish was met.", "holds a word that is not an ordinary one"),
        ("Order 4711 failed.", "holds a word that is not an ordinary one"),
        ("Wackernagel complained.", "holds a word that is not an ordinary one"),
        ("Порфирий complained.", "holds a word that is not an ordinary one"),
        ("عبدالقدوس complained.", "holds a word that is not an ordinary one"),
        (
            "김철수 complained.",
            "shares characters of a script without spaces with the session",
        ),
        (
            "張偉 complained.",
            "shares characters of a script without spaces with the session",
        ),
    ],
)
def test_session_text_is_turned_down(text: str, reason: str | None) -> None:
    assert FILTER.check(text) == reason


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(SESSION[0].split()) - 5), st.sampled_from(["upper", "title", "lower"]))
def test_any_run_of_five_words_is_turned_down(start: int, case: str) -> None:
    run = " ".join(SESSION[0].split()[start : start + 5])
    assert FILTER.check(f"It was so: {getattr(run, case)()}") is not None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=5), st.text(max_size=60))
def test_any_text_gets_an_answer(texts: list[str], text: str) -> None:
    assert PrivacyFilter(texts).check(text) in {None, *_REASONS}


@pytest.mark.parametrize(
    "text",
    [
        "The person asked for a l i c e to be helped.",
        "The person is called a-i, or a.i, or so.",
        "The matter is that of \u0430lice.",
        "The matter is that of \u00e1lice.",
        "The matter is that of eci1a.",
        "The matter is that of ecila.",
        "The matter is that of nightingale.",
        "The matter is that of Ali ce.",
        "The matter is that of al'ic'e.",
        "The code is four seven one one.",
        "The code is forty seven and eleven.",
        "The code is 47 11.",
        "The code is 4-7-1-1.",
        "The code is four 7.",
        "The code is 4711.",
        "The person is happy \U0001f1e6\U0001f1f1.",
        "The person was pleased. " * 26,
    ],
)
def test_a_disguised_name_is_turned_down(text: str) -> None:
    assert PrivacyFilter(["Alice Zyxwvut of Nightingale has the PIN 4711"]).check(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "The person rejected the second attempt after the tests had been reported as passing.",
        "The agent didn't stop, it won't, and the person wasn't told that it's done \u2013 really.",
        "One of the two steps failed twice, in 2 of 12 runs and for the 3rd time.",
        "The person's and the users' wishes for JavaScript-like behaviour were recognised.",
        "I was told so. A plan was made.",
    ],
)
def test_ordinary_sentences_pass(text: str) -> None:
    assert PrivacyFilter(["Alice Zyxwvut"], frozenset({"JavaScript"})).check(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "The person named correct horse staple there.",
        "The person named staple, horse, correct there.",
        "The matter is that of snork maid en.",
        "The matter is that of gnihtolcyz.",
        "The agent noted that others have offered limits.",
        "The person was waiting for mango.",
        "The velvet thing failed.",
        "The person wrote to mark.",
        "The person wrote to peter.",
        "MARK complained.",
    ],
)
def test_a_name_of_plain_words_is_turned_down(text: str) -> None:
    session = [
        "It is correct-horse-staple at Nightingale and Mark knows tantohol of snorkmaiden; "
        "ask peter."
    ]
    filter_ = PrivacyFilter(session, names=["mango", "/home/mango/velvet-turnip"])
    assert filter_.check(text) is not None


def test_reasons_never_quote() -> None:
    reasons = {FILTER.check(text) or "" for text in SESSION}
    assert reasons
    assert not any(word in reason for reason in reasons for word in ("Zylophar", "Jane", "4711"))


def test_word_list_is_of_ordinary_words() -> None:
    words = ordinary_words()
    assert 20_000 < len(words) < 60_000
    assert {"the", "file", "timeout", "reported"} <= words
    assert not words & {"quibbleworth", "jane", "acme", "github", "anthropic"}
    assert all(word.isascii() and word.islower() for word in words)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key sk-proj-abcdefghijklmnop123 end", "key [secret] end"),
        ("ghp_abcdefghijklmnopqrst123456", "[secret]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
        ("xoxb-123456789012-abcdef", "[secret]"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [secret]"),
        ('{"api_key": "hunter2hunter2"}', '{"api_key": "[secret]"}'),
        ("PASSWORD=correcthorse next", "PASSWORD=[secret] next"),
        ("postgres://admin:s3cret@db/x", "postgres://[secret]@db/x"),
        ("mail jane@example.org now", "mail [e-mail] now"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest",
            "[private key]\nrest",
        ),
        ("-----BEGIN PRIVATE KEY-----\nabc", "[private key]"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0", "[secret]"),
        ("the tokens of the parser: 12", "the tokens of the parser: 12"),
        ("commit 0123456789abcdef0123456789abcdef01234567", None),
        ("", ""),
    ],
)
def test_secrets_are_taken_out(text: str, redacted: str | None) -> None:
    assert redact_secrets(text) == (text if redacted is None else redacted)


def test_a_session_of_one_endless_word_is_read_in_a_moment() -> None:
    """Where it was read anew from each of its letters, this took an hour: the test's time limit."""
    privacy = PrivacyFilter(["a" * 2_000_000, "the velvet-harbor-kettle pass phrase"])
    assert privacy.check("The agent was slow.") is None
    assert privacy.check("It was velvet harbor kettle.") == "holds a name of several words"
