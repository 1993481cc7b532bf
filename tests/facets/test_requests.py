"""Requests that end unserved: what counts as one, what does not, and what is said of it."""

import tomllib
from collections import Counter
from dataclasses import replace

import pytest

from agent_core.session import Session, Step
from facets.requests import ENDING_WORDS, RequestReading, UnservedRequest, read_requests
from facets.topics import (
    VOCABULARY,
    Asked,
    action_words,
    asked_for,
    topic_groups,
    topic_words,
    words,
)
from tests.facets.talk import agent, called, person, talk

PDF = "Please convert this report to a PDF."
DONE = agent("I've converted it; the file is in your folder.")


def unserved(*steps: Step) -> list[tuple[str, str, str, str]]:
    """(turn, action, topic, ending) of each unserved request."""
    return [tuple(found) for found in read_requests(talk(*steps)).unserved]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (
            [person("Can you send Anna an e-mail?"), agent("I'm unable to send e-mails.")],
            [("1", "send", "email", "declined")],
        ),
        (
            [person("Transcribe the audio file."), agent("I don't have the ability to do this.")],
            [("1", "transcribe", "audio", "declined")],
        ),
        (
            [
                person("I need to cancel my flight."),
                agent("Could you give me the booking number?"),
                person("It is 4471."),
                called("get_booking"),
                agent("Unfortunately, this reservation cannot be cancelled under the policy."),
            ],
            [("1", "cancel", "travel_booking", "declined")],
        ),
        (
            [
                person("I want a refund for my order, please."),
                called("get_order"),
                agent("Shall I pass you on?"),
                person("Yes."),
                called("transfer_to_human_agents"),
                agent("You are being transferred."),
            ],
            [("1", "get", "refund", "handed_over")],
        ),
        (
            [
                person("Take a screenshot of the page."),
                called("screenshot", "unknown tool: screenshot", "unknown_tool"),
                agent("Let me think about what else there is."),
            ],
            [("1", "create", "screenshot", "no_tool")],
        ),
        (
            [
                person("Please deploy it to production."),
                called("bash", "permission denied", "permission"),
                agent("I can't deploy to production: permission denied for this user."),
            ],
            [("1", "deploy", "deployment", "no_permission")],
        ),
        (
            [
                person("Could you restore the backup?"),
                called("restore", "timed out", "timeout"),
                agent("It failed once more. Shall I try it again?"),
                person("Never mind, I'll do it myself."),
            ],
            [("1", "recover", "backup", "gave_up")],
        ),
        (
            [person("Kannst du bitte eine E-Mail senden?"), agent("Das kann ich leider nicht.")],
            [("1", "send", "email", "declined")],
        ),
        (
            [person("¿Puedes enviar un correo?"), agent("Lo siento, no puedo enviar un correo.")],
            [("1", "send", "email", "declined")],
        ),
        (
            [person("Pouvez-vous annuler ma réservation ?"), agent("Je ne peux pas le faire.")],
            [("1", "cancel", "travel_booking", "declined")],
        ),
    ],
    ids=[
        "declined", "inability", "policy-later", "handed-over", "no-tool", "no-permission",
        "gave-up", "german", "spanish", "french",
    ],
)  # fmt: skip
def test_a_request_that_ends_unserved(steps: list[Step], found: list[tuple[str, ...]]) -> None:
    assert unserved(*steps) == found


@pytest.mark.parametrize(
    "steps",
    [
        [person(PDF), agent("I can't convert it to a PDF yet."), person("Try pandoc."),
         called("bash"), agent("I've converted the report to a PDF.")],
        [person(PDF), agent("I'm unable to make a PDF."), person(PDF), called("bash"), DONE],
        [person(PDF), called("bash"), DONE],
        [person("Fix the failing test."), agent("I cannot find the test file.")],
        [person("Fix the failing test."), agent("I can't reproduce the test failure.")],
        [person("Book a flight."), agent("I cannot book a flight without your user id.")],
        [person("Book a flight."), agent("If I can't book the flight, shall I look for trains?")],
        [person("Book a flight."), agent("Which airport? I can't guess it.")],
        [person("Why does this value break the database?"),
         agent("A database key cannot be null.")],
        [person("Refactor the test helper."), called("edit"),
         agent("I've moved it. Note that the API cannot be changed.")],
        [person("Deploy it."), agent("```\nI can't deploy to production\n```\nDone.")],
        [person("I booked a flight yesterday."), agent("I'm unable to change the weather.")],
        [person("Please cancel my order.")],
        [agent("I cannot send e-mails.")],
    ],
    ids=[
        "served-next", "asked-again-and-served", "served", "not-found", "not-reproduced",
        "detail-missing", "condition", "question", "statement", "aside", "quoted", "no-request",
        "no-answer", "nobody-asked",
    ],
)  # fmt: skip
def test_what_is_no_gap(steps: list[Step]) -> None:
    assert unserved(*steps) == []


