"""Debian's Prometheus, Alertmanager and Blackbox exporter, watching small HTTP services that can be killed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

from benchmarks.ports import free_ports, is_free
from tests.support import http
from tests.support.waiting import eventually

PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter")
TOKEN = "a-long-token"
EVERY = "2s"  # the probes have to fit into it, also on a busy machine
# What is watched: service -> Alertmanager's receiver for it, and the labels of its alert.
WATCHED = {
    "checkout": ("webhook", {"severity": "critical", "team": "payments"}),
    "api": ("events", {"severity": "critical"}),
    "platform": ("opsgenie", {"severity": "warning"}),
}
RULE = "ServiceDown"
CHECKOUT_IS_DOWN = {
    "version": "4",
    "groupKey": "{}:{alertname='CheckoutDown'}",
    "status": "firing",
    "receiver": "tocsin",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "CheckoutDown", "severity": "critical", "service": "checkout"},
            "annotations": {"summary": "Checkout is down"},
            "fingerprint": "f1",
            "startsAt": "2024-12-18T15:30:00Z",
        }
    ],
}  # as Alertmanager sends it


def checkout_is_down(web: httpx2.Client) -> None:
    """Send Alertmanager's alert to Tocsin."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert web.post("/alerts/alertmanager", json=CHECKOUT_IS_DOWN, headers=headers).status_code == 202


def missing() -> list[str]:
    """The programs that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@dataclass
class Watched:
    """Monitoring at work. `url` is where it reports to."""

    folder: Path
    url: str
    services: dict[str, int] = field(default_factory=dict)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, *services: str) -> None:
        """Start services, until each of them answers."""
        for name in services or WATCHED:
            self._run(name, sys.executable, "-m", "http.server", str(self.services[name]), "--bind", "127.0.0.1")
        eventually(lambda: not any(is_free(self.services[name]) for name in services or WATCHED), "no service")

    def kill(self, *services: str) -> None:
        """kill -9 services, all of them unless said."""
        for name in services or WATCHED:
            self.running[name].kill()
            self.running.pop(name).wait()

    def monitor(self) -> None:
        """Start the three programs, until each service was seen alive."""
        ports = dict(zip(("prometheus", "alertmanager", "blackbox"), free_ports(3), strict=True))
        self._write("blackbox", {"modules": {"up": {"prober": "http", "http": {"preferred_ip_protocol": "ip4"}}}})
        self._write("rules", {"groups": [{"name": "services", "rules": [_rule(name) for name in WATCHED]}]})
        self._write("prometheus", self._scraping(ports))
        self._write("alertmanager", self._notifying())
        self._monitor("blackbox", "prometheus-blackbox-exporter", ports, "--timeout-offset=0.1")
        options = (f"--storage.path={self.folder}/notified", "--cluster.listen-address=")
        self._monitor("alertmanager", "prometheus-alertmanager", ports, *options)
        self._monitor("prometheus", "prometheus", ports, f"--storage.tsdb.path={self.folder}/series")
        query = f"http://127.0.0.1:{ports['prometheus']}/api/v1/query?query=probe_success==1"
        eventually(lambda: len(_result(query)) == len(WATCHED), "Prometheus did not see the services")

    def stop(self) -> None:
        """End everything."""
        for process in self.running.values():
            process.kill()
        for process in self.running.values():
            process.wait()

    def _monitor(self, name: str, program: str, ports: dict[str, int], *options: str) -> None:
        config, address = f"--config.file={self.folder}/{name}.yml", f"--web.listen-address=127.0.0.1:{ports[name]}"
        self._run(name, program, config, address, "--log.level=warn", *options)

    def _run(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def _write(self, name: str, content: Any) -> None:
        (self.folder / f"{name}.yml").write_text(yaml.safe_dump(content))

    def _scraping(self, ports: dict[str, int]) -> dict[str, Any]:
        target = {"source_labels": ["__address__"], "target_label": "__param_target"}
        exporter = {"target_label": "__address__", "replacement": f"127.0.0.1:{ports['blackbox']}"}
        job = {
            "job_name": "probes",
            "metrics_path": "/probe",
            "params": {"module": ["up"]},
            "static_configs": [
                {"targets": [f"http://127.0.0.1:{port}"], "labels": {"service": name}}
                for name, port in self.services.items()
            ],
            "relabel_configs": [target, exporter],
        }
        alertmanager = {"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}
        return {
            "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [alertmanager]},
            "scrape_configs": [job],
        }

    def _notifying(self) -> dict[str, Any]:
        bearer = {"authorization": {"credentials": TOKEN}}
        events = {
            "routing_key": f"{TOKEN}.api",
            "url": f"{self.url}/v2/enqueue",
            "severity": "{{.CommonLabels.severity}}",
        }
        opsgenie = {"api_key": TOKEN, "api_url": f"{self.url}/", "priority": "P2", "update_alerts": True}
        return {
            "route": {
                "receiver": "webhook",
                "group_by": ["alertname", "service"],
                "group_wait": "0s",
                "group_interval": "1s",
                "routes": [{"matchers": [f"service={name}"], "receiver": to} for name, (to, _) in WATCHED.items()],
            },
            "receivers": [
                {
                    "name": "webhook",
                    "webhook_configs": [{"url": f"{self.url}/alerts/alertmanager", "http_config": bearer}],
                },
                {"name": "events", "pagerduty_configs": [events]},
                {"name": "opsgenie", "opsgenie_configs": [opsgenie]},
            ],
        }


def _rule(service: str) -> dict[str, Any]:
    summary = f"{service} does not answer"
    return {
        "alert": RULE,
        "expr": f'probe_success{{service="{service}"}} == 0',
        "labels": WATCHED[service][1],
        "annotations": {"summary": summary},
    }


def _result(query: str) -> list[Any]:
    with suppress(httpx2.HTTPError, KeyError, ValueError):
        return list(http.web.get(query).json()["data"]["result"])
    return []


@contextmanager
def watched(folder: Path, url: str) -> Iterator[Watched]:
    """Services and their monitoring during the block, which reports to Tocsin at `url`."""
    folder.mkdir()
    place = Watched(folder, url, dict(zip(WATCHED, free_ports(len(WATCHED)), strict=True)))
    try:
        place.start()
        place.monitor()
        yield place
    finally:
        place.stop()
