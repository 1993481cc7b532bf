"""The live judge as the bundled agent's adviser: steps in, advice out."""

from agent_core.session import Step
from judges.live import LiveJudge
from pipelines.home import Home
from pipelines.live_failures import note_failure


class LiveAdviser:
    """Looks at one session of the bundled agent, step by step.

    A kind of trouble is told once in a turn, and again only when it has doubled. The agent never
    stops for a fault in here: it is noted in `state/live.log` of the home.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._judge = LiveJudge(home.salt())

    def __call__(self, step: Step) -> str | None:
        """Advice for the agent after its newest step; None: none."""
        try:
            return self._advice(step)
        except Exception as error:  # noqa: BLE001 - who only looks on must not end the work
            note_failure(self._home.root, error)
            return None

    def _advice(self, step: Step) -> str | None:
        alarms = self._judge.observe(step)
        if step.source == "agent" and not step.tool_calls:
            alarms = (*alarms, *self._judge.rest(step))
        return "\n".join(f"{alarm.says}. {alarm.advice}" for alarm in alarms) or None
