"""A sign of life on long work, where somebody watches."""

import os
import sys


def show_progress(what: str, done: int, total: int) -> None:
    """One line on a terminal, rewritten; nothing where the output is not watched.

    `total` 0: how much there is to do is not known.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return
    line = f"{what}: {done} of {total}" if total else f"{what} ..."
    print(f"\r{line:<70}", end="", file=sys.stderr, flush=True)


def end_progress() -> None:
    """Leave the line empty for what is printed next."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        print(f"\r{'':<70}\r", end="", file=sys.stderr, flush=True)
