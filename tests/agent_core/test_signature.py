"""The signature of a failure: the same for the same failure, and quick for any text."""

import time

import pytest

from agent_core.signature import classify_error, error_signature

_TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/shop.py", line 12, in <module>
    raise error
ValueError: no menu 'lunch' for 17 guests
error: Process finished
"""
_TWO_TRACEBACKS = f"""{_TRACEBACK}
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in close
shop.errors.MenuError: cannot close
"""
_TEST_RUN = """Exit code 1
=== RUN   TestPrices
--- PASS: TestOther (0.01s)
--- FAIL: TestPrices (0.03s)
    prices_test.go:12: got 3, want 4
FAIL
"""
_LINT = "Exit code 1\n[lint] $ lint ./...\nmenu/cook.go:12:7: error return value is not checked\n"


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        ("", ""),
        ("error: no file at C:\\a\\b.py", "no file at <path>"),
        ("ok\nerror in /a/b-c/d.py line 12", "error in <path> line <n>"),
        ("error in ../../x/y and a@b/c", "error in <path>"),
        ("failed --file=src/a.py 'x' 0123abcdef", "failed --file=<path> <text> <id>"),
        ("error: cannot reach localhost:8080 after 3.5s", "cannot reach <host> after <n>"),
        ("error at 2026-01-02T03:04:05.678Z in job 17", "error at <n> in job <n>"),
        ("fatal: no call toolu_01AbCdEf23456789xy", "no call <id>"),
        ("\x1b[31merror:\x1b[0m it doesn't fit and can't", "it doesn't fit and can't"),
        ("error: unknown option `dry-run'", "unknown option <text>"),
        ("menu.ts(3,14): error TS2304: Cannot find name 'x'.",
         "error ts2304: cannot find name <text>"),
        (_TRACEBACK, "valueerror: no menu <text> for <n> guests"),
        (_TWO_TRACEBACKS, "shop.errors.menuerror: cannot close"),
        (_TEST_RUN, "test failed"),
        ("FAILED tests/test_a.py::test_b - assert 1 == 2\n1 failed, 3 passed", "test failed"),
        (_LINT, "error return value is not checked"),
        ("at a.tsx:1:2 lint/style/useConst ━━━━\nFound 2 errors.", "linter: lint style useconst"),
        ("zsh:1: command not found: pytest", "command not found: pytest"),
        ("Exit code 127\nbash: line 1: pytest: command not found", "command not found: pytest"),
        ("cat: a.py: No such file or directory", "no such file or directory"),
        ("Error: ENOENT: no such file or directory, open '/a/b'", "no such file or directory"),
        ("Exit code 1", "exit code <n>"),
        ("Chunk ID: a1b2\nProcess exited with code 2\nOutput:\nmenu.py", "exit code <n>"),
        ("<returncode>1</returncode>\n<output>\nmenu\n</output>", "exit code <n>"),
        ("Exit code 137\nmenu", "exit code 137"),
        ("<tool_use_error>File does not exist. Did you mean a.py?</tool_use_error>",
         "file does not exist"),
        ("<tool_use_error>No such text.\nerror: from the text</tool_use_error>", "no such text"),
        ("The user doesn't want to proceed with this tool use. STOP", "rejected by the user"),
        ("User rejected tool use", "rejected by the user"),
        ("npm error code ELIFECYCLE\nnpm error Missing script: \"menu\"",
         "npm error code elifecycle"),
        ('error: script "test" exited with code 1\ncannot open the menu', "cannot open the menu"),
        ("Exit code 1\nreturn errors.New()\n12: // failed", "exit code <n>"),
        ("boom", "boom"),
    ],
)  # fmt: skip
def test_what_differs_is_taken_out(text: str, signature: str) -> None:
    assert error_signature(text) == signature


@pytest.mark.parametrize(
    ("text", "error_class"),
    [
        ("Exit code 1\nmenu.go: timeout := 3\nfatal: pathspec 'x' did not match", "no_match"),
        ("command not found: pytest\npermission denied", "not_found"),
        (_TEST_RUN, "test_failure"),
        ("Permission for this action was denied by the classifier", "permission"),
        ("The user doesn't want to take this action right now.", "rejected"),
        ("it cost 14041 dollars", "other"),
    ],
)
def test_the_telling_line_decides_the_class(text: str, error_class: str) -> None:
    assert classify_error(text) == error_class


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    ["a", "/", "../", "a.", " ", "1", "a-", "'", "\x1b[", ": ", "<path>", "[a] ", "(", "Error"],
)
def test_a_thousand_long_lines_take_seconds(part: str) -> None:
    started = time.process_time()
    for _ in range(1_000):
        error_signature("error " + part * 4_000)
    assert time.process_time() - started < 20  # with the square of the length: minutes


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["error\n", "a/b.py:1: x\n", "Traceback (most recent call last)\n"]
)
def test_a_thousand_long_outputs_take_seconds(line: str) -> None:
    started = time.process_time()
    for _ in range(100):
        classify_error(line * 200_000)
    assert time.process_time() - started < 20  # with the square of the length: minutes
