"""Search in Slack and in a terminal."""

from functools import partial
from typing import Any

import fakeredis

from escalation.incident.events.moves import Acknowledge, Edit, Reopen, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.reviews.action_items import ActionItem
from escalation.search.selection import ACTION_ITEMS, INCIDENTS, TICKETS, listed
from escalation.storage import archive
from escalation.storage.action_items import ActionItems
from escalation.storage.search.documents import CHANGED, DOCUMENTS, Search, fold
from tests.support.bot import Office, Person
from tests.support.company import user
from tests.support.waiting import eventually
from tests.support.worker import Works, works


def test_words_and_filters_find_incidents(office: Office) -> None:
    """`/incident search` finds an incident by its words, narrowed by filters, and says so when there is none."""
    office.declare(severity="P1", title="Payment gateway rejects cards")
    office.declare(severity="P2", title="Mail relay is slow")
    dana = office.person("dana")
    dana.command("search gateways severity:P1 open")
    assert "Mail relay" not in dana.told("Payment gateway rejects cards")
    dana.command("search gateways severity:P0")
    dana.told("Nothing found for `gateways severity:P0`")
    dana.command("search gateways service:nowhere")
    dana.told("there is no service 'nowhere'")
    dana.command("search")
    dana.told("filters, or both: `severity:P0`, `service:NAME`")
    dana.command("search gateway")
    dana.told("Found for `gateway`")
    dana.command("search <!channel> `zzz`")
    assert "<!channel>" not in dana.told("Nothing found for `&lt;!channel&gt; ˋzzzˋ`")


def test_lists_take_the_same_filters(office: Office) -> None:
    """`/incident list` takes the filters of the search, and refuses other words."""
    office.declare(severity="P1", title="Payment gateway rejects cards")
    office.declare(severity="P2", title="Mail relay is slow")
    dana = office.person("dana")
    dana.command("list severity:P2")
    assert "Payment gateway" not in dana.told("Mail relay is slow")
    dana.command("list nonsense")
    dana.told("There is no `/incident list nonsense`")
    dana.command("list team:payments")
    dana.told(f"there is no filter `team:` here, but {listed(INCIDENTS)}")
    dana.command("list all severity:P0")
    dana.told("No incident matches")


def test_lists_are_filtered_by_who_has_it(office: Office) -> None:
    """Who is assigned, has acknowledged or leads: by mention, by name, or `me`; open ones, all, and tickets."""
    office.declare(severity="P1", title="Payment gateway rejects cards")
    mine = office.declare(severity="P2", title="Mail relay is slow", service="checkout")
    office.world.service.handle(mine.id, Acknowledge(by=user("dana"), key="acknowledge"))
    omar = office.person("omar")
    for number, typed in enumerate(("@dana", "dana", user("dana"))):
        for verb in ("list", "list all", "tickets"):
            omar.command(f"{verb} owner:{typed}")
            eventually(partial(_more_than, number, omar, mine.id, verb))
    omar.command("list owner:me")
    omar.told("No incident matches")
    omar.command("tickets severity:P2 service:checkout owner:me")
    omar.told("No open ticket matches")
    omar.command("tickets source:grafana")
    omar.told(f"there is no filter `source:` here, but {listed(TICKETS)}")


def _more_than(number: int, person: Person, incident: str, verb: str) -> bool:
    return len(shown(person, incident, verb)) > number


def shown(person: Person, incident: str, verb: str) -> list[str]:
    """The answers with this incident and not the other one."""
    heading = {"list": "Open incidents", "list all": "All incidents", "tickets": "Open tickets"}[verb]
    whispers = [w for w in person.whispers() if heading in w and incident in w]
    assert not [w for w in whispers if "Payment gateway" in w]
    return whispers


