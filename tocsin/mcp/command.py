"""`tocsin mcp`: the command. The protocol has stdout for itself; all else goes to stderr."""

import re
from importlib import import_module

import click

from escalation.config.company import Company, Directory
from escalation.config.references import suggest
from escalation.values import PersonId
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.config import loader
from tocsin.config.settings import load
from tocsin.errors import Refusal
from tocsin.run import logs

WITH_SLACK = (*NEEDS, "SLACK_BOT_TOKEN", "SLACK_API_URL", "LOG_LEVEL")
MEMBER_ID = re.compile(r"[UW][A-Z0-9]{5,}")
WHO = "Say whose rights it has: --as @person or a Slack id, or TOCSIN_MCP_PERSON."
NO_SDK = "`tocsin mcp` needs the SDK of the Model Context Protocol: pip install tocsin[mcp]"


@click.command("mcp")
@click.option("--as", "person", metavar="PERSON", help="Whose rights: @name of the configuration or Slack, or an id.")
def mcp(person: str | None) -> None:
    """Serve incidents, read-only, to an assistant that speaks the Model Context Protocol (stdio)."""
    settings = load(WITH_SLACK)
    typed = person or settings.mcp_person
    if not typed:
        raise click.UsageError(WHO)
    logs.setup("mcp", settings.log_level or "WARNING", settings.secrets())
    try:
        import_module("mcp.server.mcpserver")
    except ModuleNotFoundError:
        raise Refusal(NO_SDK) from None
    loaded, store = loader.load(settings.config), open_store(settings)
    member = member_of(typed, loaded.company, store.directory())
    import_module("tocsin.mcp.server").serve(settings, loaded, store, member)


def member_of(typed: str, company: Company, directory: Directory) -> PersonId:
    """Find the Slack id of somebody by it, by their key of the configuration or their name. Refusal for nobody."""
    name = typed.strip().removeprefix("@")
    if MEMBER_ID.fullmatch(name):
        return name
    if name in company.people:
        member = company.member(name, directory)
        if member == name:
            raise Refusal(f"The Slack id of {name} is not known yet. Give it with --as, or start Tocsin once.")
        return member
    found = [member for member, called in directory.names.items() if called.casefold() == name.casefold()]
    if len(found) > 1:
        raise Refusal(f"Several people are called {name}: {', '.join(sorted(found))}. Give one of these ids.")
    if not found:
        raise Refusal(f"Nobody is called '{name}'{suggest(name, set(company.people))}. A Slack id names anybody.")
    return found[0]
