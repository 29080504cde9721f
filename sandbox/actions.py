"""What people do with the app: commands, clicks, forms, shortcuts. Each waits for the app's answer."""

from typing import Any

from sandbox import blockkit, interactions, modals, responses, shapes, text
from sandbox.delivery import Answer, Delivery
from sandbox.records import Channel, Json, Message, Person, View
from sandbox.setup import Command, Shortcut
from sandbox.state import Workspace

OK: Json = {"ok": True}
TROUBLE = "We had some trouble connecting. Try again?"
UNANSWERED = {
    "timeout": "{what} failed because the app did not respond",
    "unreachable": '{what} failed with the error "dispatch_failed"',
    "refused": '{what} failed with the error "http_service_error"',
}


class Actions:
    """People's side of the app."""

    def __init__(self, workspace: Workspace, delivery: Delivery) -> None:
        self._workspace = workspace
        self._delivery = delivery

    async def command(self, person: Person, channel: Channel, name: str, words: str) -> Json:
        """Run a slash command; an error is what Slackbot would say."""
        known = next((row for row in self._workspace.setup.commands if row.command == name), None)
        if known is None:
            return _failed(f"{name} is not a valid command.")
        payload = interactions.command(self._workspace, person, channel, name, self._words(known, words))
        answer = await self._delivery.ask("slash_commands", payload)
        if answer.outcome != "acknowledged":
            return self._unanswered(person, name, answer)
        error = None
        if answer.body:
            error = responses.answer_command(self._workspace, person.id, channel.id, answer.body)
        return _failed(f'{name} failed with the error "{error}"') if error else OK

    def _words(self, command: Command, words: str) -> str:
        escaped = text.escaped(words.strip())
        return text.mentions(self._workspace, escaped, broadcasts=False) if command.should_escape else escaped

    async def on_message(self, person: Person, row: Message, given: Json, values: Json) -> Json:
        """Use an element of a message."""
        element = blockkit.find_element(row.blocks, given["block_id"], given["action_id"])
        if element is None:
            return _failed("That element is not there any more.")
        action = interactions.action_of(self._workspace, element, given)
        held = blockkit.held_values(row.blocks, blockkit.with_choice(values, element, given), {})
        payload = interactions.message_action(self._workspace, person, row, action, held)
        return await self._interact(person, payload)

    async def on_view(self, person: Person, view: View, given: Json, values: Json) -> Json:
        """Use an element of a modal or of the Home tab."""
        element = blockkit.find_element(view.body["blocks"], given["block_id"], given["action_id"])
        if element is None:
            return _failed("That element is not there any more.")
        view = modals.remember(self._workspace, view, blockkit.with_choice(values, element, given))
        action = interactions.action_of(self._workspace, element, given)
        return await self._interact(person, interactions.view_action(self._workspace, person, view, action))

    async def suggest(self, person: Person, at: Message | View, given: Json, values: Json) -> Json:
        """Ask the app what it offers for the words typed into an external select."""
        blocks = at.blocks if isinstance(at, Message) else at.body["blocks"]
        element = blockkit.find_element(blocks, given["block_id"], given["action_id"])
        if element is None or not element["type"].endswith("external_select"):
            return _failed("That element is not there any more.")
        if isinstance(at, View):
            at = modals.remember(self._workspace, at, values)
            place = interactions.suggestion_in_view(self._workspace, at)
        else:
            place = interactions.suggestion_in_message(self._workspace, at)
        answer = await self._delivery.ask("interactive", interactions.suggestion(self._workspace, person, place, given))
        if answer.outcome != "acknowledged" or blockkit.options_problems(answer.body):
            return _failed("Could not load the options.")
        return {**OK, **(answer.body or {})}

    async def shortcut(self, person: Person, entry: Shortcut, row: Message | None) -> Json:
        return await self._interact(person, interactions.shortcut(self._workspace, person, entry, row))

    def close(self, person: Person, view: View) -> None:
        """Close a modal; the app hears of it when it asked to, and nobody waits for its answer."""
        modals.close(self._workspace, view)
        if view.body.get("notify_on_close"):
            payload = interactions.closing(self._workspace, person, view, cleared=False)
            self._delivery.mention("interactive", payload)

    async def submit(self, person: Person, view: View, given: Json) -> Json:
        """Submit a modal: refused by its inputs, by the app, or taken."""
        view = modals.remember(self._workspace, view, given)
        errors = blockkit.input_problems(view.body["blocks"], view.values)
        if errors:
            return {"ok": False, "errors": errors}
        answer = await self._delivery.ask("interactive", interactions.submission(self._workspace, person, view))
        if answer.outcome != "acknowledged":
            return _failed(TROUBLE)
        if view.id not in self._workspace.views:
            return OK
        return self._respond(self._workspace.views[view.id], answer.body or {})

    def _respond(self, view: View, body: Json) -> Json:
        """Carry out a response_action: https://docs.slack.dev/surfaces/modals#handling_submissions"""
        action = body.get("response_action")
        if action == "errors":
            return _refused(view, body.get("errors"))
        if action in ("update", "push"):
            return self._show(view, action, body.get("view"))
        if action == "clear":
            modals.close_all(self._workspace, view.user)
        else:
            modals.close(self._workspace, view)
        return OK

    def _show(self, view: View, action: str, body: Any) -> Json:
        if blockkit.view_problems(body, "modal"):
            return _failed(TROUBLE)
        if action == "update":
            modals.update(self._workspace, view, body)
        elif len(modals.stack(self._workspace, view.user)) < modals.DEEPEST:
            modals.push(self._workspace, view.user, body)
        else:
            return _failed(TROUBLE)
        return OK

    def home(self, person: Person) -> Json | None:
        """The Home tab as the app published it last."""
        key = self._workspace.homes.get(person.id)
        return shapes.view(self._workspace, self._workspace.views[key]) if key else None

    def home_opened(self, person: Person) -> Json | None:
        """The Home tab, and the app told that someone looks at it."""
        shown = self.home(person)
        channel = next(
            (row.id for row in self._workspace.channels.values() if row.kind == "im" and person.id in row.members), ""
        )
        event = {"type": "app_home_opened", "user": person.id, "channel": channel, "tab": "home"}
        self._workspace.emit("app_home_opened", {**event, **({"view": shown} if shown else {})})
        return shown

    async def _interact(self, person: Person, payload: Json) -> Json:
        answer = await self._delivery.ask("interactive", payload)
        if answer.outcome == "acknowledged":
            return OK
        return self._unanswered(person, "That", answer)

    def _unanswered(self, person: Person, what: str, answer: Answer) -> Json:
        words = UNANSWERED[answer.outcome].format(what=what)
        self._workspace.hint("notice", [person.id], text=words)
        return _failed(words)


def _refused(view: View, errors: Any) -> Json:
    """The app's errors at their inputs; one for a block that is no input spoils the answer, as in Slack."""
    inputs = {block["block_id"] for block in view.body["blocks"] if block["type"] == "input"}
    fits = isinstance(errors, dict) and errors and errors.keys() <= inputs
    return {"ok": False, "errors": errors} if fits else _failed(TROUBLE)


def _failed(words: str) -> Json:
    return {"ok": False, "error": words}
