"""Independent counts of the real logs, which the ingester's figures are checked against.

One module a format, each with `count(paths) -> Counts` over all files of the format together.
They know the formats from their description and from the files alone and share no code with the
readers (a test forbids the import), so that a mistake of a reader is not repeated here.

What is counted:

- `sessions`: distinct sessions with at least one record of a conversation: something said or
  done by user, agent or tool, or told to the user. A file of bookkeeping alone is none. A copy or
  a longer copy of a session is the same session. Claude Code: a subagent's own file is a session
  of its own; sidechain lines inside another session belong to that one.
- `person_turns`: records in which the person says something, each once, however many files
  repeat it. Wrappers, reminders, hook and skill text, text of other agents, compaction
  summaries, prompts given through an SDK, interrupts and the comments of a rejection are not
  turns. A message queued while the agent runs is one, at its delivery; one that is pulled back
  is none. Autonomous runs have no turn.
- `tool_calls`: calls of a tool by the agent, each once over all files.
- `tool_errors`: calls whose result failed: by the format's flag or status; by the exit code that
  the result states where the format has no flag; where it has neither, by a result that begins
  as an error message. A rejected call that carries the format's flag of an error counts.
- tokens: each API call once. `input_tokens` includes what was read from and written to a cache,
  `cached_tokens` is what was read from it, `output_tokens` includes `reasoning_tokens`. What a
  log does not state counts as nothing.

Each module says what it chose where the description of its format leaves a choice.
"""

from tests.pipelines.sources.counting.counts import Counts

__all__ = ["Counts"]
