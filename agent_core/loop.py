"""The loop of the agent core: policy, tool calls, observations, until the turn ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from agent_core.errors import ModelError
from agent_core.plan import DEFAULT_PLAN, Plan, revise
from agent_core.policy import Action, AgentState, AgentTurn, Policy, UserTurn
from agent_core.recorder import Recorder
from agent_core.session import Observation, Step, ToolCall
from agent_core.session_log import SessionLog
from agent_core.toolkit import Toolbox

Status = Literal["done", "gave_up", "asked", "step_limit", "budget", "interrupted"]

Advise = Callable[[Step], str | None]
"""Is shown each step of a session in canonical form; may answer with advice for the agent."""

DEFAULT_MAX_STEPS = 60
_STOPPED = "Stopped after {steps} steps without an end."
_NOBODY = "The task is not clear, and nobody can be asked: {question}"


@dataclass(frozen=True, slots=True)
class AgentResult:
    """How the agent's turn ended."""

    status: Status
    session_id: str
    text: str
    """What the agent said at the end: its claim, its question, or why it gave up."""
    steps: int
    """Actions taken in this turn."""
    plan: Plan


class AgentSession:
    """A conversation with the agent on one workspace; every event goes to its log."""

    def __init__(
        self,
        *,
        policy: Policy,
        toolbox: Toolbox,
        log: SessionLog,
        recorder: Recorder | None = None,
        watch: Callable[[AgentState], bool] | None = None,
        advise: Advise | None = None,
        max_steps: int = DEFAULT_MAX_STEPS,
    ) -> None:
        """`watch` is asked after every observation and interrupts the turn by True; what `advise`
        says is logged and stands beside the step for the policy to read.
        """
        self._policy = policy
        self._log = log
        self._recorder = recorder
        self._watch = watch
        self._advise = advise
        self._max_steps = max_steps
        self._awaits_answer = False
        self.state = AgentState((), DEFAULT_PLAN, toolbox)

    def send(self, text: str, *, by: Literal["user", "system"] = "user") -> AgentResult:
        """One turn, worked on to its end; a ModelError is logged and raised.

        `by` is "system" where a program gives the task: no person then speaks in the session, and
        nobody can be asked. The answer to a question goes on with the plan at hand.
        """
        (self._log.user if by == "user" else self._log.system)(text)
        self.state = replace(
            self.state,
            turns=(*self.state.turns, UserTurn(text)),
            plan=self.state.plan if self._awaits_answer else DEFAULT_PLAN,
            has_person=by == "user",
        )
        self._awaits_answer = False
        self._take_advice(Step(self._log.last_ref, by, text, is_person=by == "user"))
        try:
            return self._work()
        except KeyboardInterrupt:
            return self._interrupted(0)
        except ModelError as error:
            self._log.event("api_error", type(error).__name__)
            raise

    def _work(self) -> AgentResult:
        for step in range(1, self._max_steps + 1):
            action = self._policy.next_action(self.state)
            self._take_compaction(action)
            if action.ending == "budget":
                return self._stopped("budget", action.text, step - 1)
            observations = tuple(self._observe(action))
            self._remember(action, observations)
            if ending := _ending(action, observations):
                return self._ended(ending, _last_words(action), step)
            if self._watch is not None and self._watch(self.state):
                return self._interrupted(step)
        return self._stopped("step_limit", _STOPPED.format(steps=self._max_steps), self._max_steps)

    def _take_compaction(self, action: Action) -> None:
        """Go on from the shorter conversation that the action was decided from."""
        if action.compaction is None:
            return
        self.state = replace(self.state, turns=action.compaction.turns)
        note = action.compaction.note
        self._log.event("compaction", note)
        self._take_advice(Step(self._log.last_ref, "system", note, event="compaction"))

    def _observe(self, action: Action) -> Iterator[Observation]:
        for call in action.tool_calls:
            settled = action.settled.get(call.call_id)
            if settled is not None:
                yield settled
            elif self._recorder is None:
                yield self.state.toolbox.execute(call)
            else:
                yield self._recorder.recorded(call, self.state.toolbox.execute)

    def _remember(self, action: Action, observations: tuple[Observation, ...]) -> None:
        before = action.plan or self.state.plan
        plan = revise(before, action.tool_calls, observations)
        turns = (*self.state.turns, AgentTurn(action, observations))
        changed = plan != self.state.plan
        self.state = replace(self.state, turns=turns, plan=plan)
        self._log.agent(action, observations, plan if changed else None)
        self._take_advice(
            Step(
                self._log.last_ref,
                "agent",
                action.text,
                reasoning=action.reasoning,
                tool_calls=action.tool_calls,
                observations=observations,
                model=action.model,
                tokens=action.tokens,
            )
        )

    def _take_advice(self, step: Step) -> None:
        """Let who looks on see the newest step, and put what they say beside it."""
        note = self._advise(step) if self._advise is not None else None
        if note:
            self._log.event("advice", note)
            *before, last = self.state.turns
            self.state = replace(self.state, turns=(*before, replace(last, note=note)))

    def _ended(self, ending: Status, text: str, steps: int) -> AgentResult:
        if ending == "asked" and not self.state.has_person:
            return self._result("gave_up", _NOBODY.format(question=text), steps)
        self._awaits_answer = ending == "asked"
        return self._result(ending, text, steps)

    def _stopped(self, status: Status, text: str, steps: int) -> AgentResult:
        self._log.event(status, text)
        return self._result(status, text, steps)

    def _interrupted(self, step: int) -> AgentResult:
        self._log.event("interrupt", "[interrupted by the user]")
        self._take_advice(Step(self._log.last_ref, "user", event="interrupt"))
        return self._result("interrupted", "", step)

    def _result(self, status: Status, text: str, steps: int) -> AgentResult:
        return AgentResult(status, self._log.session_id, text, steps, self.state.plan)


def _ending(action: Action, observations: tuple[Observation, ...]) -> Status | None:
    if not action.tool_calls or action.ending == "asked":
        return action.ending
    submitted = _submission(action)
    results = {observation.call_id: observation for observation in observations}
    if submitted is None or results[submitted.call_id].is_error:
        return None
    return "gave_up" if submitted.arguments.get("status") == "gave_up" else "done"


def _submission(action: Action) -> ToolCall | None:
    return next((call for call in action.tool_calls if call.name == "submit"), None)


def _last_words(action: Action) -> str:
    submitted = _submission(action)
    if submitted is None or action.ending == "asked":
        return action.text
    return str(submitted.arguments.get("summary", action.text))
