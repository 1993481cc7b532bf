"""GitHub on the loopback interface: real git over HTTP, and those REST calls that Signals makes.

The repository is a real bare one behind `git http-backend`; pushing needs the token, as does every
REST call. A request that GitHub's part here does not know fails the test when the server closes.

    with FakeGithub(bare, "owner/name", token) as github:
        github.faults.append(Fault("POST", "/pulls", status=502))
"""

import base64
import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Sent = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of the next request of a kind, instead of an answer or after it is served."""

    method: str
    path: str
    """The end of the request's path, without its query."""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: Sent = field(default_factory=dict)
    is_served: bool = False
    """Carried out all the same; with status 0 the connection is then closed without an answer."""


class FakeGithub:
    """The server as a context; `pulls`, `comments`, `reviews` are what it holds."""

    def __init__(self, bare: Path, repository: str, token: str) -> None:
        self.bare = bare
        self.repository = repository
        self.token = token
        self.default_branch = "main"
        self.insiders = {"ada"}
        self.pulls: list[Sent] = []
        self.comments: list[Sent] = []
        self.reviews: list[Sent] = []
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str]] = []
        self.authorizations: set[str] = set()
        self.unknown: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.api_url = f"{self.url}/api/v3"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        if error is None:
            assert self.unknown == []
            assert self.faults == []

    def git(self, *command: str) -> str:
        """What git says of the bare repository."""
        argv = ["git", "-C", str(self.bare), *command]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def close(self, number: int, comment: str, by: str = "ada", *, kind: str = "User") -> None:
        """A person closes a pull request with a comment."""
        self.pulls[number - 1] |= {"state": "closed", "closed_at": "2026-02-01T10:00:00Z"}
        self.comments.append(
            {
                "body": comment,
                "user": {"login": by, "type": kind},
                "author_association": "MEMBER" if by in self.insiders else "NONE",
                "created_at": "2026-02-01T10:00:00Z",
            }
        )

    def merge(self, number: int) -> None:
        """A person merges a pull request."""
        at = "2026-02-01T10:00:00Z"
        self.pulls[number - 1] |= {"state": "closed", "closed_at": at, "merged_at": at}

    def answer(self, method: str, path: str, query: Sent, sent: Sent) -> tuple[int, Any]:
        """Status and body of a REST call."""
        place = path.removeprefix(f"/api/v3/repos/{self.repository}")
        if place == path:
            return 404, {"message": "Not Found"}
        for pattern, verb, call in (
            (r"", "GET", self._repository),
            (r"/pulls", "GET", self._listed),
            (r"/pulls", "POST", self._opened),
            (r"/pulls/(\d+)", "PATCH", self._changed),
            (r"/pulls/(\d+)/reviews", "GET", self._reviewed),
            (r"/pulls/(\d+)/requested_reviewers", "POST", self._asked),
            (r"/issues/(\d+)/labels", "POST", self._labelled),
            (r"/issues/(\d+)/comments", "GET", self._commented),
        ):
            match = re.fullmatch(pattern, place)
            if match and verb == method:
                pull = self.pulls[int(match.group(1)) - 1] if match.groups() else {}
                return call(pull, query, sent)
        self.unknown.append(f"{method} {path}")
        return 501, {"message": "not spoken here"}

    def _repository(self, pull: Sent, query: Sent, sent: Sent) -> tuple[int, Any]:
        return 200, {"full_name": self.repository, "default_branch": self.default_branch}

    def _listed(self, pull: Sent, query: Sent, sent: Sent) -> tuple[int, Any]:
        assert query["state"] == "all"
        owner, _, branch = query["head"].partition(":")
        assert owner == self.repository.partition("/")[0]
        found = [one for one in reversed(self.pulls) if one["head"]["ref"] == branch]
        return 200, found

    def _opened(self, pull: Sent, query: Sent, sent: Sent) -> tuple[int, Any]:
        branch = sent["head"]
        if any(o["head"]["ref"] == branch and o["state"] == "open" for o in self.pulls):
            words = f"A pull request already exists for {self.repository.split('/')[0]}:{branch}."
            return 422, {"message": "Validation Failed", "errors": [{"message": words}]}
        if not self.git("for-each-ref", f"refs/heads/{branch}"):
            error = {"resource": "PullRequest", "field": "head", "code": "invalid"}
            return 422, {"message": "Validation Failed", "errors": [error]}
        number = len(self.pulls) + 1
        self.pulls.append(
            {
                "number": number,
                "html_url": f"{self.url}/{self.repository}/pull/{number}",
                "state": "open",
                "merged_at": None,
                "closed_at": None,
                "draft": sent["draft"],
                "title": sent["title"],
                "body": sent["body"],
                "head": {"ref": branch, "repo": {"full_name": self.repository}},
                "base": {"ref": sent["base"]},
                "labels": [],
                "requested_reviewers": [],
                "requested_teams": [],
            }
        )
        return 201, self.pulls[-1]

    def _changed(self, pull: Sent, query: Sent, sent: Sent) -> tuple[int, Any]:
        assert set(sent) == {"title", "body"}, "nothing else of a pull request is changed"
        pull |= sent
        return 200, pull

    def _reviewed(self, pull: Sent, query: Sent, sent: Sent) -> tuple[int, Any]:
        return 200, self.reviews

    def _asked(self, pull: Sent, query: Sent, sent: Sent) -> tuple[int, Any]:
        if strangers := set(sent["reviewers"]) - self.insiders:
            words = f"Reviews may only be requested from collaborators: {sorted(strangers)}"
            return 422, {"message": words}
        pull["requested_reviewers"] += [{"login": name} for name in sent["reviewers"]]
        pull["requested_teams"] += [{"slug": slug} for slug in sent["team_reviewers"]]
        return 201, pull

    def _labelled(self, pull: Sent, query: Sent, sent: Sent) -> tuple[int, Any]:
        pull["labels"] += [{"name": name} for name in sent["labels"]]
        return 200, pull["labels"]

    def _commented(self, pull: Sent, query: Sent, sent: Sent) -> tuple[int, Any]:
        return 200, [one for one in self.comments if one["created_at"] >= query["since"]]


