"""Descriptions of all keys of a policy and a configuration, for editors (JSON Schema) and for the docs."""

from collections.abc import Mapping

POLICY: Mapping[str, Mapping[str, str]] = {
    "Policy": {
        "name": "The policy's short name.",
        "title": "What people call it.",
        "roles": (
            "Every role that the policy names, and what people call it. `service_lead` and `service_team` "
            "follow the affected service."
        ),
        "severities": "P0 (the worst) to P3; those that you use.",
        "phases": "The phases of every war room, in order.",
        "cause_categories": "What causes are sorted into, for recurrences and reports.",
        "handover": "What happens when on call changes hands.",
        "activities": "What is to be done again and again, and who owns it.",
        "reports": "Reports that are sent by themselves; docs/reports.md.",
    },
    "SeverityPolicy": {
        "name": "What people call this severity, like Critical.",
        "definition": "What it means, in a sentence: shown in the form while somebody declares.",
        "examples": "What is one: shown there too.",
        "acknowledge_within": "The target for the first answer.",
        "resolve_within": "The target for the end.",
        "urgent": "Its messages have workers of their own, so that no burst of others delays them.",
        "ticket": (
            "It is a ticket of the team that owns the service (`team`), or one for later (`backlog`). Its "
            "channel is told."
        ),
        "tiers": "The ladder, from the first tier up.",
        "at_once": "The tiers that are paged in the second of the declaration; `[]` is none.",
        "commander": "The role that leads until somebody takes it; the first role of tier 1 unless said.",
        "checkpoints": "What happens later, and what makes it moot.",
        "on_fix_failed": "The tiers that are paged when a fix failed, also if they were paged before.",
        "repeat_pages": "How often a page is sent again that its person did not answer.",
        "updates": "How often a progress update is due.",
        "communications": "Who outside of the response is told, when, and through what.",
        "public_text": "What goes outside while nobody has worded it.",
        "monitor_for": "How long a fix is watched before we ask whether it held.",
        "room": "A war room is opened at the declaration.",
        "room_when_several": "A war room is opened as soon as another such incident is open; all share one.",
        "room_invites": "Roles that are invited to the war room without being paged.",
        "review": "When a post-incident review is asked for.",
        "phases": "Phases of this severity's war room, instead of the policy's.",
    },
    "Tier": {
        "name": "What people call this tier.",
        "roles": "Everybody who holds one of these roles at the moment of paging is paged.",
        "on_breach": "Roles that join for a security incident.",
        "room": "The war room opens when this tier is paged.",
        "repeat_pages": "Overrides the severity's rule for the pages to this tier.",
        "notify": "`urgent` or `normal`, in place of what the severity says of its pages.",
    },
    "PlannedCheckpoint": {
        "id": "Its short name, once in each severity.",
        "after": "How long to wait.",
        "since": (
            "From when: `start` (the declaration, a reopening, a raised severity), `acknowledged`, "
            "`root_cause` or `fix_applied`."
        ),
        "unless": "What makes it moot: one fact or several. An incident that is closed makes everything moot.",
        "only_if": "Only if that was said of the incident; it fires late if it is said late.",
        "page": "The tiers to page. One that was paged already is not paged again.",
        "notify": "Roles that are told without being paged.",
        "team": "The channel of the team that owns the service is told.",
        "room": "The war room opens.",
        "say": "What the message asks for.",
        "offer": "The buttons of the message.",
        "rests_while_monitoring": "It does not fire while a fix is monitored; if the fix fails, it fires at once.",
        "why": "The reason, as the page gives it: it goes on after `because`.",
    },
    "TierPage": {
        "tier": "The number of the tier, from 1.",
        "again": "Page it also if it was paged before.",
    },
    "PageRepeat": {
        "every": "How long after the last try.",
        "times": "How many times at most.",
        "until": "`acknowledged`: until somebody who was paged has acknowledged. `answered`: until each has answered.",
    },
    "UpdateCadence": {
        "every": "How often an update is due. Each update sets the next one.",
        "silence": "How long after the reminder the commander is told directly.",
    },
    "Communication": {
        "id": "Its short name, once in each severity.",
        "audience": "`stakeholders` (colleagues), `customers` or `social`.",
        "through": (
            "One means or several. Tocsin writes to `slack`; what it cannot write itself it asks a person to publish."
        ),
        "to": (
            "The lists of the configuration that it goes to: `stakeholders`, `executives`, `support`, `customers`. "
            "Colleagues' go to stakeholders and support, customers' to customers, unless said."
        ),
        "after": "How long after the start it begins.",
        "within": "How soon after that it has to be out; whoever is responsible is reminded then.",
        "unless": "What makes it needless before it begins.",
        "only_if": "Only if that was said of the incident.",
        "approval": "A person says yes before it goes out.",
        "updates": "Each progress update follows to the same audience.",
        "restored": "The end of it is told to the same audience.",
        "follow_up": "A last word to them once the review was held.",
        "why": "The reason, as the request gives it.",
    },
    "ReviewHeading": {
        "title": "Its heading.",
        "ask": "What it asks people; `''` for nothing.",
        "record": "The sections of ours whose lines of the record stand in it.",
    },
    "ReviewRule": {
        "within": "Its due date, counted from the resolution.",
        "sections": (
            "What is in it, in this order: `summary`, `timeline`, `root_cause`, `impact`, `resolution`, `went_well`, "
            "`improve`, `preventive`, `process`, `actions`, `lessons`, `public`, and those of your own in `headings`."
        ),
        "headings": "Sections of your own, and ours in your words, by their name.",
        "ticket": "The finished review goes into the incident's ticket, by roles and without names.",
        "mail": "Lists that the finished review is mailed to: `stakeholders`, `executives`, `support`.",
        "always": "For every incident of this severity.",
        "invite": "Roles that take part in it, beside whoever was involved.",
        "recurrence": "For those whose service had one of the same cause category, resolved so long before or less.",
        "owner": "The role that it belongs to; unless said whoever resolved the incident. People can change it.",
        "meeting": (
            "`required`, `optional` (people may say why none is needed) or `none`. One is proposed at the resolution."
        ),
        "remind_before": "How long before it is overdue its owner is reminded, in working hours.",
        "escalate_to": "Roles that are told of an overdue one that lacks something, one after the other.",
        "escalate_every": "How long after one of them the next is told.",
        "lasted": "For those that lasted so long.",
        "security": "For security incidents.",
        "data_loss": "For those with data loss.",
    },
    "Phase": {
        "name": "What people call it.",
        "begins": (
            "With what: `opened` (the room), `after` (the time box before it), `fixing`, `monitoring` or `resolved`."
        ),
        "lasts": "Its time box; the room hears when it is over.",
        "ask": "What is to be asked or done in it.",
    },
    "HandoverRules": {
        "call": "How long the handover call takes.",
        "agenda": "What it goes through.",
        "checklist": "Boxes to tick.",
        "test_page": "Whoever comes on call gets a test page, in working hours before the handover.",
        "answer_within": "How long there is to answer it.",
    },
    "Activity": {
        "id": "Its short name.",
        "title": "What people call it.",
        "owner": "The role that sees to it.",
        "every": "`day` (each business day), `week`, `month` or `quarter` (on the first such weekday).",
        "weekday": "The weekday, for all but `day`.",
        "at": "The local time of day.",
        "what": "What is to be done.",
        "lists": "The reminder lists the open incidents of these severities.",
    },
    "ScheduledReport": {
        "every": "`day`, `week`, `month` or `quarter`: it is sent on the first business day after each.",
        "at": "The local time of day, in the calendar's zone.",
        "channel": "The channel that it is posted in; the incidents channel where nothing else is said.",
        "mail": "Addresses that it is mailed to, with the incidents as a CSV file.",
        "to": "Lists of yours that it goes to, by mail or channel.",
        "mean": "Show means too, beside p50, p90 and max.",
    },
}

