"""What an alarm says and advises: templates of closed words, never a word of the session."""

from collections.abc import Mapping

from judges.live.alarms import AlarmKind, Sign
from judges.rules.vocabulary import EXTERNAL_TOOL, failure_words, known_class, tool_name

_SEEN: Mapping[AlarmKind, str] = {
    "error_run": "{tool} {failed} {times} times in this turn",
    "repeated_call": "the same call of {tool} {failed} {times} times with nothing changed between",
    "lost_context": "the context was compacted and the same things are read again and again",
    "interrupt_after_claim": "the person stopped the agent after it had said that it was done",
    "repeated_stops": "the person stopped the agent in {times} of the last turns",
    "claim_over_failure": "the agent says that it is done, and its last call failed",
    "unverified_fix": "a reported failure is said to be fixed, and nothing was run since the edit",
    "third_restatement": "the person states the same wish for the {times}. time",
    "repeated_failure": "work that was said to be done fails again, {times} times by now",
    "escalation": "the person is losing patience",
    "friction_building": "{times} of the last three turns were friction",
}
_ADVICE: Mapping[AlarmKind, str] = {
    "error_run": (
        "Stop calling it this way. Read the error, check the arguments against what the tool "
        "expects, and take another way; after one more failure tell the person what is in the way."
    ),
    "repeated_call": (
        "Do not make this call again as it is. Find out why it fails, change something, or use "
        "another tool."
    ),
    "lost_context": (
        "Write down what was decided and what is left, then go on from that; ask the person once "
        "for what is missing instead of reading everything again."
    ),
    "interrupt_after_claim": (
        "Do not go on as before. Say in a sentence what was done and what was not checked, and "
        "ask what is wrong with it before you change anything."
    ),
    "repeated_stops": (
        "Make smaller steps. Say what you are about to do and wait for a yes before you edit or "
        "run anything."
    ),
    "claim_over_failure": (
        "Do not report success. Look at the last failure, then mend it or say plainly that it is "
        "open."
    ),
    "unverified_fix": (
        "Run what failed before, and report what it shows; without that, say that the fix is not "
        "checked."
    ),
    "third_restatement": (
        "Stop and state in your own words what is asked, compare it with what was delivered, name "
        "the difference, and do exactly that part next."
    ),
    "repeated_failure": (
        "The last fixes did not reach the cause. Reproduce the failure first, name the cause, and "
        "show the check that passes before you say that it is done."
    ),
    "escalation": (
        "Admit briefly what went wrong, without excuses. Do the one thing that is asked for, "
        "check it, and show the result."
    ),
    "friction_building": (
        "Before the next change, list what the person has corrected so far, say how the plan "
        "changes, and check each point before you answer."
    ),
}


def seen(sign: Sign) -> str:
    """What is seen; a tool is named only when its name is public knowledge."""
    run = sign.run
    name = tool_name(run.tool if run else None)
    shown = "an external tool" if name == EXTERNAL_TOOL else name or "a tool"
    failed = failure_words(known_class(run.error_class) or "other") if run else "failed"
    return _SEEN[sign.kind].format(tool=shown, failed=failed, times=sign.times)


def advice(kind: AlarmKind) -> str:
    """What the agent should do differently."""
    return _ADVICE[kind]