def _handler(github: FakeGithub) -> type[BaseHTTPRequestHandler]:
    class Handler(_Request):
        server_of = github

    return Handler


class _Request(BaseHTTPRequestHandler):
    server_of: FakeGithub

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test reads `seen`."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        github = self.server_of
        github.seen.append((self.command, parts.path))
        if given := self.headers.get("Authorization"):
            github.authorizations.add(given)
        fault = self._fault(parts.path)
        if fault is not None and not fault.is_served:
            self._answer(fault.status, json.dumps(fault.body).encode(), fault.headers)
        elif parts.path.startswith(f"/{github.repository}.git/"):
            self._git(parts.path, parts.query, body, is_cut=fault is not None)
        else:
            self._rest(parts.path, parts.query, body, is_cut=fault is not None)

    def _fault(self, path: str) -> Fault | None:
        for fault in self.server_of.faults:
            if fault.method == self.command and path.endswith(fault.path):
                self.server_of.faults.remove(fault)
                return fault
        return None

    def _rest(self, path: str, query: str, body: bytes, *, is_cut: bool) -> None:
        github = self.server_of
        if self.headers.get("Authorization") != f"Bearer {github.token}":
            self._answer(401, json.dumps({"message": "Bad credentials"}).encode(), {})
            return
        values = {name: found[-1] for name, found in parse_qs(query).items()}
        status, answer = github.answer(self.command, path, values, json.loads(body or b"{}"))
        if is_cut:
            self.close_connection = True
            return
        self._answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _git(self, path: str, query: str, body: bytes, *, is_cut: bool) -> None:
        """A small CGI bridge; reading is free, pushing needs the token."""
        github = self.server_of
        is_push = path.endswith("git-receive-pack") or "git-receive-pack" in query
        basic = base64.b64encode(f"x-access-token:{github.token}".encode()).decode()
        if is_push and self.headers.get("Authorization") != f"Basic {basic}":
            self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
            return
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(github.bare),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "x-access-token" if is_push else "",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path.removeprefix(f"/{github.repository}.git"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        argv = ["git", "http-backend"]
        done = subprocess.run(argv, input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        if is_cut:
            self.close_connection = True
            return
        self._answer(int(headers.pop("Status", "200 OK").split()[0]), content, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
