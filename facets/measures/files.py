"""Measures of what was done to files."""

from collections import Counter

from facets.measures.view import Call, LogView


def edits(view: LogView) -> int:
    """Edits and writes of files that did not fail."""
    return sum(call.changed for call in view.calls)


def files_edited(view: LogView) -> int:
    """Different files that were edited or written."""
    return len({file for call in view.calls if call.changed for file in call.files})


def edits_of_one_file(view: LogView) -> int:
    """Edits of the file that was edited most often."""
    times = Counter(file for call in view.calls if call.changed for file in call.files)
    return max(times.values(), default=0)


def rewrites(view: LogView) -> int:
    """Times that a file was written whole which the session had written or edited before."""
    known: set[str] = set()
    again = 0
    for call in view.calls:
        if call.changed:
            again += call.action == "write" and not known.isdisjoint(call.files)
            known.update(call.files)
    return again


def blind_edits(view: LogView) -> int:
    """Files that were edited before the session had read or written them."""
    known: set[str] = set()
    blind = 0
    for call in view.calls:
        if call.changed and call.action == "edit":
            blind += len(set(call.files) - known)
        known.update(call.files)
    return blind


def failed_edits(view: LogView) -> int:
    """Edits and writes that came back with an error."""
    return sum(call.action in ("edit", "write") and call.failed for call in view.calls)


def repeated_reads(view: LogView) -> int:
    """Times that a file was read again and had not been edited since it was read last."""
    fresh: set[str] = set()
    again = 0
    for call in view.calls:
        if call.action == "read":
            again += not fresh.isdisjoint(call.files)
            fresh.update(call.files)
        elif call.changed:
            fresh.difference_update(call.files)
    return again


def rereads_after_compaction(view: LogView) -> int:
    """Files that were read again after the context had been compacted."""
    compacted = [place for place, step in enumerate(view.steps) if step.event == "compaction"]
    if not compacted:
        return 0
    reads = [call for call in view.calls if call.action == "read"]
    before = _files([call for call in reads if call.step < compacted[-1]])
    after = _files([call for call in reads if call.step > compacted[0]])
    return len({file for file in before & after if _read_around(reads, file, compacted)})


def searches(view: LogView) -> int:
    """Searches of files and listings of folders."""
    return sum(call.action == "search" for call in view.calls)


def looks_before_first_edit(view: LogView) -> int | None:
    """Reads and searches before the first edit; unknown where nothing was edited."""
    looks = 0
    for call in view.calls:
        if call.changed:
            return looks
        looks += call.action in ("read", "search")
    return None


def _files(calls: list[Call]) -> set[str]:
    return {file for call in calls for file in call.files}


def _read_around(reads: list[Call], file: str, compacted: list[int]) -> bool:
    """Whether some compaction lies between two reads of the file."""
    places = [call.step for call in reads if file in call.files]
    return any(places[0] < place < places[-1] for place in compacted)
