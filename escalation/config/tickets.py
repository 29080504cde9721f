"""Tickets in a tracker: which one, for whom, and with which labels."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints, model_validator

from escalation.config.policy import Severity
from escalation.values import Frozen, as_list

TICKETS = "tickets"
"""Name of the channel that carries them."""
ITEM_TICKETS = "action_items"
"""What tickets of action items are called among the places where an incident can be read."""

Repository = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=140)]
Project = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]+$", max_length=40)]
Label = Annotated[str, StringConstraints(pattern=r"^\S{1,50}$")]  # Jira takes none with a space, GitHub 50 characters


class Vendor(StrEnum):
    """Trackers that tickets can be in."""

    GITHUB = "github"
    JIRA = "jira"

    @property
    def words(self) -> str:
        """Its name, for people."""
        return {Vendor.GITHUB: "GitHub", Vendor.JIRA: "Jira"}[self]


OURS = frozenset({"project", "issuetype", "summary", "description", "labels"})
"""Fields of Jira that Tocsin fills in."""


class Tracker(Frozen):
    """A repository of GitHub, or a project of Jira, with its type of issue and the further fields that it requires."""

    github: Repository | None = None
    jira: Project | None = None
    type: Annotated[str, StringConstraints(min_length=1, max_length=60)] = "Task"
    labels: Annotated[tuple[Label, ...], BeforeValidator(as_list)] = ("incident",)
    fields: dict[str, Any] = {}

    @model_validator(mode="after")
    def _is_one(self) -> "Tracker":
        if self.github and self.jira:
            raise ValueError("tickets go to one tracker: give github or jira, not both")
        if not (self.github or self.jira):
            raise ValueError("tickets need a tracker: write {github: owner/repo} or {jira: OPS}")
        if self.fields and self.github:
            raise ValueError("fields are for Jira; GitHub has none")
        if filled := sorted(OURS & set(self.fields)):
            raise ValueError(f"the field '{filled[0]}' is filled in by Tocsin; leave it out")
        return self

    @property
    def vendor(self) -> Vendor:
        """Whose tracker it is."""
        return Vendor.GITHUB if self.github else Vendor.JIRA

    @property
    def project(self) -> str:
        """The repository, or the project's key."""
        return self.github or self.jira or ""


class Tickets(Tracker):
    """The tracker of all incidents, of these severities only where any are given; `private` is for private ones."""

    severities: Annotated[tuple[Severity, ...], BeforeValidator(as_list)] = ()
    private: Tracker | None = None

    @model_validator(mode="after")
    def _private_is_apart(self) -> "Tickets":
        if self.private and (self.private.vendor, self.private.project) == (self.vendor, self.project):
            raise ValueError("private incidents need a tracker of their own, which others do not read")
        return self

    def of_team(self, tracker: Tracker | None) -> "Tickets":
        """Return the same rules with a team's own tracker."""
        if tracker is None:
            return self
        return Tickets(**tracker.model_dump(), severities=self.severities, private=self.private)

    def trackers(self) -> tuple[Tracker, ...]:
        """Return its trackers, the private one last."""
        return (self, self.private) if self.private else (self,)
