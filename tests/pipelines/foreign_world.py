"""A sample repository of somebody's agent, and Claude Code's logs of work in it."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.pipelines.claude_log import line, write_log

PATCHABLE = ("CLAUDE.md", ".claude/skills", "tools")
FILES = {
    "CLAUDE.md": "# Shop\n\n## Tools\n- Deploy with tools/deploy.py.\n",
    ".claude/skills/release/SKILL.md": "---\nname: release\n---\nRun the tool, then tell.\n",
    "tools/deploy.py": "LIMIT_SECONDS = 1\n\n\ndef deploy(place: str) -> str:\n    return place\n",
    "tests/check.py": "from tools.deploy import deploy\n\nassert deploy('x') == 'x'\n",
    "answers/expected.txt": "what the tests expect\n",
}
FIRST, SECOND = datetime(2026, 9, 1, 8, tzinfo=UTC), datetime(2026, 9, 11, 8, tzinfo=UTC)
_SAID = "please rename the basket to cart in the shop page"


def git(repo: Path, *command: str, at: datetime = FIRST) -> str:
    """What git says; a person commits at that time."""
    stamp = at.isoformat()
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(
        ["git", "-C", str(repo), *who, *command],
        env={**os.environ, "GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def sample_repository(root: Path) -> Path:
    """Two releases: the second one's CLAUDE.md lost the rule on edits."""
    rule = "- Read a file again before it is edited a second time.\n"
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True)
    for path, text in (FILES | {"CLAUDE.md": FILES["CLAUDE.md"] + rule}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    git(root, "add", ".")
    git(root, "commit", "-qm", "begin")
    (root / "CLAUDE.md").write_text(FILES["CLAUDE.md"])
    git(root, "commit", "-qam", "shorter", at=SECOND)
    return root


def write_sessions(folder: Path, project: Path, *, each: int) -> None:
    """`each` sessions a release; edits fail in 2 of the first and in four fifths of the others."""
    for name, start, failing in (("old", FIRST, 2), ("new", SECOND, each * 4 // 5)):
        for number in range(each):
            at = start + timedelta(hours=6 * number + 1)
            key = f"{project.name}-{name}-{number}"
            records = _records(key, at, project, fails=number < failing)
            write_log(folder / f"{key}.jsonl", *records)


def _records(key: str, at: datetime, project: Path, *, fails: bool) -> list[dict[str, Any] | str]:
    edit = {"file_path": f"{project}/shop.html", "old_string": "basket", "new_string": "cart"}
    outcome = "String to replace not found in file." if fails else "The file has been updated."
    records = [_said(_SAID)]
    for call in range(3 if fails else 1):
        records += _call(f"{key}-{call}", edit, outcome, is_error=fails)
    records += [_answer("I could not edit the page." if fails else "Renamed."), _said("thanks")]
    shown = []
    for number, record in enumerate(records):
        moment = (at + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
        place = {"cwd": str(project), "timestamp": moment}
        shown.append(json.dumps(line(key, f"{key}-{number}", 0, **record) | place))
    return list(shown)


def _said(text: str) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": text}}


def _answer(text: str) -> dict[str, Any]:
    return _assistant([{"type": "text", "text": text}])


def _assistant(content: list[dict[str, Any]]) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 5}
    message = {"role": "assistant", "model": "claude-made-up", "content": content, "usage": usage}
    return {"type": "assistant", "message": message}


def _call(key: str, given: dict[str, Any], said: str, *, is_error: bool) -> list[dict[str, Any]]:
    use = {"type": "tool_use", "id": key, "name": "Edit", "input": given}
    result = {"type": "tool_result", "tool_use_id": key, "content": said, "is_error": is_error}
    return [_assistant([use]), {"type": "user", "message": {"role": "user", "content": [result]}}]
