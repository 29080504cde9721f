"""api.test, auth.test, apps.connections.open, team.info, bots.info."""

from sandbox import company, shapes
from sandbox.records import Json
from sandbox.webapi.registry import Call, SlackError, method


@method("api.test", "tier4", token="none")  # noqa: S106 - it takes none
def api_test(call: Call) -> Json:
    if call.text("error"):
        raise SlackError(call.text("error"), args=call.args)
    return {"args": call.args}


@method("auth.test", "special")
def auth_test(call: Call) -> Json:
    workspace = call.workspace
    return {
        "url": f"{workspace.base_url}/",
        "team": company.TEAM_NAME,
        "user": workspace.users[call.user].name,
        "team_id": workspace.team_id,
        "user_id": call.user,
        "bot_id": workspace.bot_id,
        "app_id": workspace.app_id,
        "app_name": workspace.setup.app_name,
        "is_enterprise_install": False,
    }


@method("apps.connections.open", "tier3", token="app")  # noqa: S106 - a kind of token
def connections_open(call: Call) -> Json:
    return {"url": call.links["socket"]()}


@method("team.info", "tier3", "team:read")
def team_info(call: Call) -> Json:
    if call.text("team", call.workspace.team_id) != call.workspace.team_id:
        raise SlackError("team_not_found")
    team = {
        "id": call.workspace.team_id,
        "name": company.TEAM_NAME,
        "domain": company.TEAM_DOMAIN,
        "email_domain": "example.com",
        "url": f"{call.workspace.base_url}/",
        "icon": {},
    }
    return {"team": team}


@method("bots.info", "tier3", "users:read")
def bots_info(call: Call) -> Json:
    if call.text("bot", call.workspace.bot_id) != call.workspace.bot_id:
        raise SlackError("bot_not_found")
    return {"bot": shapes.bot_profile(call.workspace)}
