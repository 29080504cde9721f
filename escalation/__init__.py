"""The domain: incidents, their policies, and what follows from each event. No Slack, no RQ, no HTTP, no clock.

Theory of operation
===================

An incident is one frozen value (`incident.model.Incident`). Nothing changes it but an **event**: a person's move
(acknowledge, escalate, resolve), a checkpoint that fell due, or the outcome of something that was sent. All three go
the same way:

1. **Event.** Somebody calls `service.IncidentService.handle(incident id, event)`: the bot for a person, a worker for
   the clock, a worker for an outcome. It reads the clock and who is on call, once.
2. **Decide.** `engine.state_machine.decide(incident, event, now, roster)` is pure. A table says which move is legal
   in which status; a handler applies the move; whatever has fallen due fires; what became moot is dropped.
   It returns the next incident, or raises Refused with words for the requester. The same incident back means that
   nothing follows: the event was stale, or came twice.
3. **Effects.** The next incident carries the work to do outside (`incident.effects`): a page, a card to post, a
   room to open. An effect holds ids and no words, has an id of its own that never changes, and may wait for another
   one (`after`), which keeps a thread in order.
4. **Commit.** `storage.store` writes state, timeline, effects, due times and RQ jobs in one Redis transaction, or
   nothing. If somebody else was quicker, it decides again on what they left.
5. **Outbox.** The jobs of that transaction say "deliver these effects" and "this checkpoint is due at". A due time on
   the incident is the truth; its job only triggers it in time. A job that gets lost is found by the sweep and written
   again.
6. **Job, lease.** A worker takes the job and a short lease on the effect, so that two do not send it at once and a
   killed worker's is free again in about a second.
7. **Send.** It reads the incident again. An effect that is gone was done; a page that was answered meanwhile is not
   sent. Only now are the words made, so that a late message says how things stand. If an earlier try may have
   arrived, it is looked for before it is sent again.
8. **Outcome.** The result (delivered here, this person cannot be reached, refused because of us) is an event as in 1,
   and is decided as in 2. That is how a page to somebody who left escalates to the next tier.

A checkpoint takes the same way: its job says which incident, `handle` passes CheckpointDue, and whatever is due then
fires in order. Early, late, twice or for nothing, it does no harm: the incident says what is due, not the job.

Why so? Because everything can die between any two steps, and replies get lost. State that is committed with its
consequences cannot lose them; work that re-reads the state can be repeated; ids that never change let a repeat be
recognised. What is left at least once (mail, for one) is listed in docs/reliability.md.

The packages, inside out: `config` (the configuration), `oncall` (who is on call), `incident` (the state), `engine`
(the decisions), `messages` (the words), `storage` (incidents in Redis), and on top `service` and
`simulation`, two callers of the same engine. docs/architecture.md has the picture and a glossary.
"""
