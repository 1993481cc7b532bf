"""Does a condensed output still hold the line that tells what failed?

    python tests/benchmarks/condensing.py [--outputs 200] [--lines 20000]

Made outputs: a cause of one of twelve tools at a random place between head and tail, among lines of
work, some of which speak of errors that are none. Counted is how often the cause stands in the
condensed text, against the rule "the first lines that match" with as much room. Causes and noise
were written once, from the formats of the tools. By a first run two causes (npm, go) never counted
as telling, and the words that do were widened; nothing else was chosen by these figures.
"""

import argparse
import random
import time
from collections.abc import Sequence

from agent_core.condense import _TELLING, Shape, condense

SHAPE = Shape(40, 80, 30)
CAUSES = (
    "ValueError: no such row",
    "ModuleNotFoundError: No module named 'shop'",
    "src/app.ts(12,5): error TS2322: Type 'string' is not assignable to type 'number'.",
    "error[E0308]: mismatched types",
    "main.c:14:5: error: 'x' undeclared (first use in this function)",
    "./main.go:8:2: undefined: frobnicate",
    "FAILED tests/test_shop.py::test_total - assert 5 == 6",
    "--- FAIL: TestTotal (0.00s)",
    "npm ERR! code ELIFECYCLE",
    "fatal: not a git repository (or any of the parent directories): .git",
    'java.lang.NullPointerException: Cannot invoke "String.length()"',
    "panic: runtime error: index out of range [3] with length 3",
)
PLAIN = (
    "compiling part {n} of the program",
    "copied file {n} to the build folder",
    "step {n} done",
)
FALSE = (
    "tests/test_errors.py::test_case_{n} PASSED",
    "part {n}: 0 errors, 0 warnings",
    "loaded module error_handler_{n}",
    "retry {n}: the mirror failed, another is asked",
    "ok {n} - asserts hold",
)


def made(rng: random.Random, lines: int, false_share: float) -> tuple[str, str]:
    """An output, and the line of its cause."""
    cause = rng.choice(CAUSES)
    text = [
        rng.choice(FALSE if rng.random() < false_share else PLAIN).format(n=rng.randrange(10**6))
        for _ in range(lines)
    ]
    text[rng.randrange(SHAPE.head_lines, lines - SHAPE.tail_lines)] = cause
    return "\n".join(text), cause


def first_matches(text: str) -> str:
    """Head, tail, and the first lines that match: what stood here before."""
    lines = text.splitlines()
    middle = lines[SHAPE.head_lines : -SHAPE.tail_lines]
    found = [line for line in middle if _TELLING.search(line)][: SHAPE.error_lines]
    return "\n".join([*lines[: SHAPE.head_lines], *found, *lines[-SHAPE.tail_lines :]])


def holds(text: str, cause: str) -> bool:
    """Whether the cause stands in it whole."""
    return any(cause in line for line in text.splitlines())


def measure(outputs: Sequence[tuple[str, str]]) -> str:
    """A line of the table."""
    before = sum(holds(first_matches(text), cause) for text, cause in outputs)
    started = time.process_time()
    condensed = [condense(text, SHAPE) for text, _ in outputs]
    seconds = (time.process_time() - started) / len(outputs)
    now = sum(holds(one, cause) for one, (_, cause) in zip(condensed, outputs, strict=True))
    size = sum(map(len, condensed)) / sum(len(text) for text, _ in outputs)
    return f"{before:>6} {now:>6}   of {len(outputs)}   {size:7.2%}   {seconds:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--outputs", type=int, default=200)
    parser.add_argument("--lines", type=int, default=20_000)
    given = parser.parse_args()
    print("false alarms   first  condensed        size   CPU s an output")
    for share in (0.0, 0.001, 0.01, 0.1):
        rng = random.Random(7)
        outputs = [made(rng, given.lines, share) for _ in range(given.outputs)]
        print(f"{share:>12.1%}  {measure(outputs)}")


if __name__ == "__main__":
    main()