def test_a_stop_by_the_person_says_nothing_of_the_agent() -> None:
    stopped = replace(agent("I'm unable to send e-mails."), event="interrupt")
    assert unserved(person("Send Anna an e-mail."), stopped) == []


def test_topics_are_counted_by_whether_they_were_served() -> None:
    session = talk(
        person("Convert it to a PDF, and then send an e-mail to Anna."),
        agent("Here is the PDF. I'm not able to send e-mails."),
        person("Then put it into the spreadsheet, please."),
        called("edit"),
        agent("I've added it to the spreadsheet."),
    )
    assert read_requests(session) == RequestReading(
        unserved=(UnservedRequest("1", "send", "email", "declined"),),
        asked=("email", "pdf", "spreadsheet"),
        served=("pdf", "spreadsheet"),
    )


def test_copied_steps_and_runs_without_a_person_ask_for_nothing() -> None:
    steps = [person("Send an e-mail."), agent("I'm unable to send e-mails.")]
    copied = talk(*(replace(step, is_copied_context=True) for step in steps))
    alone = talk(*(replace(step, is_person=False) for step in steps))
    assert [read_requests(copied), read_requests(alone)] == [RequestReading((), (), ())] * 2


def test_an_abstract_holds_no_word_of_the_session() -> None:
    session = talk(
        person("Please send Anna Kowalczyk the e-mail on Project Heron, key sk-4471."),
        agent("I cannot send e-mails to Anna Kowalczyk about Project Heron."),
    )
    (found,) = read_requests(session).unserved
    assert (
        found.abstract
        == "an e-mail: the person asked to send an e-mail, the agent said that it could not"
    )


def test_every_abstract_is_of_the_vocabulary_alone() -> None:
    spoken = {
        UnservedRequest("1", "send", topic, ending).abstract
        for topic in topic_groups()
        for ending in ENDING_WORDS
    }
    assert len(spoken) == len(topic_groups()) * len(ENDING_WORDS)
    assert {word for said in spoken for word in words(said)} >= {"asked", "pdf"}
    assert topic_words("pdf") == "a PDF document"
    assert action_words("send") == "to send"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Can you cancel my flight and refund my gift card?",
         [Asked("cancel", "travel_booking"), Asked("refund", "gift_card")]),
        ("I'd like a full refund.", [Asked("get", "refund")]),
        ("The PDF export deletes the file.", []),
        ("I don't need the e-mail.", []),
        ("I booked a flight. Please change the seat.", [Asked("change", "seat")]),
        ("Log in to the database.", [Asked("log_in", "database")]),
        ("", []),
    ],
    ids=["two", "noun", "statement", "unwanted", "past", "phrase", "empty"],
)  # fmt: skip
def test_what_a_sentence_asks_for(text: str, found: list[Asked]) -> None:
    assert asked_for(text) == found


def test_a_long_paste_is_read_in_a_moment() -> None:
    text = "I cannot " * 200_000 + "please send an e-mail"
    session: Session = talk(person(text), agent(text))
    assert read_requests(session).asked == ("email",)


def test_no_word_stands_for_two_topics_or_two_actions() -> None:
    document = tomllib.loads(VOCABULARY.read_text(encoding="utf-8"))
    topics = [known for group in document["topics"].values() for _, *known in group.values()]
    for said in (topics, list(document["actions"].values())):
        times = Counter(word for known in said for word in set(known))
        assert [word for word, number in times.items() if number > 1] == []
    assert set(document["said"]) == set(document["actions"])
