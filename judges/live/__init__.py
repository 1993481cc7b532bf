"""The live judge: what the rules see of a session while it runs, and when to say so."""

from judges.live.alarms import ALARM_KINDS, Alarm, AlarmKind
from judges.live.judge import LiveJudge
from judges.live.memory import MAX_NOTES, TurnNote

__all__ = ["ALARM_KINDS", "MAX_NOTES", "Alarm", "AlarmKind", "LiveJudge", "TurnNote"]
