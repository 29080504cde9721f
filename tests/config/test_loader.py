"""The company's configuration: what loads, and that everything wrong is named with its file and line."""

from pathlib import Path

import pytest

from tocsin.config import loader
from tocsin.config.loader import ConfigError, load
from tocsin.config.settings import EXAMPLE_CONFIG

KARS = (loader.SHIPPED / "kars.yml").read_text(encoding="utf-8")

GOOD = """\
policy: kars
workspace:
  incidents_channel: incidents
timezone: UTC
people:
  dana: {email: dana@example.com}
  omar: {slack: U012ABCDEG}
roles:
  on_call: rotation primary
  backup: [dana, omar]
rotations:
  primary: {people: [dana, omar], handover: Monday 00:00}
services:
  checkout: {team: backend, lead: omar}
permissions:
  resolve: [on_call]
"""


def errors(tmp_path: Path, text: str) -> list[str]:
    """What is wrong, as `LINE: text`."""
    (tmp_path / "c.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path / "c.yml")
    assert all(f.file == str(tmp_path / "c.yml") for f in wrong.value.findings)
    return [f"{f.line}: {f.text}" for f in wrong.value.findings]


def policy_errors(tmp_path: Path, old: str, new: str) -> list[str]:
    """What is wrong with a changed copy of the first policy, as `the changed line's distance: text`."""
    assert old in KARS
    text = KARS.replace(old, new, 1)
    (tmp_path / "mine.yml").write_text(text, encoding="utf-8")
    (tmp_path / "c.yml").write_text(GOOD.replace("policy: kars", "policy: mine.yml"), encoding="utf-8")
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path / "c.yml")
    assert all(f.file == str(tmp_path / "mine.yml") for f in wrong.value.findings)
    changed = KARS[: KARS.index(old)].count("\n") + 1
    return [f"{f.line - changed:+d}: {f.text}" for f in wrong.value.findings]


def test_the_shipped_example_loads() -> None:
    """The company of the local workspace has somebody in every role of its policy."""
    loaded = load(EXAMPLE_CONFIG)
    assert loaded.company.policy == loaded.policy.name
    assert loaded.gaps == ()
    assert not [w for w in loaded.warnings if "nobody" in w.text]