_TRACKER = {
    "github": "A repository of GitHub, like `acme/shop`.",
    "jira": "The key of a Jira project, like `OPS`.",
    "type": "Jira's type of issue.",
    "labels": "Labels of new tickets, without spaces.",
    "fields": "Further fields that the Jira project requires, by their ids, as its API takes them.",
}
_REVIEW_PLACE = {
    "github": "A repository of GitHub, like `acme/reviews`: each review is an issue.",
    "labels": "Labels of new issues, without spaces.",
    "confluence": "The key of a space of Confluence Cloud, like `OPS`: each review is a page.",
    "parent": "The id of the page that they are put below, as it stands in its address; else the top of the space.",
    "roles": "Name people by their role in the incident; `false`: by name.",
}
RATES: Mapping[str, str] = {
    "weekly_stipend": "For a week on call; a day is a seventh of it, a part of a day its part.",
    "hour": "For each hour on call.",
    "working_hours": "For each hour on call within working hours, in place of `hour`: 0 if those pay nothing.",
    "night": "For each hour on call from 22:00 to 07:00, in place of `hour` if it is more.",
    "weekend": "For each hour on call on a day without working hours, in place of the others if it is more.",
    "holiday": "For each hour on call on a public holiday, in place of the others if it is more.",
    "overtime": "For each hour of work in incidents outside working hours.",
    "callout_minimum": "How long each such call-out counts at least, like 30m.",
    "time_off": "Time off for everybody who worked in an incident of that severity, like {P0: 4h}.",
}
CONFIG: Mapping[str, Mapping[str, str]] = {
    "Company": {
        "policy": "`kars`, `beauty`, or the path to a policy of your own, relative to this file.",
        "workspace": "The channels that Tocsin writes to.",
        "meeting_url": "The link to the call of a war room.",
        "timezone": "Your zone: for absences, and for times that people type.",
        "people": "Everybody that this file names, each by a key.",
        "roles": "Who stands behind each role of the policy.",
        "rotations": "On-call rotations.",
        "teams": "Who owns services together.",
        "services": "What can break.",
        "contacts": "Whom to call outside of Slack.",
        "calendar": "When your company is at work: for business hours and business days.",
        "offices": "Places with a zone, working hours or holidays of their own, by name; the rest is `calendar`'s.",
        "rest": (
            "How long somebody rests after a page at night, like 11h: in the morning their shift is offered to others. "
            "Off unless given."
        ),
        "pay": "What on call pays: `tocsin pay`, docs/on-call-pay.md.",
        "notify": "How people are reached when they are paged, and in which order.",
        "invitations": (
            "Meetings to which people are invited by mail, with an event for their calendar: `call`, `review`. "
            "Where `SMTP_URL` is set."
        ),
        "other_ways": "Which ways beside Slack reach the people who are paged, and when.",
        "objective": "What `tocsin slo` measures Tocsin by.",
        "public_channels": (
            "The means by which you reach people outside; what is not listed is never asked for. All, unless said."
        ),
        "lists": (
            "Who is told outside the response: `stakeholders`, `executives`, `support`, `customers`; docs/audiences.md."
        ),
        "public_webhooks": (
            "Systems of yours that publish what they are sent: `support_portal`, `social_media`; docs/audiences.md."
        ),
        "status_page": "Your own status page: a folder of files, served at `/status/`; docs/status-page.md.",
        "templates": "Messages in your own words, by name.",
        "alerts": "What happens to alerts from monitoring; docs/alerts.md.",
        "follow_up_list": "A Slack List that shows the commitments; paid plans have Lists. docs/action-items.md.",
        "follow_up_reaction": 'The reaction with which a message is noted as an action item; `""`: none does.',
        "timeline_reaction": 'The reaction with which a message joins the timeline; `""`: only pins do.',
        "slack_dead_man": "Slack itself pages an urgent tier three minutes late when all of Tocsin is down.",
        "canary": "A synthetic alert that shows that the way works; off unless given. See docs/checks.md.",
        "checks": "Tries of your own targets; a failing one is an alert. See docs/checks.md.",
        "tickets": "A ticket for each incident, in GitHub or Jira; docs/tickets.md.",
        "reviews": "Where finished reviews are published: GitHub, Confluence; docs/reviews.md.",
        "actions": "Webhooks of your own systems, called by themselves or by a button; docs/actions.md.",
        "reports": "Reports of your own, in place of the policy's; `[]` is none. Written as in a policy.",
        "permissions": "Narrows who may do what: the roles that may.",
        "retention": "How long records are kept; for ever unless given. See docs/keeping.md.",
    },
    "Recipients": {
        "mail": "Their mail addresses; each gets a mail of its own.",
        "channel": "A channel of the workspace.",
    },
    "Webhook": {
        "url": "Where it is called, by POST.",
        "secret_env": (
            "The variable that holds its secret (`whsec_…`, or any text); each call is signed as Standard Webhooks."
        ),
    },
    "StatusPage": {
        "title": "What stands at its top.",
        "components": "The services that it lists, each with its last 90 days.",
        "maintenance": "Planned maintenance: shown ahead of it, during it, and for a day after it.",
        "mails_a_second": "How many mails a second go to its subscribers.",
        "url": "Where the public reads it, like https://status.example.com/; for links in its feed.",
    },
    "Maintenance": {
        "title": "What the public reads first.",
        "starts": "When it starts, with an offset from UTC, like 2026-12-01T22:00:00+01:00.",
        "ends": "When it ends.",
        "components": "The components that it concerns.",
        "words": "What else the public should know.",
    },
    "Alerts": {
        "severities": "What a source calls it -> `P0` to `P3`, or `ignore`; beside the words that are known anyway.",
        "routes": "What happens to an alert: the first route that matches decides.",
        "generic": "Where the fields of an alert stand in a body of `POST /alerts/generic`.",
    },
    "GenericBody": {
        "each": "Finds the alerts of a body, a list of objects; without it, the body is one alert.",
        "title": "Its title.",
        "state": "The word that says whether it fires.",
        "resolved": "Words that say that it is over, in any case.",
        "acknowledged": "Words that say that somebody took it over in the other tool.",
        "fingerprint": "What tells one alert from another; its title and service, where nothing is found.",
        "severity": "The word for its severity.",
        "description": "What is known of it.",
        "service": "The service that it concerns.",
        "labels": "An object of labels, for routes.",
        "link": "Where to look at it.",
    },
    "AlertRoute": {
        "match": "Which alerts take this route; without it, all.",
        "service": "The service they concern; the label `service` where it names one of yours, unless said.",
        "severity": "Their severity; by `severities` unless said.",
        "group_by": "Labels that tell one problem from another, beside the service; one or several.",
        "wait": "How long one may clear by itself before anybody is told.",
        "when_resolved": "What the end of all its alerts does: `ask`, or `resolve` once nothing fired for 5 minutes.",
        "close_after": "When an alert whose source never ends it counts as ended: this long after its last body.",
        "raise": "Whether one that is worse raises the open incident; it opens its own unless said.",
        "hold": "Whether it only waits in the list, for somebody to promote it.",
        "heartbeat": "How long it may be absent: its absence is the alert.",
        "ignore": "Whether nothing happens.",
    },
    "Retention": {
        "closed": "How long closed incidents are kept, with reviews and action items; for ever unless given.",
        "alerts": "How long outcomes of alerts are kept; 10,000 at most in any case.",
        "audit": "How long the log of what was removed is kept; for ever unless given.",
        "oncall": "How long it is kept who was on call, 31d at least; for ever unless given.",
        "pay": "How long final pay reports are kept; for ever unless given.",
        "keep": "Incidents under legal hold: never removed.",
    },
    "CanaryRules": {
        "channel": "The quiet channel where it arrives.",
        "every": "How often one is sent, 1m at least.",
    },
    "Action": {
        "name": "What the timeline calls it.",
        "url": "Where the webhook goes.",
        "secret_env": "The variable with the secret that signs it: `whsec_` and base64, or any text.",
        "when": "When it begins: `declared`, `button`, the id of a checkpoint of the policy; one or several.",
        "match": "The incidents that it is for; all of them unless given.",
        "dry_run": "The timeline says what would be called, and nothing is.",
    },
    "Tickets": {
        **_TRACKER,
        "severities": "The severities that have a ticket there; all of them unless given.",
        "private": "The tracker of private incidents, who have no ticket without one.",
    },
    "Tracker": _TRACKER,
    "ReviewPlaces": {
        **_REVIEW_PLACE,
        "severities": "The severities whose reviews are published; all of them unless given.",
        "private": "The place for reviews of private incidents, which are published nowhere without one.",
    },
    "ReviewPlace": _REVIEW_PLACE,
    "ActionMatch": {
        "severity": "Severities, one or several.",
        "service": "Services, one or several.",
    },
    "Heartbeat": {
        "every": "How often it comes, 10s at least.",
        "grace": "How much later than that it may come.",
    },
    "Check": {
        "name": "What it is called on cards; each check has a name of its own.",
        "http": "A web address that must answer.",
        "tcp": "`host:port` that must accept connections.",
        "dns": "A name that must resolve.",
        "tls": "`host` or `host:port` whose certificate must be valid for a while.",
        "heartbeat": "A sign of life that a job sends to `/alerts/heartbeat/NAME`; its absence is the failure.",
        "every": "How often it is tried, 10s at least.",
        "timeout": "How long one try may take; shorter than `every`.",
        "fails": "After how many failures in a row it is an alert.",
        "status": "The status that `http` must answer with; any of 200 to 299 unless said.",
        "contains": "Words that the answer to `http` must hold, in its first megabyte.",
        "within": "How long the answer may take before it counts as a failure.",
        "days": "How many days the certificate of `tls` must be valid at least.",
        "private": "Whether it may connect to addresses that are not public.",
        "service": "The service that it concerns.",
        "severity": "Severity of its alerts; P2 unless this or a route says otherwise.",
    },
    "Match": {
        "source": "The source by its name in the address, like `alertmanager`; * and ? match, as in all of these.",
        "severity": "What the source calls it.",
        "service": "The service that it names.",
        "title": "Its title.",
        "labels": "Labels and their values; one that it does not have matches nothing.",
    },
    "Workspace": {
        "incidents_channel": "Where cards are posted: a name or an id. It is made if it is missing.",
        "stakeholders_channel": "Where stakeholders are told.",
        "deploys_channel": "Where apps tell of deployments: an open incident of a service that one names shows it.",
        "oncall_channel": "Where handovers are announced; the incidents channel unless said.",
    },
    "Notify": {
        "urgent": "Steps of an urgent page.",
        "normal": "Steps of another page.",
    },
    "NotifyStep": {
        "after": "How long after the page; at once unless said.",
        "by": "Methods: `slack`, `mail`, `push` (each push service that a person has), `sms`, `call`; one or several.",
    },
    "OtherWays": {
        "page": (
            "Ways that every page takes too: `mail`, `pagerduty`, `opsgenie` and others; one or several. Unless said: "
            "PagerDuty and Opsgenie, where the environment sets them up; `[]`: none."
        ),
        "slack_down": "Ways that a page takes when Slack has not taken it in time.",
        "after": "How long Slack has for that, in real time.",
        "stakeholders": "`mail`, if that carries the mail that they are owed.",
    },
    "Objective": {
        "within": "How soon after its due time a page has to be accepted.",
        "share": "How many per cent of the pages.",
        "open_incident": "Tocsin declares a P2 on itself when that was missed.",
    },
    "PersonEntry": {
        "email": "Finds the person in Slack.",
        "slack": "Or: the member id, like U012ABCDEF.",
        "name": "What to call them where Slack is not asked.",
        "phone": "Where to call them, and send SMS: with + and the country code.",
        "mail": "Where to write to, if it is another address.",
        "pushover": "Their user key at Pushover: 30 letters and digits.",
        "ntfy": "Their topic on the ntfy server.",
        "apprise": "Their tag among `APPRISE_URLS`.",
        "github": "Their login in GitHub.",
        "jira": "Their account id in Jira Cloud, or their user name in Jira Data Center.",
        "notify": "Their own order of contact methods, in place of the company's.",
        "office": "Where they work: one of `offices`.",
        "away": "Days off, first and last included, like 2026-12-24..2027-01-02; one or several.",
        "timezone": "The zone that they work in, if it is not the calendar's: for meetings and reminders of reviews.",
        "hours": "Their working hours in that zone, if they are not the calendar's.",
    },
    "Rotation": {
        "people": "People on call in turn, in this order. With `ical`: who may appear in it.",
        "every": "Length of a shift, in whole hours; 2h at least.",
        "handover": "When shifts begin, in local time, like Monday 00:00.",
        "timezone": "Whose local time; with `ical`, of whole days and times without a zone (else the calendar's).",
        "first_shift": "A day of the first person's shift; without it the count begins in January 1970.",
        "layers": "Layers of turns with hours of their own, instead of `handover`, `every` and `first_shift`.",
        "ical": "A calendar feed that says who is on call, instead of `handover`, `every` and `first_shift`.",
        "group": "A Slack user group that is kept in step: its handle or id.",
        "test_page": "Whether a handover sends a test page.",
        "handover_call": "How long the handover call takes.",
        "handover_channel": "Where handovers are announced, if elsewhere.",
    },
    "Layer": {
        "people": "People in turn; several at one place, like [dana, omar], have the turn together.",
        "level": "The highest level that has anybody on call counts; layers of one level are on call together.",
        "hours": "When it holds, like Monday-Friday 09:00-17:00 or Friday 18:00 - Monday 08:00; always unless said.",
        "begins": "When it begins to hold, an instant with its offset, like 2026-12-01T09:00:00+01:00.",
        "ends": "When it no longer holds.",
        "every": "Length of a turn, in whole hours; 2h at least.",
        "handover": "When turns begin, in local time.",
        "timezone": "Whose local time, if another than the rotation's.",
        "first_shift": "A day of the first turn.",
    },
    "Team": {
        "lead": "`service_lead` of its services.",
        "members": "`service_team` of its services.",
        "channel": "Where its tickets are told.",
        "tickets": "Its own tracker, in place of the common one.",
    },
    "Service": {
        "team": "The team that owns it.",
        "lead": "Its `service_lead`, if it is not the team's.",
        "vendor": "The vendor that it depends on: shown on the card.",
        "runbook": "The address of its runbook: on page, card, war room and review.",
        "links": "Further addresses by name, like `Monitoring` or `Release checklist`: five at most.",
    },
    "Contacts": {
        "hotline": "The number that is always answered.",
        "technical": "Technical people.",
        "business": "Business people.",
        "vendors": "Those that services depend on, each by a key.",
    },
    "Contact": {
        "name": "Who it is. A text alone is the name.",
        "phone": "In quotes, like '+49 30 1234567'.",
        "email": "An address.",
        "slack": "A handle.",
        "url": "A page.",
        "note": "What else to know, like `24/7`.",
    },
    "Rates": RATES,
    "Pay": {
        **RATES,
        "currency": "The code of the currency of all amounts, like EUR.",
        "decimals": "Of each amount: 2 for cents, 0 for yen. Rounded half up.",
        "offices": "Rates of an office, where they differ, by its name.",
        "people": "Rates of a person, where they differ, by their key.",
    },
    "Calendar": {
        "timezone": "The zone of the hours.",
        "hours": "Opening hours, like 09:00-17:00.",
        "days": "Working days, like Monday-Friday, or a list.",
        "holidays": "Public holidays of a country or a part of it: DE, DE-BE, US-CA.",
        "closed": "Further days off: a list of dates, or dates with names.",
    },
}
