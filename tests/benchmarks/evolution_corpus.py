"""Corpora of moments for the benchmark of evolution, the same for the same seed.

Scenes of invented sessions (what the agent called, what failed, what the person did) are judged by
the typing and wording rules of the shipped judge; only the reading of a log is skipped. A kind that
is left out of the rubric then comes as `other`, as it would. Planted kinds, which no rule knows,
are put in the judge's frame with several wordings each. `wording="free"` says what the person did
in words of its own for every type, as a model judge would: nothing must hang on one template.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import polars as pl

from agent_core.session import Segment, Step
from facets.evolution import ITEMS_SCHEMA
from judges.rubric import Rubric, load_rubric
from judges.rules.evidence import Evidence
from judges.rules.moments import MomentMaker
from judges.rules.prose import Turn
from judges.rules.scoring import shipped_weights
from judges.rules.structural import ErrorRun
from judges.rules.view import Call, SegmentView
from judges.rules.wording import Scene, descriptor, scene_place, tells_what_hurt
from tests.benchmarks.evolution_words import NOVEL, SAID_FREELY

Wording = Literal["rules", "free"]

SHARES = {
    "correction": 0.40,
    "abandoned_tool_flow": 0.20,
    "repeated_rephrasing": 0.14,
    "error_event": 0.09,
    "backtracking": 0.06,
    "escalation_tone": 0.05,
    "platform_confusion": 0.03,
    "context_churn": 0.03,
}
"""Of the friction of a corpus, by type; about what the labelled sessions show."""
_FRICTION_PER_SESSION = 1.5
_CONTEXTS = 30
"""What agents did before a moment comes back over the sessions, as it does in the real ones."""
_SECOND_KIND = 0.25
"""Share of the moments in which the person does a second thing."""
_TOOLS = ("Edit", "Bash", "Read", "Grep", "TodoWrite", "Task", "WebFetch", "external_tool")
_TOOL_WEIGHTS = (6, 6, 5, 3, 2, 1, 1, 1)
_FAILURES = ("timeout", "no_match", "not_found", "permission", "invalid_arguments", "network")
_EVIDENCE: Mapping[str, tuple[Mapping[str, float], ...]] = {
    "correction": (
        {"says_correction": 1},
        {"says_failure": 1, "failure_after_claim": 1},
        {"says_failure": 1},
        {"pastes_failure": 1, "says_failure": 1},
        {"says_review": 1},
        {"agent_concedes": 1, "shows_picture": 1},
    ),
    "abandoned_tool_flow": (
        {"interrupt": 1, "stopped": 1},
        {"rejection": 1, "stopped": 1},
        {"interrupt": 1, "rejection": 1, "stopped": 1},
    ),
    "repeated_rephrasing": ({"restates": 0.8}, {"restates": 0.4, "says_repetition": 1}),
    "error_event": ({"error_repeated": 1, "error_run": 1}, {"error_run": 1, "agent_gives_up": 1}),
    "backtracking": ({"says_undo": 1}, {"says_undo": 1, "rollback": 1}),
    "escalation_tone": ({"says_escalation": 1}, {"says_escalation": 1, "says_repetition": 1}),
    "platform_confusion": ({"says_platform": 1},),
    "context_churn": (
        {"says_lost_context": 1, "compaction": 1},
        {"says_lost_context": 1, "compaction": 1, "rereads": 1},
    ),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a corpus holds."""

    sessions: int
    left_out: str | None = None
    """A type that the rubric lacks; its moments come as `other`."""
    planted: tuple[str, ...] = ()
    """Kinds of `NOVEL`, which no rubric knows."""
    prevalence: float = 0.0
    """Share of the sessions that hold what is left out, and each kind that is planted."""
    missed: float = 0.03
    """Share of the moments of known types that the judge calls `other` all the same."""
    vague: float = 0.03
    """Share of the sessions with a moment of `other` in which nothing tells what the person did."""
    wording: Wording = "rules"
    users: int = 6


class Corpus(NamedTuple):
    """`items` as ITEMS_SCHEMA, and what each of them truly is (`missed`, `vague`: nothing new)."""

    items: pl.DataFrame
    truth: list[str]


class _Row(NamedTuple):
    text: str
    kind: str
    truth: str
    session: int


def make_corpus(plan: Plan, seed: int) -> Corpus:
    """The moments of friction of `plan.sessions` sessions."""
    draw = random.Random(seed)
    maker = _maker(plan.left_out)
    rows = [*_known(plan, maker, draw), *_new(plan, maker, draw), *_vague(plan, maker, draw)]
    rows.sort(key=lambda row: row.session)
    items = [
        (
            *(f"m{n}", row.text, row.kind, f"s{row.session}", f"u{row.session % plan.users}"),
            tells_what_hurt(row.text),
        )
        for n, row in enumerate(rows)
    ]
    return Corpus(
        pl.DataFrame(items, schema=ITEMS_SCHEMA, orient="row"), [row.truth for row in rows]
    )


def without(rubric: Rubric, kind: str | None) -> Rubric:
    """The rubric without a type of friction."""
    kept = tuple(known for known in rubric.friction if known.name != kind)
    return rubric.model_copy(update={"friction": kept})


def _maker(left_out: str | None) -> MomentMaker:
    rubric = without(load_rubric(), left_out)
    return MomentMaker(rubric, shipped_weights(), b"benchmark", frozenset())


