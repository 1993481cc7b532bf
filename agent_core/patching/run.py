"""Carries a patch task from a breach to a pull request that waits for a person."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from agent_core.agent import Opening, open_session
from agent_core.change import FileChange, changes_between, diff_text, write_change
from agent_core.errors import ForgeError, ModelError
from agent_core.forge import Forge, PullRequest, make_forge
from agent_core.gates import Candidate, GateResult, run_gates
from agent_core.gates.scope import allowed
from agent_core.knowledge import Lesson
from agent_core.loop import Advise, AgentResult
from agent_core.markdown import harmless
from agent_core.model import ChatModel
from agent_core.model_policy import ModelPolicy
from agent_core.patching.description import commit_message, pull_request_text, request_text
from agent_core.patching.outcome import PatchOutcome, Status
from agent_core.patching.target import Target
from agent_core.patching.task import PatchTask
from agent_core.patching.task_file import write_task_file
from agent_core.playbook_policy import PlaybookPolicy
from agent_core.policy import Policy
from agent_core.prompt_rule_policy import PromptRulePolicy
from agent_core.replay_records import ReplaySet, Selection, select_calls
from agent_core.sandbox import Sandbox
from agent_core.worktree import BRANCH_PREFIX, Worktree, check_branch, checkout, copy_tree

Clock = Callable[[], datetime]
OnState = Callable[[str, str], None]


def run_patch_task(
    task: PatchTask,
    *,
    target: Target,
    home: Path,
    policy: Policy,
    sandbox: Sandbox | None,
    salt: bytes,
    clock: Clock,
    on_state: OnState,
    advise: Advise | None = None,
    lessons: Sequence[Lesson] = (),
) -> PatchOutcome:
    """One attempt: a copy for the agent, its patch, the gates, a commit, a pull request.

    States are reported as `on_state(state, reason)`: planned, patching, verifying, then proposed
    or failed. Nothing of the repository changes but the branch `signals/<task id>`, in one step
    at the end; a run that was killed leaves only folders, which the next one removes. `lessons`
    of earlier tasks reach the agent as data in its task file. Raises
    TargetError, ForgeError and ConfigError before anything is done.
    """
    forge = make_forge(target.forge, home, target.repo)
    work = home / "work" / task.task_id
    with checkout(target.repo, work / "base") as worktree:
        branch = BRANCH_PREFIX + task.task_id
        check_branch(worktree.repo, branch)
        forge.tip(branch, worktree.base_commit)
        driver = _fitting(policy, target)
        setting = _Setting(target, home, driver, sandbox, salt, clock, on_state, advise, lessons)
        attempt = _Attempt(task, setting, work, worktree, forge)
        try:
            outcome = attempt.outcome()
        finally:
            attempt.clean_up()
    on_state("proposed" if outcome.status == "proposed" else "failed", outcome.reason)
    return outcome


@dataclass(frozen=True, slots=True)
class _Setting:
    target: Target
    home: Path
    policy: Policy
    sandbox: Sandbox | None
    salt: bytes
    clock: Clock
    on_state: OnState
    advise: Advise | None
    lessons: Sequence[Lesson]


@dataclass(frozen=True, slots=True)
class _Attempt:
    task: PatchTask
    setting: _Setting
    work: Path
    worktree: Worktree
    forge: Forge

    def outcome(self) -> PatchOutcome:
        """The agent's patch before the gates, and a pull request where they let it pass."""
        on_state = self.setting.on_state
        calls = self._calls()
        export = self._export(calls)
        on_state("planned", f"a copy of {self.worktree.base_commit[:12]} is ready for the agent")
        session_id = f"patch-{self.task.task_id}-{self.setting.clock():%Y%m%dT%H%M%S%f}"
        on_state("patching", f"session {session_id}")
        try:
            result = self._let_the_agent_work(export, session_id)
        except ModelError as error:
            return self._ended("failed", f"the model failed: {error}", session_id)
        changes = changes_between(self.worktree.folder, export, self.setting.target.held_out)
        if result.status != "done" or not changes:
            return self._ended("failed", self._without_patch(result, changes), session_id)
        on_state("verifying", f"{len(changes)} file{'s' if len(changes) > 1 else ''} changed")
        judged = self._judged(changes, calls, session_id)
        return self._proposed(judged, changes) if judged.status == "proposed" else judged

    def _without_patch(self, result: AgentResult, changes: Sequence[FileChange]) -> str:
        """A closed sentence: what a model says may quote recorded calls and stays in its log.

        The playbook policy fills templates of ours from the names of the task.
        """
        ending = f"the agent ended with {result.status}"
        if isinstance(self.setting.policy, PlaybookPolicy | PromptRulePolicy) and result.text:
            return f"{ending}: {' '.join(result.text.split())[:300]}"
        return ending if changes else f"{ending}, nothing was changed"

    def clean_up(self) -> None:
        """Remove the copies; the records of the session stay."""
        for name in ("export", "tree", "scratch"):
            shutil.rmtree(self.work / name, ignore_errors=True)

    def _calls(self) -> ReplaySet:
        task = self.task
        wanted = Selection(
            task.affected_sessions, task.tool, task.error_class, task.error_signatures
        )
        return select_calls(self.setting.home / "replay", wanted, self.setting.salt)

    def _export(self, calls: ReplaySet) -> Path:
        export = self.work / "export"
        copy_tree(self.worktree.folder, export, self.setting.target.held_out)
        setting = self.setting
        write_task_file(export, self.task, setting.target, calls.visible, setting.lessons)
        return export

    def _let_the_agent_work(self, export: Path, session_id: str) -> AgentResult:
        opening = Opening(session_id, self.setting.clock, project=self.setting.target.repo.name)
        session = open_session(
            export,
            self.setting.home,
            self.setting.policy,
            opening=opening,
            sandbox=self.setting.sandbox,
            advise=self.setting.advise,
        )
        # No person speaks in it: the session is an autonomous run.
        return session.send(self._request(), by="system")

    def _request(self) -> str:
        target, has_earlier = self.setting.target, bool(self.setting.lessons)
        return request_text(
            self.task, target.patchable, is_replayed=target.is_core, has_earlier=has_earlier
        )

    def _candidate(self, changes: Sequence[FileChange], calls: ReplaySet) -> Candidate:
        tree, scratch = self.work / "tree", self.work / "scratch"
        copy_tree(self.worktree.folder, tree)
        for change in changes:
            if allowed(change.path, self.setting.target.patchable):
                write_change(tree, change)  # what it refuses, the scope gate fails
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        return Candidate(
            changes=tuple(changes),
            diff=diff_text(changes),
            description=self._request(),
            patchable=self.setting.target.patchable,
            base_commit=self.worktree.base_commit,
            base=self.worktree.folder,
            tree=tree,
            scratch=scratch,
            cache=self.setting.home / "cache" / "gates",
            test_command=self.setting.target.test_command,
            lint_command=self.setting.target.lint_command,
            is_core=self.setting.target.is_core,
            calls=calls,
            sandbox=self.setting.sandbox,
            reviewer=_reviewer(self.setting.policy),
        )

    def _judged(
        self, changes: Sequence[FileChange], calls: ReplaySet, session_id: str
    ) -> PatchOutcome:
        candidate = self._candidate(changes, calls)
        gates = run_gates(candidate)
        failed = next((gate for gate in gates if gate.status == "failed"), None)
        blocking = failed or next((gate for gate in gates if gate.blocks), None)
        reason = _why(blocking) if blocking else "the gates let it pass"
        status: Status = "failed" if failed else "unscored" if blocking else "proposed"
        outcome = self._ended(status, reason, session_id)
        return replace(outcome, diff=candidate.diff, gate_results=gates)

    def _proposed(self, outcome: PatchOutcome, changes: Sequence[FileChange]) -> PatchOutcome:
        """With a branch and a pull request; `failed` with both reasons where a forge fails."""
        branch = BRANCH_PREFIX + self.task.task_id
        try:
            # Looked at again: the work may have taken long enough for a person to do something.
            onto = self.forge.tip(branch, self.worktree.base_commit)
            outcome = self._committed(outcome, changes, onto)
            return self._published(outcome, changes)
        except ForgeError as error:
            reason = f"the patch passed, the pull request could not be opened: {error}"
            return replace(outcome, status="failed", reason=reason)

    def _committed(
        self, outcome: PatchOutcome, changes: Sequence[FileChange], onto: str | None
    ) -> PatchOutcome:
        branch = BRANCH_PREFIX + self.task.task_id
        contents = {change.path: change.after for change in changes if change.after is not None}
        message, now = commit_message(self.task), self.setting.clock()
        sha = self.worktree.commit(contents, message, branch, now, onto)
        return replace(outcome, branch=branch, commit_sha=sha)

    def _published(self, outcome: PatchOutcome, changes: Sequence[FileChange]) -> PatchOutcome:
        text = pull_request_text(self.task, outcome, changes)
        branch, sha = str(outcome.branch), str(outcome.commit_sha)
        title = harmless(self.task.title)
        request = PullRequest(self.task.task_id, title, branch, sha, text, outcome.diff)
        published = self.forge.publish(request)
        reason = "; ".join([f"branch {branch} waits for a person", *published.notes])
        return replace(outcome, reason=reason, pr_path=published.url)

    def _ended(self, status: Status, reason: str, session_id: str) -> PatchOutcome:
        sandbox = self.setting.sandbox
        return PatchOutcome(
            status=status,
            reason=reason,
            session_id=session_id,
            base_commit=self.worktree.base_commit,
            branch=None,
            commit_sha=None,
            pr_path=None,
            diff="",
            gate_results=(),
            policy=self.setting.policy.name,
            sandbox=None if sandbox is None else sandbox.mode,
        )


def _fitting(policy: Policy, target: Target) -> Policy:
    """The playbooks are about the bundled core's tools; another target has remedies of its own."""
    is_playbook = isinstance(policy, PlaybookPolicy)
    return PromptRulePolicy() if is_playbook and not target.is_core else policy


def _why(gate: GateResult) -> str:
    """A failed gate's own reason may quote the patch or a model: it stays with the gate."""
    if gate.status == "failed":
        return f"the gate {gate.gate} failed"
    return f"{gate.gate}: {gate.reason}"


def _reviewer(policy: Policy) -> ChatModel | None:
    return policy.model if isinstance(policy, ModelPolicy) else None
