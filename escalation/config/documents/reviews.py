"""Where finished reviews are published: a repository of GitHub, a space of Confluence, or both."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from escalation.config.policy import Severity
from escalation.config.tickets import Label, Repository
from escalation.values import Frozen, as_list

Space = Annotated[str, StringConstraints(pattern=r"^~?[A-Za-z0-9]+$", max_length=255)]


class ReviewVendor(StrEnum):
    """Services that reviews can be published in."""

    GITHUB = "github"
    CONFLUENCE = "confluence"

    @property
    def words(self) -> str:
        """Its name, for people."""
        return {ReviewVendor.GITHUB: "GitHub", ReviewVendor.CONFLUENCE: "Confluence"}[self]


class ReviewPlace(Frozen):
    """A repository, where each review is an issue, a space, where each is a page below `parent`, or both.

    With `roles` everybody is named by their role in the incident.
    """

    github: Repository | None = None
    labels: Annotated[tuple[Label, ...], BeforeValidator(as_list)] = ("review",)
    confluence: Space | None = None
    parent: Annotated[int, Field(gt=0)] | None = None
    roles: bool = True

    @model_validator(mode="after")
    def _is_somewhere(self) -> "ReviewPlace":
        if not (self.github or self.confluence):
            raise ValueError("reviews need a place: write {github: owner/repo}, {confluence: OPS}, or both")
        if self.parent and not self.confluence:
            raise ValueError("parent is a page of Confluence: give confluence, the key of its space, too")
        if "labels" in self.model_fields_set and not self.github:
            raise ValueError("labels are for GitHub; pages of Confluence get none")
        return self

    def named(self) -> dict[ReviewVendor, str]:
        """Return the repository and the space, where they are given."""
        names = {ReviewVendor.GITHUB: self.github, ReviewVendor.CONFLUENCE: self.confluence}
        return {vendor: name for vendor, name in names.items() if name}


class ReviewPlaces(ReviewPlace):
    """The place of all reviews, of these severities only where any are given; `private` is for private incidents."""

    severities: Annotated[tuple[Severity, ...], BeforeValidator(as_list)] = ()
    private: ReviewPlace | None = None

    @model_validator(mode="after")
    def _private_is_apart(self) -> "ReviewPlaces":
        if self.private and self.named().items() & self.private.named().items():
            raise ValueError("reviews of private incidents need a place of their own, which others do not read")
        return self

    def each(self) -> tuple[ReviewPlace, ...]:
        """Return its places, the private one last."""
        return (self, self.private) if self.private else (self,)
