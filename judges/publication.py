"""The edge that every judgement passes before it is kept, whichever judge made it.

What leaves is closed vocabulary, proven so word by word, or text that the privacy filter lets
through; what fails is replaced by a template, and a verdict outside the rubric is no verdict.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache
from importlib import resources
from typing import Any, NewType, get_args

from agent_core.privacy import PrivacyFilter
from agent_core.session import Session
from agent_core.signature import ERROR_CLASSES
from judges.rubric import Rubric, load_rubric
from judges.rules.scoring import shipped_weights
from judges.rules.vocabulary import KNOWN_TOOLS, known_class, tool_name
from judges.transcript import session_names, session_texts
from judges.verdict import Judgement, Moment, Severity

Sealed = NewType("Sealed", Judgement)
"""A judgement that has passed `sealed`: the only kind that is kept."""
Passes = Callable[[str], bool]

WITHHELD = "the reason may not be published"
_UNRUBRIC = "the judge left the rubric"
_NO_STEP = "the judge points at a step that does not exist"
# Judges whose texts are templates by construction: closed words prove it. The text of any other
# may be a quotation in spite of its plain words.
_TEMPLATE_JUDGES = frozenset({"rules", "live"})
_EVIDENCE_OF_OTHERS = frozenset({"model"})
_TOKEN = re.compile(r"[^\s,.:;]+")
_SIGNATURE = re.compile(rf"(?:{'|'.join(ERROR_CLASSES)}):[0-9a-f]{{12}}")
_DESCRIPTORS = {
    "friction": "after the agent used tools, something held the person up, in the session",
    "delight": "after the agent used tools, the person was pleased, in the session",
}
_SUMMARY = "A session."
_MOST_COUNTED = 1_000_000


def sealed(
    judgement: Judgement,
    session: Session,
    rubric: Rubric | None = None,
    target_tools: frozenset[str] = frozenset(),
) -> Sealed:
    """The judgement as it may be kept: the same where it says nothing private.

    `target_tools` are names of the target's own tools, besides those that are public knowledge.
    Never raises for what a judge said; a verdict that does not fit the rubric or the session
    becomes `unscored` with its reason.
    """
    passes = _text_check(judgement, session, target_tools)
    if judgement.status != "judged":
        return _without_verdict(judgement, _reason(judgement.reason, passes))
    problem = _misfit(judgement, session, rubric or _shipped_rubric())
    if problem is not None:
        return _without_verdict(replace(judgement, status="unscored"), problem)
    kept = replace(
        judgement,
        reason=None,
        summary=judgement.summary if passes(judgement.summary) else _SUMMARY,
        moments=tuple(_moment(moment, passes, target_tools) for moment in judgement.moments),
        facets=_facets(judgement.facets, passes),
    )
    return Sealed(kept)


def is_closed(text: str, target_tools: frozenset[str] = frozenset()) -> bool:
    """Whether every token is a word of the templates or a tool's name that may be published."""
    return all(
        token in KNOWN_TOOLS or token in target_tools or _uncapped(token) in published_words()
        for token in _TOKEN.findall(text)
    )


@cache
def published_words() -> frozenset[str]:
    """The words that templates are made of (`published_words.txt`), in lower case."""
    folder = resources.files(__package__)
    return frozenset(folder.joinpath("published_words.txt").read_text(encoding="utf-8").split())


@cache
def published_evidence() -> frozenset[str]:
    """Names of evidence: what the shipped weights weigh, and that a model said so."""
    return frozenset(_keys(asdict(shipped_weights()))) | _EVIDENCE_OF_OTHERS


@cache
def _shipped_rubric() -> Rubric:
    return load_rubric()


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _keys(inner)


def _uncapped(token: str) -> str:
    """A capital at the start of a word only."""
    return token[:1].lower() + token[1:]


