"""Logs: one JSON object a line in production, readable lines elsewhere, each with the id of its request.

A person is the number of their account; an address is its route and the ids in it, since a path may hold
a secret (a reset link, the key of a calendar). What an error's own words let slip is masked at the end.
"""

import logging
import re
from typing import Any

import structlog

# An e-mail address, whatever surrounds it; looked for from the first of its signs only, or a host name of
# eight thousand would cost a second.
EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
# A social-security number, with or without its key, with or without blanks. One id in some hundreds, ours or
# a proxy's, holds as many digits: it stays, or nobody finds its line again.
NIR = re.compile(
    r"(?P<id>(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f]))"
    r"|(?<!\d)[1-478](?: ?\d\d){2} ?(?:\d\d|2[ABab])(?: ?\d{3}){2}(?: ?\d\d)?(?!\d)"
)
# Monitors ask these every few seconds: said only when the answer is bad.
QUIET_ROUTES = frozenset({"GET /sante/vivant", "GET /sante/pret", "GET /metriques"})


def mask(text: str) -> str:
    """The same text without e-mail addresses and social-security numbers."""
    return NIR.sub(lambda found: found["id"] or "[NIR]", EMAIL.sub("[e-mail]", text))


def drop_quiet(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """One line per request, and none for a monitor that finds everything well."""
    if event.get("request") in QUIET_ROUTES and event.get("code", 500) < 400:
        raise structlog.DropEvent
    return event


class Formatter(structlog.stdlib.ProcessorFormatter):
    """structlog's own, whose last word is masked: tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


_SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure() -> None:
    """Tell structlog to write through Python's own logging. Once, when settings are read."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            drop_quiet,
            *_SHARED,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def settings(*, level: str, as_json: bool) -> dict[str, Any]:
    """The LOGGING setting."""
    if as_json:
        last = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        last = [
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": Formatter,
                "foreign_pre_chain": [*_SHARED, structlog.stdlib.ExtraAdder(allow=())],
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # The line of the request says it already, with its route instead of its path.
            "django.request": {"level": "CRITICAL"},
            "django.server": {"level": "CRITICAL"},
            # "Task … received", "Task … succeeded": the tasks say better what they did.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }
