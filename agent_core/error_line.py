"""Which line of a failed call's output tells what failed: tracebacks, compilers, tests, shells.

Every rule looks at lines of bounded length in a bounded excerpt, so that the time is bounded too.
"""

import re
from collections.abc import Callable, Sequence

from agent_core.lazy_pattern import lazy_pattern

_HEAD_CHARS, _TAIL_CHARS = 6000, 4000
_LINE_CHARS = 400

_ESCAPES = lazy_pattern(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|[@-_])")
_TAGS = lazy_pattern(
    r"</?(?:tool_use_error|error|output|stderr|stdout|returncode|exception)>", re.I
)
_PREFIX = lazy_pattern(
    r"(?:\[[\w:.#/-]{1,30}\]\s+|\S{1,60} (?:typecheck|build|lint|test): )+", re.I
)
_EXIT = lazy_pattern(
    r"(?:(?:process )?exit(?:ed)?(?: with)?(?: status| code)?:? |returncode>\s*)(-?\d{1,6})", re.I
)
_TELLING_CODES = frozenset((124, 126, 127, 130, 134, 137, 139, 143))
"""Exit codes that say more than that the command failed: time, permission, signals."""
_HEADERS = lazy_pattern(
    r"(?:process )?exit(?:ed)?(?: with)?(?: status| code):? -?\d+\W*$|exit code -?\d+$|-?\d+$"
    r"|chunk id: \w+$|wall time:? |original token count: |total output lines: |output:$"
    r"|warning: truncated output|script (?:failed|completed|running)\b|\$ |> |\+ |\W*$"
    r"|failed in sandbox \w+ with execution error: sandbox denied exec error, exit code: \d+, "
    r"stdout: *$",
    re.I,
)
_SANDBOX = lazy_pattern(
    r"failed in sandbox .{0,120}?exit code: -?\d+, stdout: *(?:, stderr: )?", re.I
)
_PASSED = lazy_pattern(
    r"(?:\(pass\)|✓|✔|√|--- pass|ok\b|pass\b|passed\b|=== run|=== pause|\S+::\S+ passed)", re.I
)

_TOOL_ERROR = lazy_pattern(r"\s*<tool_use_error>\s*([^\n]{1,400})", re.I)
_EXCEPTION = lazy_pattern(
    r"(?:E\s+|Uncaught\s+|\w+\.go:\d+:\s*)?(?:[A-Za-z_]\w*\.)*[A-Z]\w*"
    r"(?:Error|Exception|Failure|Exit|Interrupt|Warning|Timeout|NotFound)\b(?:\s*\[\w+\])?(?::|$)"
)
_TRACEBACK = "Traceback (most recent call last)"
_NO_COMMAND = lazy_pattern(
    r"(?:command not found: (?P<after>[\w./@+-]{1,80})"
    r"|(?P<before>[\w./@+-]{1,80}): (?:command )?not found$)"
)
_NO_FILE = lazy_pattern(r".{0,200}\bno such file or directory\b", re.I)
_COMPILER = lazy_pattern(
    r"error(?:\[\w+\]| [A-Z]{1,4}\d+)?: |\S+:\d+:\d+:? (?:fatal )?error|\S+\(\d+,\d+\): error"
    r"|\S+\.\w{1,5}:\d+:\d+: "
)
_LINTER = lazy_pattern(
    r"(?:at )?\S+ (?P<rule>lint/\w+/\w+|format|organizeImports)\b(?=.*━|\s+FIXABLE|$)"
)
_PLAIN = lazy_pattern(
    r"(?:\S{1,40}: )?(?:fatal|error|panic|npm err!|npm error|err!)\b(?! (?:task|trace))[:! ]"
    r"|jq: |gh: ",
    re.I,
)
_TEST = lazy_pattern(
    r"--- FAIL: |\(fail\) |FAILED |FAIL\b(?!.*\[(?:build|setup) failed\])|[✗✘] |not ok \d"
    r"|[1-9]\d* (?:tests? )?fail(?:ed|ures?)?\b"
)
_NO_BUILD = lazy_pattern(r".{0,300}\[(?:build|setup) failed\]")
_VAGUE = lazy_pattern(
    r"error|fail|fatal|denied|not found|timed? ?out|exception|cannot|can't|unable|invalid|unknown"
    r"|no such|refused|missing|must be|not allowed|unsupported|aborted|conflict|no matches found"
    r"|not defined|are ignored|would be reformatted|did not find",
    re.I,
)
_LISTING = lazy_pattern(
    r"\d+[\t→:|]|[+-](?![\w-]*: )|[0-9a-f]{7,40} |//|#|\*|\|"
    r"|(?:return|if|func|def|import|const|let|var|for|class)\b|\S+\.\w{1,5}:\d+[:-](?!\d+:)"
)
"""Lines of code, of a diff, of a search or of a history: what stands there failed nowhere."""
_SUMMARY = lazy_pattern(
    r"(?:error: )?(?:script|command) .{1,80} exited with|error: \S+ exited with"
    r"|error: (?:item \d+|all) fail|found \d+ (?:error|problem|issue|warning|diagnostic)"
    r"|error task failed|.{0,12}errors? were emitted|\W*\d+ problems?|exit status \d+"
    r"|=+ (?:failures|errors|short test summary)|error command failed|script \S+ exited"
    r"|elifecycle|run failed",
    re.I,
)


def telling_line(text: str) -> str:
    """The line that says what failed; empty where there is none, `exit code N` where only that
    is told.
    """
    if match := _TOOL_ERROR.match(text):
        return _bare(match[1])
    excerpt = _ESCAPES.sub("", _excerpt(text))
    told = [_bare(line) for line in excerpt.splitlines()]
    lines = [line for line in told if line and not _HEADERS.match(line)]
    lines = [line for line in lines if not _PASSED.match(line)]
    exit_code = _exit_code(excerpt)
    for rule in _RULES:
        if found := rule(lines):
            return found
    if exit_code is not None:
        return f"exit code {exit_code if exit_code in _TELLING_CODES else '<n>'}"
    return lines[0] if lines else ""


def doubt(line: str) -> int | None:
    """How little a line on its own tells of a failure: 0 names its cause, 1 what failed, 2 perhaps.

    None: it tells of none. The rules that need the lines around it are left out.
    """
    bare = _bare(line)
    if not bare or _PASSED.match(bare) or _LISTING.match(bare):
        return None
    if _EXCEPTION.match(bare) or _COMPILER.match(bare):
        return 0
    if _TEST.match(bare) or _PLAIN.match(bare) or _TRACEBACK in bare:
        return 1
    return 2 if _VAGUE.search(bare) and not _SUMMARY.match(bare) else None


def _excerpt(text: str) -> str:
    if len(text) <= _HEAD_CHARS + _TAIL_CHARS:
        return text
    return f"{text[:_HEAD_CHARS]}\n{text[-_TAIL_CHARS:]}"


def _bare(line: str) -> str:
    line = line[: 2 * _LINE_CHARS].strip()
    if "<" in line:
        line = _TAGS.sub(" ", line).strip()
    if "sandbox" in line:
        line = _SANDBOX.sub("", line, count=1)
    if match := _PREFIX.match(line):
        line = line[match.end() :]
    return line[:_LINE_CHARS].strip()


def _exit_code(excerpt: str) -> int | None:
    match = _EXIT.search(excerpt[:_LINE_CHARS])
    return int(match[1]) if match else None


def _exception(lines: Sequence[str]) -> str:
    """The exception that ends the last traceback, or the first that is named."""
    begin = next((i for i in range(len(lines) - 1, -1, -1) if _TRACEBACK in lines[i]), None)
    if begin is not None:
        raised = [line for line in lines[begin + 1 :] if _EXCEPTION.match(line)]
        return raised[0] if raised else ""
    named = next((line for line in lines if _EXCEPTION.match(line)), "")
    return named.removeprefix("E ").strip()


def _no_command(lines: Sequence[str]) -> str:
    for line in lines:
        match = _NO_COMMAND.search(line) if "not found" in line else None
        if match:
            name = match["after"] or match["before"]
            return f"command not found: {name.rpartition('/')[2]}"
    return ""


def _no_file(lines: Sequence[str]) -> str:
    is_told = any(_NO_FILE.match(line) and not _LISTING.match(line) for line in lines)
    return "no such file or directory" if is_told else ""


def _first(pattern: re.Pattern[str]) -> Callable[[Sequence[str]], str]:
    def rule(lines: Sequence[str]) -> str:
        matching = (line for line in lines if pattern.match(line) and not _SUMMARY.match(line))
        return next(matching, "")

    return rule


def _test(lines: Sequence[str]) -> str:
    """One text for all tests: which of them failed differs from project to project."""
    is_built = not any(map(_NO_BUILD.match, lines))
    return "test failed" if is_built and any(map(_TEST.match, lines)) else ""


def _linter(lines: Sequence[str]) -> str:
    match = next(filter(None, map(_LINTER.match, lines)), None)
    return " ".join(("linter:", *match["rule"].split("/"))) if match else ""


def _vague(lines: Sequence[str]) -> str:
    vague = [line for line in lines if _VAGUE.search(line) and not _LISTING.match(line)]
    return next((line for line in vague if not _SUMMARY.match(line)), vague[0] if vague else "")


# The first rule that finds a line decides: what names its cause stands before what sums up.
_RULES = (
    _exception,
    _no_command,
    _test,
    _linter,
    _no_file,
    _first(_COMPILER),
    _first(_PLAIN),
    _vague,
)
