"""The files under deploy/: what they name exists, and they are what systemd, a container and Kubernetes take."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin.cli import main
from tocsin.config.settings import Environment

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text()
GUIDE = (ROOT / "docs" / "deployment.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VARIABLES = {name.upper() for name in Environment.model_fields}


def documents() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def deployments() -> list[dict[str, Any]]:
    return [d for d in documents() if d["kind"] == "Deployment"]


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def part(document: dict[str, Any]) -> str:
    return str(document["metadata"]["name"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_there_is(unit: Path) -> None:
    """With an environment file, and again however often it ends."""
    said = dict(line.split("=", 1) for line in unit.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))
    program, command = said["ExecStart"].split()
    assert program == "/opt/tocsin/.venv/bin/tocsin"
    assert command in main.commands
    assert said["Documentation"].removeprefix("file:/opt/tocsin/") == "docs/deployment.md"
    assert (said["Restart"], said["StartLimitIntervalSec"]) == ("always", "0")
    assert said["EnvironmentFile"] in GUIDE
    assert unit.name in GUIDE


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd on this machine")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """As it would on a machine where the program is installed."""
    for unit in UNITS:
        installed = unit.read_text().replace("/opt/tocsin/.venv/bin/tocsin", sys.executable)
        (tmp_path / unit.name.replace("@", "@1")).write_text(installed)
    paths = [str(path) for path in tmp_path.iterdir()]
    seen = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, timeout=60)
    complaints = [line for line in seen.stderr.splitlines() if str(tmp_path) in line or "tocsin" in line]
    assert (seen.returncode, complaints) == (0, [])


def test_the_image_holds_every_package_and_starts_the_program() -> None:
    """What is copied exists, and nothing that the build needs is missing."""
    copied = [
        source for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.M) for source in line.split()[:-1]
    ]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = PROJECT["project"]
    needed = [*wheel["packages"], *wheel["force-include"], project["readme"], *project["license-files"]]
    assert set(needed) | {"pyproject.toml", "requirements.lock"} == set(copied)
    assert 'ENTRYPOINT ["tocsin"]' in CONTAINERFILE
    assert "tocsin" in project["scripts"]
    for minor in re.findall(r"^FROM docker.io/library/python:3\.(\d+)-slim", CONTAINERFILE, re.M):
        assert project["requires-python"] == ">=3.11,<3.14"
        assert 11 <= int(minor) < 14


def test_whoever_runs_the_bot_has_a_home() -> None:
    """Neither of those users is in a passwd file, and slack_sdk asks for their home."""
    assert re.search(r"^ENV .*\bHOME=/", CONTAINERFILE, re.M)
    assert "\nEnvironment=HOME=/" in (ROOT / "deploy" / "systemd" / "tocsin-bot.service").read_text()


def test_kustomize_names_every_manifest() -> None:
    """None is forgotten, none is missing."""
    [found] = [d for d in documents() if d["kind"] == "Kustomization"]
    assert sorted([*found["resources"], "kustomization.yaml"]) == [path.name for path in MANIFESTS]
    assert found["images"][0]["newTag"] == PROJECT["project"]["version"]


@pytest.mark.parametrize("deployment", deployments(), ids=part)
def test_a_deployment_starts_a_command_that_there_is(deployment: dict[str, Any]) -> None:
    """With variables that are known, secrets that the guide has made, and no privileges."""
    inside = container(deployment)
    assert [a for a in inside["args"] if a not in main.commands] == []
    assert {e["name"] for e in inside["env"]} <= VARIABLES
    for source in inside["envFrom"]:
        assert f"kubectl create secret generic {source['secretRef']['name']} " in GUIDE
    assert inside["securityContext"]["allowPrivilegeEscalation"] is False
    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    volumes = {v["name"] for v in deployment["spec"]["template"]["spec"]["volumes"]}
    assert {m["name"] for m in inside["volumeMounts"]} == volumes


def test_what_selects_pods_finds_them() -> None:
    """Services, budgets and deployments by the labels that the pods carry."""
    pods = [d["spec"]["template"]["metadata"]["labels"] for d in deployments()]
    for document in documents():
        selector = document.get("spec", {}).get("selector", {})
        wanted = selector.get("matchLabels", selector)
        if wanted:
            assert wanted in pods, part(document)


def test_probes_ask_what_the_bot_serves() -> None:
    """On the port that it listens on."""
    [bot] = [container(d) for d in deployments() if part(d) == "tocsin-bot"]
    assert bot["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "web"}
    assert bot["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "web"}
    [listen] = [e["value"] for e in bot["env"] if e["name"] == "TOCSIN_LISTEN"]
    assert listen == f"0.0.0.0:{bot['ports'][0]['containerPort']}"


def test_the_watchdog_stays_away_from_the_workers() -> None:
    """A node that dies takes one or the other."""
    [watchdog] = [d["spec"]["template"]["spec"] for d in deployments() if part(d) == "tocsin-watchdog"]
    [rule] = watchdog["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["labelSelector"]["matchLabels"] == {"app": "tocsin", "part": "worker"}


def test_the_guide_names_commands_and_variables_that_there_are() -> None:
    """Whatever it has people type or set."""
    commands = set(re.findall(r"`(?:\S*/)?tocsin ([a-z]+)", GUIDE)) | set(re.findall(r"^tocsin ([a-z]+)", GUIDE, re.M))
    assert {"bot", "worker", "watchdog", "doctor", "list"} <= commands
    assert commands - set(main.commands) == set()
    assert set(re.findall(r"^([A-Z][A-Z_]+)=", GUIDE, re.M)) - VARIABLES == set()
    for link in re.findall(r"\]\((?!http)([^)#]+)", GUIDE):
        assert (ROOT / "docs" / link).exists(), link
