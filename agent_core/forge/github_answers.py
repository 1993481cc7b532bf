"""What Signals reads of GitHub's answers; everything else in them is ignored."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class Repository(BaseModel):
    """A repository."""

    full_name: str
    default_branch: str = "main"


class Head(BaseModel):
    """The branch that a pull request proposes; `repo` is null once a fork is deleted."""

    class Home(BaseModel):
        """Where the branch lies."""

        full_name: str

    ref: str
    repo: Home | None = None


class User(BaseModel):
    """Somebody; `type` is `User`, `Bot` or `Organization`."""

    login: str
    type: str = "User"


class Label(BaseModel):
    """What a pull request is marked with."""

    name: str


class Team(BaseModel):
    """A team of an organisation."""

    slug: str


class Pull(BaseModel):
    """A pull request."""

    number: int
    html_url: str
    state: Literal["open", "closed"]
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    head: Head
    labels: list[Label] = []
    requested_reviewers: list[User] = []
    requested_teams: list[Team] = []

    @property
    def is_open(self) -> bool:
        """Whether it waits."""
        return self.state == "open"


class Review(BaseModel):
    """A review; `user` is null once the account is deleted."""

    user: User | None = None


class Comment(BaseModel):
    """A comment below a pull request."""

    body: str = ""
    user: User | None = None
    author_association: str = "NONE"

    @property
    def is_of_a_person(self) -> bool:
        """Whether no program wrote it."""
        return self.user is not None and self.user.type == "User"