def _known(plan: Plan, maker: MomentMaker, draw: random.Random) -> Iterator[_Row]:
    kinds = [kind for kind in SHARES if kind != plan.left_out]
    weights = [SHARES[kind] for kind in kinds]
    for _ in range(round(_FRICTION_PER_SESSION * plan.sessions)):
        first = draw.choices(kinds, weights)[0]
        second = draw.choices(kinds, weights)[0] if draw.random() < _SECOND_KIND else None
        session = draw.randrange(plan.sessions)
        for row in _moments(first, second, session, plan, maker, draw):
            missed = draw.random() < plan.missed
            yield row._replace(kind="other", truth="missed") if missed else row


def _new(plan: Plan, maker: MomentMaker, draw: random.Random) -> Iterator[_Row]:
    held_by = round(plan.prevalence * plan.sessions)
    if plan.left_out:
        kinds = [kind for kind in SHARES if kind != plan.left_out]
        for session in draw.sample(range(plan.sessions), held_by):
            second = draw.choice(kinds) if draw.random() < _SECOND_KIND else None
            yield from _moments(plan.left_out, second, session, plan, maker, draw)
    for kind in plan.planted:
        for session in draw.sample(range(plan.sessions), held_by):
            scene = _scene({}, draw)
            text = _framed(scene, draw.choice(NOVEL[kind]))
            yield _Row(text, "other", kind, session)


def _vague(plan: Plan, maker: MomentMaker, draw: random.Random) -> Iterator[_Row]:
    for session in draw.sample(range(plan.sessions), round(plan.vague * plan.sessions)):
        scene = _scene({"says_objects": 1, "failure_at_end": 1, "agent_edited": 1}, draw)
        yield _Row(descriptor("other", scene, frozenset()), "other", "vague", session)


def _moments(
    first: str,
    second: str | None,
    session: int,
    plan: Plan,
    maker: MomentMaker,
    draw: random.Random,
) -> Iterator[_Row]:
    """The moments of friction of one scene, each with what it truly is."""
    evidence = dict(draw.choice(_EVIDENCE[first]))
    if second is not None:
        evidence |= draw.choice(_EVIDENCE[second])
    if "correction" not in (first, second):
        evidence["bare_command"] = 1.0  # the rules take a stop with words for a correction too
    # What else weighs for friction has no words of its own: it brings weak scenes over the point.
    scene = _scene(evidence | {"says_objects": 1.0, "agent_edited": 1.0, "denies": 1.0}, draw)
    for moment in maker.moments(scene):
        if moment.polarity == "friction":
            truth = moment.type if moment.type != "other" else plan.left_out or "other"
            text = moment.descriptor
            if plan.wording == "free":
                text = _framed(scene, draw.choice(SAID_FREELY[truth]))
            yield _Row(text, moment.type, truth, session)


class _Context(NamedTuple):
    """What the agent had done, and how it left off."""

    tools: tuple[str, ...]
    state: str
    run: ErrorRun | None


def _scene(evidence: Evidence, draw: random.Random) -> Scene:
    context = draw.choice(_contexts())
    run = context.run or (_run(draw) if "error_run" in evidence else None)
    calls = [_call(tool) for tool in context.tools] + ([run.last] if run else [])
    said = {**evidence, context.state: 1.0} if context.state else dict(evidence)
    return Scene(_view(calls), said, run, scene_place(draw.randrange(12), 12))


@cache
def _contexts() -> tuple[_Context, ...]:
    """The same for every corpus: what differs is which of them meet."""
    draw = random.Random("contexts")
    states = ("agent_claims", "agent_asks", "agent_gives_up", "")
    return tuple(
        _Context(
            tuple(
                draw.choices(_TOOLS, _TOOL_WEIGHTS, k=draw.choices((0, 1, 2, 4), (1, 4, 4, 3))[0])
            ),
            draw.choices(states, (4, 2, 0.3, 4))[0],
            _run(draw) if draw.random() < 0.2 else None,
        )
        for _ in range(_CONTEXTS)
    )


def _call(tool: str) -> Call:
    return Call(tool, "line:1", "", failed=False)


def _run(draw: random.Random) -> ErrorRun:
    tool, failure = draw.choice(("Bash", "Edit", "Read", "external_tool")), draw.choice(_FAILURES)
    last = Call(tool, "line:1", "", failed=True, error_class=failure)
    return ErrorRun(tool, failure, draw.choice((1, 2, 4)), mended=False, last=last)


def _view(calls: Sequence[Call]) -> SegmentView:
    step = Step("line:1", "user", is_person=True)
    return SegmentView(
        segment=Segment(2, "line:1", (step,)),
        closing=Turn("", ""),
        calls=tuple(calls),
        agent_text="",
        reply="",
        thought="",
        earlier=(),
        is_after_compaction=False,
        is_autonomous=False,
    )


def _framed(scene: Scene, phrase: str) -> str:
    """What the judge says of the scene, with `phrase` for what the person did."""
    before = descriptor("other", scene._replace(evidence=_wordless(scene.evidence)), frozenset())
    head, place = before.rsplit(", ", 1)
    return f"{head}, the person {phrase}, {place}"


def _wordless(evidence: Evidence) -> Evidence:
    return {name: value for name, value in evidence.items() if name.startswith("agent_")}
