"""Repeats a call that fails, with pauses in between."""

import time


def pauses(first, count, longest):
    return [first for _ in range(count)]


def repeat(call, first=0.1, count=5, longest=0.5):
    for pause in pauses(first, count, longest):
        try:
            return call()
        except ConnectionError:
            time.sleep(pause)
    return call()