def _text_check(
    judgement: Judgement, session: Session, target_tools: frozenset[str]
) -> Callable[[str], bool]:
    """Whether a text may leave; the session is read once, and only where words do not prove it."""
    filters: list[PrivacyFilter] = []

    def passes(text: str) -> bool:
        if judgement.identity.judge in _TEMPLATE_JUDGES and is_closed(text, target_tools):
            return True
        if not filters:
            allowed = KNOWN_TOOLS | target_tools
            filters.append(PrivacyFilter(session_texts(session), allowed, session_names(session)))
        return filters[0].check(text) is None

    return passes


def _misfit(judgement: Judgement, session: Session, rubric: Rubric) -> str | None:
    """Why the verdict is none: it names what the rubric lacks, or points where nothing is."""
    for moment in judgement.moments:
        if moment.polarity not in _DESCRIPTORS or moment.severity not in get_args(Severity):
            return _UNRUBRIC
        if moment.type not in rubric.names(moment.polarity):
            return _UNRUBRIC
    refs = {step.source_ref for step in session.steps}
    pointed = {moment.source_ref for moment in judgement.moments}
    pointed |= {moment.turn_ref for moment in judgement.moments if moment.turn_ref is not None}
    pointed |= {turn.source_ref for turn in judgement.turns}
    return None if judgement.session_key == session.key and pointed <= refs else _NO_STEP


def _moment(moment: Moment, passes: Passes, target_tools: frozenset[str]) -> Moment:
    is_template = is_closed(moment.descriptor, target_tools) and moment.descriptor.strip()
    descriptor = moment.descriptor if is_template else _DESCRIPTORS[moment.polarity]
    citation = moment.citation if passes(moment.citation) else _sentence(descriptor)
    signature = moment.error_signature
    return replace(
        moment,
        descriptor=descriptor,
        citation=citation,
        tool=tool_name(moment.tool, target_tools),
        error_class=known_class(moment.error_class),
        error_signature=signature if signature and _SIGNATURE.fullmatch(signature) else None,
        evidence=tuple(name for name in moment.evidence if name in published_evidence()),
    )


def _facets(facets: Mapping[str, Any] | None, passes: Passes) -> dict[str, Any] | None:
    """Facets whose name and value may be known; a value that may not is None."""
    if facets is None:
        return None
    return {
        name: _facet(value, passes) for name, value in facets.items() if _may_name(name, passes)
    }


def _may_name(facet: str, passes: Passes) -> bool:
    return facet in published_words() or passes(facet.replace("_", " "))


def _facet(value: Any, passes: Passes) -> Any:
    if isinstance(value, list | tuple):
        kept = [_facet(inner, passes) for inner in value]
        return [inner for inner in kept if inner is not None]
    if isinstance(value, str):
        return value if value in published_words() or passes(value) else None
    return value if isinstance(value, bool | int) and abs(value) <= _MOST_COUNTED else None


def _reason(reason: str | None, passes: Passes) -> str | None:
    """A reason in plain words; the class of an error, where it is one, stands for itself."""
    if reason is None:
        return None
    plain = _ERROR.sub(lambda match: "error" if _is_error(match[1]) else match[0], reason)
    plain = _NUMBERED.sub("", plain).replace("_", " ")
    return reason if is_closed(plain) or passes(plain) else WITHHELD


_ERROR = re.compile(r"(?<=failed: )([A-Za-z_]\w*)(?: in [\w<>]+ line \d+)?\Z")
"""What `judge failed` names: the class of an exception, and perhaps the place in our code."""
_NUMBERED = re.compile(r"(?<= )\d{1,6}(?=[ ,.;]|\Z)|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.+Z]*)?")


def _is_error(name: str) -> bool:
    """Whether an exception of that name exists in the program."""
    waiting: list[type] = [BaseException]
    while waiting:
        kind = waiting.pop()
        if kind.__name__ == name:
            return True
        waiting += type.__subclasses__(kind)
    return False


def _without_verdict(judgement: Judgement, reason: str | None) -> Sealed:
    emptied = replace(
        judgement,
        reason=reason,
        summary="",
        moments=(),
        turns=(),
        facets=None,
        friction_score=None,
        delight_score=None,
    )
    return Sealed(emptied)


def _sentence(descriptor: str) -> str:
    return f"{descriptor[0].upper()}{descriptor[1:]}."