def test_action_items_are_filtered(office: Office) -> None:
    """By owner, service and day; a filter looks at everybody's, and an unknown one names those that there are."""
    incident = office.declare(severity="P1", service="checkout")
    items, now = ActionItems(office.world.redis), incident.declared_at
    for owner, text in (("dana", "Alert on the pool"), ("omar", "Rotate the key")):
        made = partial(ActionItem, text=text, by="UX", at=now, owner=user(owner), service="checkout")
        items.add(incident.id, made)
    dana = office.person("dana")
    dana.command("actions owner:omar")
    assert "Alert on the pool" not in dana.told("Rotate the key")
    dana.command("actions mine service:login")
    dana.told("there is no service 'login'")
    dana.command("actions from:2099-01-01")
    dana.told("No open action item matches")
    dana.command("actions severity:P0")
    dana.told(f"there is no filter `severity:` here, but {listed(ACTION_ITEMS)}")


def test_a_private_incident_is_found_by_its_people_alone(office: Office) -> None:
    """The words of a private incident find it for those who may see it, and nothing for anybody else."""
    office.declare(by="dana", severity="P0", title="Stolen certificate", security=True)
    dana, outsider = office.person("dana"), office.person("omar")
    dana.command("search certificate")
    dana.told("Stolen certificate")
    assert user("omar") not in office.incident().people()
    outsider.command("search certificate")
    assert "INC-" not in outsider.told("Nothing found for `certificate`")


def closed_with(office: Office, title: str, **facts: Any) -> Incident:
    incident = office.declare(severity="P1", title=title, **facts)
    resolve = Resolve(by=user("dana"), key=incident.id, summary="Over", resolution="Doubled the pool")
    return office.world.service.handle(incident.id, resolve)


def test_a_declaration_shows_what_is_alike(office: Office) -> None:
    """Who declares is told which open incident may be the same, and of the past what fixed it and is still open."""
    past = closed_with(office, "Payment gateway times out")
    closed_with(office, "Payment gateway times out, attack", security=True)
    items, now = ActionItems(office.world.redis), past.declared_at
    items.add(past.id, lambda i: ActionItem(i, "Alert on the pool", user("dana"), now))
    twin = office.declare(severity="P1", title="Payment gateway timeouts")
    dana = office.person("dana")
    dana.command("declare P1 Payment gateway times out again")
    again = dana.submit(dana.modal("Declare"), title="Payment gateway times out again", severity="P1")
    assert again == {"ok": True}
    told = dana.told("Maybe the same problem")
    assert f"posts its report to {twin.id}" in told
    assert all(words in told for words in (past.id, "Doubled the pool", "Alert on the pool"))
    assert "attack" not in told


def test_the_search_for_an_incident_shows_what_is_alike(office: Office) -> None:
    """`/incident search INC-…` shows the incidents that are like it, or that none is."""
    past = closed_with(office, "Payment gateway times out")
    other, alone = (office.declare(severity="P1", title=t) for t in ("Payment gateway timeout", "Printer jams"))
    dana = office.person("dana")
    dana.command(f"search {other.id}")
    assert past.id in dana.told("Similar incidents of the past")
    dana.command(f"search {alone.id}")
    dana.told("No other incident is like this one")


def test_the_index_follows_every_change() -> None:
    """An incident is found by its resolution as soon as that is recorded, before its document is made and after."""
    parts = works(fakeredis.FakeRedis())
    incident = parts.declare("P1")
    search = Search(parts.context.store)
    with search as index:
        assert index.search("pooled") == []
    resolve = Resolve(by=user("dana"), key="resolve", summary="Down", resolution="Connections are pooled")
    parts.context.service.handle(incident.id, resolve)
    assert found_by(search, parts, "pooled") == [incident.id] * 2
    assert fold(parts.context.store) == ()  # the first time all are made
    assert found_by(search, parts, "pooled") == [incident.id] * 2
    parts.context.service.handle(incident.id, Reopen(by=user("dana"), key="reopen", why="It is back"))
    edited = Edit(by=user("dana"), key="edit", title="Zebrafish")
    parts.context.service.handle(incident.id, edited)
    assert found_by(search, parts, "zebrafish") == [incident.id] * 2
    assert [i.id for i in fold(parts.context.store)] == [incident.id]
    assert found_by(search, parts, "zebrafish") == [incident.id] * 2