@pytest.mark.parametrize("name", loader.shipped_policies())
def test_every_shipped_policy_loads(name: str) -> None:
    """Nothing is shipped that `tocsin check` would refuse."""
    assert loader.load_policy(name).severities


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("policy: kars", "policy: karz", "1: there is no policy 'karz'; shipped are: "),
        ("policy: kars", "policy: ./mine.yml", "1: there is no policy file "),
        ("policy: kars", "name: kars", "1: policy: is missing; add it here"),
        (
            "incidents_channel",
            "incident_channel",
            "3: unknown key 'incident_channel'; did you mean 'incidents_channel'?",
        ),
        (
            "incidents_channel: ",
            "incidents_channel: War Room #",
            "3: 'War Room' is not a channel; write its name in lower",
        ),
        ("timezone: UTC", "timezone: Mars/One", "4: 'Mars/One' is not a time zone; write one like"),
        ("timezone: UTC", "time_zone: UTC", "4: unknown key 'time_zone'; did you mean 'timezone'?"),
        ("timezone: UTC", "meeting_url: meet", "4: a meeting URL begins with https://"),
        ("timezone: UTC", "timezone: 5", "4: timezone: a text belongs here, not '5'"),
        ("timezone: UTC", "timezone:", "4: timezone: a text belongs here, but it is empty"),
        ("email: dana@example.com", "emial: dana@example.com", "6: unknown key 'emial'; did you mean 'email'?"),
        ("email: dana@example.com", "email: dana", "6: people.dana.email: 'dana' will not do; write an e-mail address"),
        ("slack: U012ABCDEG", "slack: omar", "7: people.omar.slack: 'omar' will not do; write a member id"),
        ("{slack: U012ABCDEG}", "{name: Omar}", "7: give an email or a slack id"),
        ("{slack: U012ABCDEG}", "omar", "7: people.omar: settings with names belong here"),
        ("  omar: {", "  dana: {", "7: 'dana' stands here twice (first on line 6); keep one"),
        ("  omar: {", "  Omar: {", "7: people.Omar: 'Omar' will not do; write lower-case letters"),
        ("rotation primary", "rotation primry", "9: there is no rotation called 'primry'; did you mean 'primary'?"),
        ("rotation primary", "rota of primary", "9: 'rota of primary' is not a person, 'rotation NAME'"),
        ("[dana, omar]\n", "\n    - dana\n    - omr\n", "12: there is no person called 'omr'; did you mean 'omar'?"),
        ("people: [dana, omar]", "people: [dana, omr]", "12: there is no person called 'omr'; did you mean 'omar'?"),
        ("people: [dana, omar]", "people: []", "12: rotations.primary.people: "),
        ("Monday 00:00", "Funday 00:00", "12: 'Funday 00:00' is not a handover; write one like 'Monday 00:00'"),
        (
            "Monday 00:00",
            "Monday 00:00, every: 90m",
            "12: '1h30m' is no length of a shift; write whole hours, 2h or more",
        ),
        ("handover: Monday 00:00", "every: 1d, first_shift: 2027-02-29", "12: rotations.primary.first_shift: "),
        ("Monday 00:00", "Monday 00:00, ical: 'https://c.example/a'", "12: ical and handover exclude each other"),
        ("Monday 00:00", "Monday 00:00, group: On Call", "12: 'On Call' is not a user group; write its handle like"),
        (
            "  on_call: rotation primary",
            "  on_call: [rotation primary, rotation second]",
            "9: rotation second is the second rotation of this role, after primary; make one rotation of both, or give",
        ),
        (
            "{slack: U012ABCDEG}",
            "{slack: U012ABCDEG, away: 2026-02-29}",
            "7: '2026-02-29' are not days that exist; write",
        ),
        (
            "{slack: U012ABCDEG}",
            "{slack: U012ABCDEG, phone: soon}",
            "7: 'soon' is no international number; write + and",
        ),
        (
            "lead: omar}",
            "vendor: strip}\ncontacts: {vendors: {stripe: {phone: 1234}}}",
            "14: there is no vendor called 'strip'; did",
        ),
        (
            "permissions:",
            "teams: {backed: {}}\npermissions:",
            "14: there is no team called 'backend'; did you mean 'backed'?",
        ),
        (
            "permissions:",
            "teams: {backend: {lead: omr}}\npermissions:",
            "15: there is no person called 'omr'; did you mean",
        ),
        (
            "permissions:",
            "teams: {backend: {members: [dan]}}\npermissions:",
            "15: there is no person called 'dan'; did you",
        ),
        ("lead: omar", "lead: omr", "14: there is no person called 'omr'; did you mean 'omar'?"),
        ("team: backend", "owner: backend", "14: unknown key 'owner'"),
        ("resolve: [on_call]", "resolv: [on_call]", "16: nothing is called 'resolv' that could be permitted; did you"),
        ("resolve: [on_call]", "resolve: [on_cal]", "16: there is no role called 'on_cal'; did you mean 'on_call'?"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_would_be_right(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    """One mistake, one line of explanation."""
    found = errors(tmp_path, GOOD.replace(old, new, 1))
    assert any(f.startswith(expected) for f in found), found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: holds no settings; `tocsin init`"),
        ("- a\n- b\n", "1: holds no settings"),
        (
            "policy: kars\npeople:\n\tdana: {}\n",
            "3: this is not YAML: found character '\\t' that cannot start any token; ",
        ),
        ("policy: kars\npeople: {dana: \n", "3: this is not YAML: "),
        ("policy: kars\n---\npolicy: kars\n", "2: this is not YAML: "),
        ("policy: !!python/object:os.system {}\n", "1: "),
        ("policy: kars\npeople: &loop {dana: *loop}\n", "2: this is not YAML: this is nested too deeply"),
        ("policy: \x00\n", "1: this is not YAML: "),
        ("policy: kars\n? [a, b]\n: c\n", "2: a name is plain text, not a list or a mapping; put it in quotes"),
        ("policy: kars\npeople:\n  {{ people }}: x\n", "3: a name is plain text, not a list or a mapping"),
        ("policy: kars\npeople:\n  <<: {{a: b}: c}\n", "3: a name is plain text, not a list or a mapping"),
    ],
)
def test_what_is_not_a_configuration_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """Broken YAML, other documents, tags that would run code, loops."""
    assert errors(tmp_path, text)[0].startswith(expected)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """No such file, or not text."""
    with pytest.raises(ConfigError, match=r"none\.yml:1: cannot be read: No such file"):
        load(tmp_path / "none.yml")
    (tmp_path / "c.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "c.yml")


def test_all_mistakes_come_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    """Bad values, unknown keys and names that refer to nothing, in one go."""
    text = GOOD.replace("kars", "karz").replace("UTC", "Mars").replace("email", "emial")
    text = text.replace("rotation primary", "rotation primry").replace("lead: omar", "lead: omr")
    lines = [int(e.split(":")[0]) for e in errors(tmp_path, text)]
    assert set(lines) == {1, 4, 6, 9, 14}
    assert lines == sorted(lines)


def test_words_that_yaml_would_turn_into_something_else_stay_names(tmp_path: Path) -> None:
    """A person called `no` is a person."""
    (tmp_path / "c.yml").write_text(GOOD.replace("omar", "no"), encoding="utf-8")
    company = load(tmp_path / "c.yml").company
    assert company.people["no"].slack == "U012ABCDEG"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("page: [{tier: 2}]", "page: [{tier: 7}]", "pages tier 7, but there are tiers 1 to 4"),
        ("roles: [on_call, backup]", "roles: [on_call, backupp]", "+0: P0 pages backupp, which `roles` does not list"),
        ("roles: [on_call, backup]", "roles: on_call", "+0: severities.P0.tiers.1.roles: a list belongs here"),
        ("  P3:", "  P9:", "+0: severities.P9: input should be 'P0', 'P1', 'P2' or 'P3', not 'P9'"),
        ("after: 30m", "after: 30x", "+0: '30x' is not a time to wait; write 15m, 2h, 1d, '4 business hours'"),
        ("unless: root_cause", "unless: root_cuase", "+0: severities.P0.checkpoints.1.unless: input should be "),
        ("unless: root_cause", "unles: root_cause", "+0: unknown key 'unles'; did you mean 'unless'?"),
        ("at_once: [1]", "at_once: [9]", "+0: at_once pages tier 9, but there are tiers 1 to 4"),
        ("urgent: true", "urgent: maybe", "+0: severities.P0.urgent: true or false belongs here, not 'maybe'"),
    ],
)
def test_a_policy_of_ones_own_is_checked_alike(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Its path is relative to the configuration; its mistakes are named with its own lines."""
    assert any(expected in e for e in policy_errors(tmp_path, old, new))


@pytest.mark.parametrize("starts", ["2026-12-01T22:00:00", "2026-12-01", "tomorrow", "[22]"])
def test_a_time_of_maintenance_that_is_none_is_shown_one(tmp_path: Path, starts: str) -> None:
    """Without an offset, without a time, or no time at all: what to write stands in the error."""
    window = f"{{title: Disks, starts: {starts}, ends: 2026-12-01T23:00:00Z}}"
    said = errors(tmp_path, GOOD + f"status_page: {{title: Shop, maintenance: [{window}]}}\n")
    assert "starts: a time with its offset belongs here, like 2026-12-01T22:00:00+01:00" in str(said)


def test_roles_that_do_not_fit_the_policy_are_warnings(tmp_path: Path) -> None:
    """A role with nobody is skipped and said aloud, so it does not stop the start."""
    (tmp_path / "c.yml").write_text(GOOD + "  # end\n", encoding="utf-8")
    (tmp_path / "c.yml").write_text(GOOD.replace("  backup:", "  mascot: dana\n  backup:"), encoding="utf-8")
    loaded = load(tmp_path / "c.yml")
    said = [f"{w.line}: {w.text}" for w in loaded.warnings]
    assert "10: policy kars never pages the role 'mascot'; people still can" in said
    assert any(s.startswith("8: nobody is CTO and executives; add `executives: …`") for s in said)
    assert loaded.gaps == ()


def test_a_list_or_webhook_that_nothing_is_sent_to_is_a_warning(tmp_path: Path) -> None:
    """KARS tells customers by the status page alone; what it does use is no doubt, and Beauty AI uses all."""
    lists = "lists: {stakeholders: {mail: board@example.com}, customers: {mail: reader@example.com}}\n"
    hook = "public_webhooks: {support_portal: {url: https://example.com/, secret_env: PORTAL}}\n"

    def said(text: str) -> list[str]:
        (tmp_path / "c.yml").write_text(text, encoding="utf-8")
        return [w.text for w in load(tmp_path / "c.yml").warnings if "policy" in w.text and "nothing" in w.text]

    assert said(GOOD + lists + hook) == [
        "policy kars sends this list nothing; give one of its communications `through: customer_mail`",
        "policy kars sends nothing there; give one of its communications `through: support_portal`",
    ]
    assert said((GOOD + lists + hook).replace("policy: kars", "policy: beauty")) == []


def test_a_first_tier_with_nobody_is_a_gap(tmp_path: Path) -> None:
    """A severity that would page nobody at first is more than a warning."""
    text = GOOD.replace("  on_call: rotation primary\n", "").replace("resolve: [on_call]", "resolve: [backup]")
    (tmp_path / "c.yml").write_text(text, encoding="utf-8")
    gaps = load(tmp_path / "c.yml").gaps
    assert {g.text.split()[1] for g in gaps} >= {"P0"}
    assert all(g.line == 8 for g in gaps)


def test_a_role_that_follows_the_service_needs_nobody_of_its_own(tmp_path: Path) -> None:
    """A first tier of it alone is a gap only when no service has a lead."""
    policy = KARS.replace("roles: [on_call, devops_lead, backend_lead]", "roles: [service_lead]", 1)
    (tmp_path / "mine.yml").write_text(policy, encoding="utf-8")
    text = GOOD.replace("policy: kars", "policy: mine.yml")
    (tmp_path / "c.yml").write_text(text, encoding="utf-8")
    loaded = load(tmp_path / "c.yml")
    assert not [w for w in loaded.warnings if "service_lead" in w.text]
    assert not [g for g in loaded.gaps if "a P0" in g.text]
    (tmp_path / "c.yml").write_text(text.replace(", lead: omar}", "}"), encoding="utf-8")
    assert [g for g in load(tmp_path / "c.yml").gaps if "a P0" in g.text]
