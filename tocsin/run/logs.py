"""Set up logs on standard error: readable in a terminal, JSON lines elsewhere, secrets hidden in both."""

import logging
import re
import sys
from collections.abc import Iterable

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# Libraries whose logs are kept from WARNING up; at INFO some of them repeat people's messages.
QUIET = ("rq", "slack_bolt", "slack_sdk", "uvicorn", "aiohttp", "asyncio", "websockets", "httpx2", "httpcore2")
HIDDEN = "[hidden]"
TOKEN_LIKE = re.compile(
    r"""xox[a-z]-[\w-]+ | xapp-[\w-]+ | xwfp-[\w-]+            # Slack's tokens
      | (?<=earer\ )[\w.~+/=-]{6,}                             # Authorization: Bearer ...
      | (?<=://)[^/\s:@'"]*:[^/\s@'"]+(?=@)                    # user:password in an address
      | (?<=signing_secret)(?P<gap>['"\s:=]+)[^\s'",)}]+       # signing_secret='...'
    """,
    re.VERBOSE | re.IGNORECASE,
)
SHORTEST_SECRET = 8  # characters; a shorter one would hide ordinary words


class Redaction:
    """Processor that hides known secrets, and whatever looks like one, in a rendered line."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        long = sorted({s for s in secrets if len(s) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, long))) if long else None

    def __call__(self, logger: WrappedLogger, name: str, line: EventDict | str) -> str:
        """Hide secrets in a line, as the last processor."""
        return self.hide(str(line))

    def hide(self, text: str) -> str:
        """The text with every secret replaced by `[hidden]`."""
        text = self._known.sub(HIDDEN, text) if self._known else text
        return TOKEN_LIKE.sub(lambda m: (m["gap"] or "") + HIDDEN, text)


def setup(process: str, level: str | None = None, secrets: Iterable[str] = ()) -> None:
    """Send structlog and the standard library's logging through one formatter. `process` is named on every line."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_process(process),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(sys.stderr.isatty()),
                Redaction(secrets),
            ],
        )
    )
    handler.addFilter(_is_loggable)
    logging.basicConfig(handlers=[handler], level=level or "INFO", force=True)
    for name in [*QUIET, *logging.root.manager.loggerDict]:
        if _is_quiet(name):
            _use_root_handler(logging.getLogger(name))


def _is_quiet(name: str) -> bool:
    return name.partition(".")[0] in QUIET


def _is_loggable(record: logging.LogRecord) -> bool:
    """False for quiet libraries below WARNING. Levels alone do not do: RQ sets its own to INFO when imported."""
    return record.levelno >= logging.WARNING or not _is_quiet(record.name)


def _use_root_handler(logger: logging.Logger) -> None:
    """Send a library's logs to the root handler: RQ and uvicorn install handlers of their own."""
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(max(logging.WARNING, logging.root.level))


def _renderers(terminal: bool) -> list[Processor]:
    """Renderers of a line. Tracebacks have no local variables: those hold tokens and people's words."""
    if terminal:
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _add_process(process: str) -> Processor:
    def name(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {**event, "process": process}

    return name
