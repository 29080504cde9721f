"""Answers of GitHub, Jira and Confluence."""

from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from workers.channels.failures import Failed, Kind, Reason, asked_wait

_NONE: Mapping[str, str] = MappingProxyType({})
LIMITED_FOR = 60.0  # seconds: https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api


def github_failure(status: int, headers: Mapping[str, str] = _NONE, where: str = "") -> Failed:
    """Classify an answer. 403 is a rate limit too, as its headers say: the one of a token, or the secondary one.

    `where` is the path that was asked for. 404 stands for what we may not see. 410: deleted, or issues are off.
    """
    error = f"github: {status}"
    spent = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    if status == 429 or (status == 403 and spent):
        reason = Reason(f"GitHub takes no more requests just now ({status})")
        return Failed(error, Kind.PASSING, wait=asked_wait(headers) or _until_reset(headers), reason=reason)
    if status >= 500 or status == 408:
        reason = Reason(f"GitHub does not take it ({status})")
        return Failed(error, Kind.PASSING, wait=asked_wait(headers), reason=reason)
    repository, _, rest = where.partition("/issues")
    if status == 410 and rest.strip("/"):
        return Failed(error, Kind.GONE, reason=Reason("the issue was deleted in GitHub"))
    known = {
        401: Reason("GitHub refuses our token", "correct GITHUB_TOKEN; it may have expired"),
        403: Reason(f"GitHub does not let us write to {repository}", "give GITHUB_TOKEN the permission Issues: write"),
        404: Reason(
            f"GitHub shows us no {repository}", "correct the repository in the configuration, or the token's access"
        ),
        410: Reason(f"issues are switched off in {repository}", "switch them on in its settings, or name another"),
    }
    default = Reason(f"GitHub refuses the issue ({status})", "look at the repository's settings, and make it by hand")
    return Failed(error, Kind.OURS, reason=known.get(status, default))


def _until_reset(headers: Mapping[str, str]) -> float:
    """Seconds until GitHub takes requests again, by its own clock; a minute where it does not say."""
    try:
        now = parsedate_to_datetime(headers["date"]).timestamp()
        return min(max(float(headers["x-ratelimit-reset"]) - now, 1.0), 3600.0)
    except (KeyError, ValueError):
        return LIMITED_FOR


def jira_failure(status: int, headers: Mapping[str, str] = _NONE, fields: Iterable[str] = ()) -> Failed:
    """Classify an answer; `fields` are those that it refuses. 404 stands for what we may not see.

    https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
    """
    error = f"jira: {status}"
    if status == 429 or status >= 500 or status == 408:
        return Failed(error, Kind.PASSING, wait=asked_wait(headers), reason=Reason(f"Jira does not take it ({status})"))
    named = ", ".join(sorted(fields))
    known = {
        401: Reason("Jira refuses our login", "correct JIRA_USER and JIRA_TOKEN"),
        403: Reason("Jira does not let us do this", "give JIRA_TOKEN's user the permissions of the project"),
        404: Reason("Jira shows us no such project or ticket", "correct tickets, or the user's access"),
    }
    refused = Reason(f"Jira refuses the fields {named}", "put them on the project's screens, or change tickets")
    default = refused if named else Reason(f"Jira refuses it ({status})", "check JIRA_URL and tickets")
    return Failed(error, Kind.OURS, reason=known.get(status, default))


def confluence_failure(status: int, headers: Mapping[str, str] = _NONE, where: str = "") -> Failed:
    """Classify an answer. 404 stands for what we may not see; 409: somebody else saved the page in this moment.

    `where` is the space, or the page. https://developer.atlassian.com/cloud/confluence/rest/v2/intro/
    """
    error = f"confluence: {status}"
    if status in (408, 409, 429) or status >= 500:
        reason = Reason(f"Confluence does not take it ({status})")
        return Failed(error, Kind.PASSING, wait=asked_wait(headers), reason=reason)
    known = {
        401: Reason(
            "Confluence refuses our login", "correct CONFLUENCE_USER and CONFLUENCE_TOKEN; it may have expired"
        ),
        403: Reason(f"Confluence does not let us write in {where}", "let CONFLUENCE_USER add and edit pages there"),
        404: Reason(f"Confluence shows us no {where}", "correct reviews, or the user's access"),
        413: Reason("a review is too large for Confluence", "put it there by hand: tocsin review --format confluence"),
    }
    default = Reason(
        f"Confluence refuses the page ({status})", "check CONFLUENCE_URL, and reviews in the configuration"
    )
    return Failed(error, Kind.OURS, reason=known.get(status, default))
