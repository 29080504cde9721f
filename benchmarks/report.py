"""Print the figures of a chaos run."""

import contextlib
import json
import re
from collections import Counter
from typing import Any

from benchmarks.count import Lateness, Verdict, percentile
from benchmarks.crew import Crew, lines
from benchmarks.faults import FaultInjector
from benchmarks.interference import Interference
from benchmarks.monitoring import Monitoring

Json = dict[str, Any]
MOST = 12  # findings of a kind that are printed


def say(words: str) -> None:
    """Print a line at once."""
    print(words, flush=True)


def show(
    verdict: Verdict,
    injector: FaultInjector,
    interference: Interference,
    monitoring: Monitoring,
    failed: Counter[str],
    crew: Crew,
    undone: list[str],
    left: list[str],
) -> None:
    """Print the verdict and all counts. `undone` are kinds of acts that never happened, `left` what stayed behind."""
    say(f"  {verdict.incidents} incidents, {verdict.commits} commits, {verdict.fired} checkpoints fired")
    say(f"  in Slack: {_counted(verdict.sent)}")
    say(f"  struck:   {_counted(injector.injected)}; {crew.restarts} restarts by child, the rest by supervisors")
    say(f"  calls of Slack's that failed: {_counted(failed) or 'none'}")
    say(f"  people:   {_counted(interference.people.done)}")
    say(f"  by hand:  {_counted(interference.done)}; {verdict.moved} pages moved to whoever took over")
    say(f"  alerts:   {_counted(monitoring.done)}; {spooled(crew)} were spooled")
    say(f"  Redis was away for {_away(injector, 'redis')}, Slack for {_away(injector, 'slack')}")
    _lateness(verdict.times)
    for name, found in (
        ("lost", verdict.lost),
        ("doubled", verdict.doubled),
        ("early", verdict.early),
        ("astray", verdict.astray),
        ("cards", verdict.cards),
        ("dead buttons", verdict.dead_buttons),
        ("never done", undone),
        ("left behind", left),
    ):
        say(f"  {name:<13}{len(found):>5}")
        for line in found[:MOST]:
            say(f"      {line}")
    for line, n in complaints(crew).most_common(MOST):
        say(f"  logged {n} times: {line}")
    if not verdict.sound:
        say(f"  everything is kept in {crew.folder}")


def _counted(what: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(what.items()))


def _away(injector: FaultInjector, what: str) -> str:
    spans = [s.end - s.start for s in injector.outages if s.what == what]
    return ", ".join(f"{s:.1f} s" for s in spans) or "no time"


def _lateness(times: list[Lateness]) -> None:
    """Print percentiles of all latencies, and of those that no outage or fault disturbed."""
    say(f"  {'lateness in seconds':<32}{'n':>7}{'p50':>9}{'p99':>9}{'max':>9}    undisturbed: n, p50, p99, max")
    for what in dict.fromkeys(t.what for t in times):
        some = [t for t in times if t.what == what]
        say(f"  {what:<32}{_row(some)}    {_row([t for t in some if not t.disturbed])}")


def _row(times: list[Lateness]) -> str:
    seconds = [t.seconds for t in times]
    return f"{len(seconds):>7}" + "".join(f"{percentile(seconds, share):>9.3f}" for share in (0.5, 0.99, 1.0))


def spooled(crew: Crew) -> int:
    """Count alerts that the disk took while Redis was away, as the bots logged them."""
    return sum(
        _entry(line).get("event") == "redis unavailable, alert spooled" for line in lines(crew.folder / "output")
    )


def complaints(crew: Crew) -> Counter[str]:
    """Count errors in the program's logs, by event and last line of the exception."""
    found: Counter[str] = Counter()
    for line in lines(crew.folder / "output"):
        entry = _entry(line)
        if entry.get("level") in ("error", "critical"):
            raised = str(entry.get("exception") or entry.get("error") or "").strip().splitlines()
            event = re.sub(r"Worker \w+", "an RQ worker", str(entry["event"]))
            found[f"{event.partition(': Err')[0]:.80} {raised[-1] if raised else '':.80}"] += 1
    return found


def _entry(line: str) -> Json:
    with contextlib.suppress(ValueError):
        entry = json.loads(line)
        return entry if isinstance(entry, dict) else {}
    return {"level": "error", "event": line.strip()} if line.startswith("Traceback") else {}
