"""Pull requests on GitHub or GitHub Enterprise: opened, updated, looked up, never merged."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from agent_core.errors import ForgeError
from agent_core.forge.github_answers import Comment, Pull, Repository, Review
from agent_core.forge.github_api import GithubApi, RefusedError, UnsureError
from agent_core.forge.persons_words import persons_words
from agent_core.forge.remote import GitRemote
from agent_core.forge.request import ForgeStatus, Published, PullRequest
from agent_core.forge.settings import ForgeSettings
from agent_core.markdown import one_line
from agent_core.worktree import AUTHOR_EMAIL

_MOST_TEXT_CHARS = 60_000  # GitHub refuses a text beyond 65,536
_MOST_TITLE_CHARS = 256
_LOOKS = 3
_PAUSE_SECONDS = 1.0
# Who may close a pull request may say why; of anybody else a comment is just a comment.
_INSIDERS = ("OWNER", "MEMBER", "COLLABORATOR")
_COMMENTS_BEFORE_CLOSING = timedelta(days=1)


class GithubForge:
    """One repository on GitHub; `token` may write its contents and pull requests."""

    def __init__(self, settings: ForgeSettings, folder: Path, token: str) -> None:
        self.settings = settings
        self.repository = settings.repository or ""
        self.api = GithubApi(settings.api_url, self.repository, token, settings.token_env)
        url = f"{git_server(settings.api_url)}/{self.repository}.git"
        self.remote = GitRemote(folder, url, token, settings.token_env)

    def tip(self, branch: str, base_commit: str) -> str | None:
        """The branch's commit on GitHub, fetched.

        Raises ForgeError where a person closed the pull request or committed to the branch, and
        where `base_commit` is not public yet: a pull request would publish a person's commits.
        """
        self._check_open(branch)
        base = self._base()
        tips = self.remote.tips(base, branch)
        if tips.base is None:
            raise ForgeError(f"{self.repository} has no branch {base}: set [forge] base")
        if not self.remote.is_ancestor(base_commit, tips.base):
            raise ForgeError(
                f"{base_commit[:12]}, which the patch is based on, is not in {base} of "
                f"{self.repository}: push it first, or check out what is there"
            )
        if tips.branch is None:
            return None
        theirs = self.remote.people_between(tips.base, tips.branch, AUTHOR_EMAIL)
        if theirs:
            raise ForgeError(
                f"branch {branch} of {self.repository} holds the commit {theirs[0][:12]} of a "
                "person: it is left as it is; merge or close its pull request"
            )
        return tips.branch

    def publish(self, request: PullRequest) -> Published:
        """Push, then open or update the pull request, then labels and reviewers."""
        self.remote.push(request.commit_sha, request.branch)
        pull = self._ensured(request)
        notes = (*self._labelled(pull), *self._asked_to_review(pull))
        return Published(one_line(pull.html_url), pull.number, notes)

    def status(self, branch: str) -> ForgeStatus:
        """What became of the branch's newest pull request."""
        pull = self._newest(branch)
        if pull is None:
            return ForgeStatus("none")
        if pull.is_open:
            return ForgeStatus("open")
        if pull.merged_at:
            return ForgeStatus("merged")
        return ForgeStatus("closed", self._reason(pull))

    def _check_open(self, branch: str) -> None:
        pull = self._newest(branch)
        if pull is not None and not pull.is_open and not pull.merged_at:
            raise ForgeError(
                f"a person closed pull request {pull.number} of {self.repository}: reopen it "
                "there, or `signals tasks reject` the task"
            )

    def _newest(self, branch: str) -> Pull | None:
        """The branch's open pull request, else the newest one."""
        owner = self.repository.partition("/")[0]
        order = {"sort": "created", "direction": "desc"}
        query = {"head": f"{owner}:{branch}", "state": "all", **order}
        listed = self.api.ask(list[Pull], "GET", "/pulls", query=query)
        # GitHub ignores a `head` that it does not understand and lists every pull request.
        own = [pull for pull in listed if self._is_own(pull, branch)]
        return next((pull for pull in own if pull.is_open), own[0] if own else None)

    def _is_own(self, pull: Pull, branch: str) -> bool:
        home = pull.head.repo.full_name if pull.head.repo else ""
        return pull.head.ref == branch and home.casefold() == self.repository.casefold()

    def _base(self) -> str:
        return self.settings.base or self.api.ask(Repository, "GET", "").default_branch

    def _ensured(self, request: PullRequest) -> Pull:
        """The branch's open pull request with the text of this request.

        Looked up again whenever it is unsure whether it was opened: never two of them.
        """
        text = _cut(request.text)
        shown = {"title": request.title[:_MOST_TITLE_CHARS], "body": text}
        problem: ForgeError | None = None
        for look in range(_LOOKS):
            if look:
                self.api.sleep(_PAUSE_SECONDS)  # what was opened may be listed a moment later
            pull = self._newest(request.branch)
            if pull is not None and pull.is_open:
                return self.api.ask(Pull, "PATCH", f"/pulls/{pull.number}", send=shown)
            try:
                return self._opened(request.branch, shown)
            except UnsureError as error:
                problem = error
            except RefusedError as error:
                if "already exists" not in str(error):
                    raise
                problem = error
        raise problem or ForgeError(f"{self.repository}: the pull request cannot be opened")

    def _opened(self, branch: str, shown: dict[str, str]) -> Pull:
        wanted = {**shown, "head": branch, "base": self._base(), "draft": self.settings.draft}
        try:
            return self.api.ask(Pull, "POST", "/pulls", send=wanted, again=False)
        except RefusedError as error:
            if error.status == 422 and self.settings.draft and "raft pull request" in str(error):
                raise ForgeError(
                    f"{self.repository} takes no drafts: set [forge] draft = false"
                ) from None
            raise

    def _labelled(self, pull: Pull) -> tuple[str, ...]:
        present = {label.name.casefold() for label in pull.labels}
        missing = [name for name in self.settings.labels if name.casefold() not in present]
        if not missing:
            return ()
        return self._tried("label it", f"/issues/{pull.number}/labels", {"labels": missing})

    def _asked_to_review(self, pull: Pull) -> tuple[str, ...]:
        """Ask who was not asked and has not reviewed yet: a rerun troubles nobody twice."""
        if not self.settings.reviewers:
            return ()
        place = f"/pulls/{pull.number}"
        query = {"per_page": "100"}
        reviews = self.api.ask(list[Review], "GET", f"{place}/reviews", query=query)
        people = [one.login for one in pull.requested_reviewers]
        people += [one.user.login for one in reviews if one.user]
        teams = [one.slug for one in pull.requested_teams]
        missing = _not_asked(self.settings.reviewers, people, teams)
        if not any(missing.values()):
            return ()
        return self._tried("ask for a review", f"{place}/requested_reviewers", missing)

    def _tried(self, what: str, place: str, send: dict[str, list[str]]) -> tuple[str, ...]:
        """A refusal here does not undo the proposal: it is told beside it."""
        try:
            self.api.call("POST", place, send=send)
        except RefusedError as error:
            return (f"could not {what}: {error}",)
        return ()

    def _reason(self, pull: Pull) -> str:
        """The last words of an insider about the time of the closing."""
        if pull.closed_at is None:
            return ""
        since = (pull.closed_at - _COMMENTS_BEFORE_CLOSING).strftime("%Y-%m-%dT%H:%M:%SZ")
        place, query = f"/issues/{pull.number}/comments", {"since": since, "per_page": "100"}
        comments = self.api.ask(list[Comment], "GET", place, query=query)
        said = [
            comment.body
            for comment in comments
            if comment.author_association in _INSIDERS and comment.is_of_a_person
        ]
        return persons_words(said[-1]) if said else ""


def git_server(api_url: str) -> str:
    """Where the repositories of an API lie: `https://api.github.com` → `https://github.com`.

    GitHub Enterprise Server has its API below `/api/v3` of the same host.
    """
    parts = urlsplit(api_url)
    host = parts.netloc.removeprefix("api.")
    folder = parts.path.rstrip("/").removesuffix("/api/v3").rstrip("/")
    return f"{parts.scheme}://{host}{folder}"


def _not_asked(
    wanted: tuple[str, ...], people: list[str], teams: list[str]
) -> dict[str, list[str]]:
    asked = {name.casefold() for name in people}
    asked_teams = {name.casefold() for name in teams}
    slugs = [name.partition("/")[2] for name in wanted if "/" in name]
    return {
        "reviewers": [n for n in wanted if "/" not in n and n.casefold() not in asked],
        "team_reviewers": [slug for slug in slugs if slug.casefold() not in asked_teams],
    }


def _cut(text: str) -> str:
    if len(text) <= _MOST_TEXT_CHARS:
        return text
    kept = text[:_MOST_TEXT_CHARS].rpartition("\n")[0]
    return f"{kept}\n\n(The rest is too long for a pull request.)"
