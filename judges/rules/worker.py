"""A process that judges by rules for another one; imports what that needs and nothing else."""

import atexit
import gc
import multiprocessing
import os
import threading
from collections.abc import Sequence
from functools import cache

from agent_core.session import Session
from judges.publication import Sealed
from judges.rules.batch import BatchJudge, RulesSetup


def judge_in_worker(setup: RulesSetup, sessions: Sequence[Session]) -> list[Sealed]:
    """What `setup` makes of each session, in their order. Raises ModelError without a model."""
    judgements = _built(setup)(sessions)
    gc.collect()
    return judgements


@cache
def _built(setup: RulesSetup) -> BatchJudge:
    """At the first batch, not as the worker starts: a model that is missing has its own error."""
    return setup.build(threads=1)


def begin_worker() -> None:
    """Let no worker outlive the run that it judges for, when that is killed."""
    # Nothing that a judge makes leads back to itself.
    gc.disable()
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    # That thread outlasts the teardown of what the run's main module may have imported, DuckDB
    # for one, which would print a page about leaks: a worker has nothing left to write there.
    atexit.register(os._exit, 0)
