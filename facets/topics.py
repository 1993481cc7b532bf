"""What a sentence asks for, in a closed vocabulary: an action and a topic of `topics.toml`.

A text is cut into sentences and words, and words are looked up, one to three at a time, the
longest first. Nothing of a text is kept but where a known word stands.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

VOCABULARY = Path(__file__).with_name("topics.toml")
ANYTHING = "get"
"""The action of a wish for a thing itself, and of one that says no other."""
READ_CHARS = 4_000
"""Of a text that is longer its beginning and its end, as much of each."""
_LONGEST = 3
_REACH = 9
"""Words between a verb and the thing that it is about."""
_BEHIND = 4
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|^\s*>.*$", re.DOTALL | re.MULTILINE)
# Also the end of a clause that the next word begins anew: "cancel it, and then book another".
_SENTENCE = re.compile(
    r"(?<=[.!?;。！？])\s+|[\n\r]+|,\s+(?=(?:and|but|then|or else)\b)"
    r"|\s(?=(?:and|but|so) (?:I|we|can|could|please|then)\b)"
)
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")


class Asked(NamedTuple):
    """Names of an action and of a topic."""

    action: str
    topic: str


class Mention(NamedTuple):
    """A known action or topic in a sentence, `start` to before `end` in words."""

    name: str
    start: int
    end: int


@cache
def vocabulary_version() -> str:
    """Another one reads sessions anew."""
    return str(_document()["version"])


@cache
def topic_groups() -> Mapping[str, str]:
    """The group of each topic."""
    return {topic: group for group, topics in _document()["topics"].items() for topic in topics}


def topic_words(topic: str) -> str:
    """How a topic is said, such as `a PDF document`."""
    return str(_document()["topics"][topic_groups()[topic]][topic][0])


def action_words(action: str) -> str:
    """How an action is said, such as `to send`."""
    return str(_document()["said"][action])


def prose(text: str) -> str:
    """The text without code and quoted lines, its beginning and end where it is long."""
    if len(text) > 2 * READ_CHARS:
        text = f"{text[:READ_CHARS]}\n{text[-READ_CHARS:]}"
    return _CODE.sub(" ", text)


def sentences(text: str) -> list[str]:
    """The sentences and clauses of `prose`."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def words(sentence: str) -> list[str]:
    """Its words in lower case."""
    return [found.lower().replace("’", "'") for found in _WORD.findall(sentence)]


def asked_for(text: str) -> list[Asked]:
    """What the sentences of `prose` that are requests ask for, in order, once each."""
    found: dict[Asked, None] = {}
    for sentence in sentences(text):
        said = words(sentence)
        if _is_request(said):
            found.update(dict.fromkeys(pairs(said)))
    return list(found)


def pairs(said: Sequence[str]) -> list[Asked]:
    """Every topic of a sentence with the action that stands nearest, by preference before it."""
    verbs = _verbs(said)
    return [Asked(_action(topic, verbs), topic.name) for topic in _things(said, verbs)]


def topics_in(said: Sequence[str]) -> set[str]:
    """Topics that a sentence names."""
    return {topic.name for topic in _things(said, _verbs(said))}


def actions_in(said: Sequence[str]) -> set[str]:
    """Actions that a sentence names, also as a noun ("an exchange"); a mere wish is none."""
    topics = _things(said, [])
    named = {
        verb.name
        for verb in mentions(said, _actions())
        if not any(topic.start <= verb.start < topic.end for topic in topics)
    }
    return (named | {verb.name for verb in _verbs(said)}) - {ANYTHING}


def mentions(said: Sequence[str], known: Mapping[str, str]) -> Iterator[Mention]:
    """Known words in order, the longest at each place; no word counts twice."""
    start = 0
    while start < len(said):
        for end in range(min(start + _LONGEST, len(said)), start, -1):
            name = known.get(" ".join(said[start:end]))
            if name is not None:
                yield Mention(name, start, end)
                start = end - 1
                break
        start += 1


def _verbs(said: Sequence[str]) -> list[Mention]:
    """Known verbs; a word behind an article is a noun: "a refund", "my order"."""
    return [
        verb
        for verb in mentions(said, _actions())
        if verb.start == 0 or not _is_no_verb(said[verb.start - 1], said[verb.start])
    ]


def _is_no_verb(before: str, word: str) -> bool:
    return before in _set("before_nouns") or (word.endswith("ed") and before in _set("tellers"))


def _things(said: Sequence[str], verbs: Sequence[Mention]) -> list[Mention]:
    """Known topics; a word before an article is a verb: "refund my order", "test the login"."""
    return [
        topic
        for topic in mentions(said, _topics())
        if not any(
            verb.start <= topic.start < verb.end
            and (verb.end - verb.start > 1 or (*said[verb.end :], "")[0] in _set("articles"))
            for verb in verbs
        )
    ]


def _is_request(said: Sequence[str]) -> bool:
    """Whether a sentence asks, or begins with a command."""
    joined = f" {' '.join(said)} "
    if any(f" {refusal} " in joined for refusal in _document()["unwanted"]):
        return False
    if any(f" {marker} " in joined for marker in _document()["requests"]):
        return True
    first = next((place for place, word in enumerate(said) if word not in _set("openings")), None)
    if first is None or said[first].endswith(("ing", "ed")):
        return False
    return any(
        verb.start == first and verb.name != ANYTHING
        for verb in mentions(said[: first + _LONGEST], _actions())
    )


def _action(topic: Mention, verbs: Sequence[Mention]) -> str:
    """The nearest verb before the topic, else shortly behind it; a mere wish only without one."""
    before = [v for v in verbs if 0 <= topic.start - v.end < _REACH]
    behind = [v for v in verbs if 0 <= v.start - topic.end < _BEHIND]
    for near in (before[::-1], behind):
        told = next((verb.name for verb in near if verb.name != ANYTHING), None)
        if told is not None:
            return told
    return ANYTHING


@cache
def _set(name: str) -> frozenset[str]:
    return frozenset(_document()[name])


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(VOCABULARY.read_text(encoding="utf-8"))


@cache
def _topics() -> Mapping[str, str]:
    return {
        form: topic
        for topics in _document()["topics"].values()
        for topic, (_, *known) in topics.items()
        for word in known
        for form in _with_plural(word)
    }


@cache
def _actions() -> Mapping[str, str]:
    return {
        form: action
        for action, known in _document()["actions"].items()
        for word in known
        for form in _with_endings(word)
    }


def _with_plural(word: str) -> set[str]:
    plural = f"{word[:-1]}ies" if re.search(r"[^aeiou]y\Z", word) else f"{word}s"
    return {word, plural, f"{word}es"} if re.search(r"(?:s|x|ch|sh)\Z", word) else {word, plural}


def _with_endings(word: str) -> set[str]:
    """A verb with its English endings; forms that do not exist do no harm."""
    first, _, rest = word.partition(" ")
    stem = first.removesuffix("e")
    doubled = f"{first}{first[-1]}"
    forms = {first, f"{first}s", f"{stem}ed", f"{stem}ing", f"{doubled}ing", f"{doubled}ed"}
    return {f"{form} {rest}".strip() for form in forms}