def found_by(search: Search, parts: Works, words: str) -> list[str]:
    """What a process that has searched before finds, and one that has not."""
    found = list[str]()
    for each in (search, Search(parts.context.store)):
        with each as index:
            found += [d.id for d in index.search(words)]
    return found


def test_a_commit_makes_no_document() -> None:
    """Who declares, acknowledges or fires a checkpoint waits for no word of the search: documents come later."""
    parts = works(fakeredis.FakeRedis())
    incident = parts.declare("P1")
    parts.context.service.handle(incident.id, Acknowledge(by=user("dana"), key="acknowledge"))
    assert (parts.redis.hlen(DOCUMENTS), parts.redis.xlen(CHANGED)) == (0, 2)
    fold(parts.context.store)
    assert parts.redis.hlen(DOCUMENTS) == 1


def test_what_is_imported_is_found_by_a_process_that_runs_already() -> None:
    """Incidents of an archive are noted as changed, so that no index stays without them."""
    lines = list(archive.export(_with_one_incident().redis))
    parts = works(fakeredis.FakeRedis())
    search = Search(parts.context.store)
    assert found_by(search, parts, "zebrafish") == []
    fold(parts.context.store)
    archive.load(parts.redis, lines)
    assert found_by(search, parts, "zebrafish") == ["INC-20241218-001"] * 2
    assert [i.id for i in fold(parts.context.store)] == ["INC-20241218-001"]


def _with_one_incident() -> Works:
    parts = works(fakeredis.FakeRedis())
    parts.declare("P1", title="Zebrafish")
    return parts


def test_a_process_that_missed_too_much_reads_all_again() -> None:
    """Where the stream of changes does not go back so far, every document is made again, and nothing is missed."""
    parts = works(fakeredis.FakeRedis())
    first = parts.declare("P1")
    search = Search(parts.context.store)
    assert found_by(search, parts, "checkout") == [first.id] * 2
    fold(parts.context.store)
    others = [parts.declare("P1").id for _ in range(3)]
    parts.redis.xtrim(CHANGED, maxlen=1, approximate=False)
    expected = sorted([first.id, *others])
    for _ in range(2):
        assert sorted(set(found_by(search, parts, "checkout"))) == expected
        fold(parts.context.store)
    assert parts.redis.hlen(DOCUMENTS) == 4


def test_the_form_names_an_open_incident_that_may_be_the_same(office: Office) -> None:
    """One press in it joins: nothing new is declared, the open one is told the words, and nothing else changes."""
    twin = office.declare(severity="P1", title="Payment gateway times out")
    office.declare(severity="P0", title="Payment gateway was attacked", security=True)
    dana = office.person("omar")
    dana.command("declare Payment gateway timeouts")
    view = dana.modal("Declare")
    assert "Same problem" not in str(view)
    dana.pick(view, "severity", "P1")
    shown = eventually(lambda: next((v for v in dana.modals()[-1:] if "Same problem" in str(v)), None) or {})
    assert twin.id in str(shown)
    assert "attacked" not in str(shown)
    dana.choose(shown, "same_problem")
    assert "Your report was posted to" in str(dana.modals()[-1])
    [heard] = [e for e in office.incident(twin.id).timeline if e.kind is EntryKind.SAME_PROBLEM]
    assert (heard.by, heard.text) == (user("omar"), "Payment gateway timeouts")
    assert len(office.world.store.all_ids()) == 2


def test_one_press_under_the_answer_joins_the_open_incident(office: Office) -> None:
    """*Same problem* cancels what was just declared as a duplicate of the one that is open."""
    twin = office.declare(severity="P1", title="Payment gateway times out")
    new = office.declare(by="omar", severity="P1", title="Payment gateway times out again")
    omar = office.person("omar")
    omar.command(f"search {new.id}")
    told = eventually(lambda: next((m for m in omar.messages() if "Same problem" in str(m.get("blocks"))), None) or {})
    omar.press(told, "say-same", omar.channel("general"))
    omar.told(f"duplicate of {twin.id}")
    assert office.incident(new.id).status is Status.CANCELLED
