"""Tells a web address how a sweep ended: `run.py --notify URL`.

One small JSON object is posted when the sweep has its answer, fails, or stops early. Its "text" is what Slack,
Mattermost and their like show. Nothing of it can hurt a sweep: it is sent by a thread of its own, waited for a few
seconds at most, and what goes wrong is one line on standard error. The address may hold a token, so it is in
no plan and no log; what is posted holds no password.
"""

import contextlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sweep.core.addresses import hide_password, redact
from sweep.core.outage import say_on_standard_error
from sweep.plan.plan import Plan
from sweep.verdict.result import Result, group_name
from trainables.base.errors import UserError

VARIABLE = "SPEECH_SWEEP_NOTIFY"
_SECONDS = 10.0  # for the other side to answer
_LONGEST_REASON = 500


def check_address(url: str) -> None:
    """Raise `UserError` unless it is a web address; its path is shown to nobody."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that are no IPv6 address
        raise UserError("--notify: its address cannot be read; check its brackets") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"--notify: give a web address, http:// or https://, not {parts.scheme or 'a path'}")


class Notifier:
    """Posts about one sweep; without a `url` to nobody."""

    def __init__(self, url: str | None, plan: Plan, seconds: float = _SECONDS) -> None:
        self._url = url
        self._plan = plan
        self._seconds = seconds

    def finished(self, result: Result) -> None:
        leaders = {
            group_name(group["group"]): {
                "leader": group["leader"]["label"],
                "verdict": group["verdict"],
                "score": group["score"],
                "interval": group["interval"],
            }
            for group in result["groups"]
        }
        told = ", ".join(f"{name}: {of['leader']} ({of['verdict']})" for name, of in leaders.items())
        self._tell("finished", told, {"metric": result["metric"], "groups": leaders})

    def failed(self, reason: str) -> None:
        self._tell("failed", reason, {"reason": self._harmless(reason)})

    def stopped(self, reason: str) -> None:
        self._tell("stopped", reason, {"reason": self._harmless(reason)})

    def _tell(self, event: str, what: str, more: dict[str, Any]) -> None:
        if self._url is None:
            return
        plan = self._plan
        message = {
            "text": self._harmless(f"sweep {plan.name} {event}: {what}"),
            "event": event,
            "sweep": plan.name,
            "space": plan.space,
            "output": hide_password(plan.output),
            **more,
        }
        thread = threading.Thread(target=self._post, args=(self._url, message), name="notify", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if thread.is_alive():
            self._say("no answer in time")

    def _post(self, url: str, message: dict[str, Any]) -> None:
        content = json.dumps(message).encode()
        request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self._seconds) as answer:
                answer.read()
        except Exception as error:  # urllib's, the socket's and the other side's own
            self._say(f"{type(error).__name__}: {error}")

    def _say(self, why: str) -> None:
        host = urlsplit(self._url or "").hostname
        hidden = why.replace(self._url or "", "***")
        say_on_standard_error(f"{host} was not told of {self._plan.name} ({hidden})")

    def _harmless(self, text: str) -> str:
        """Without passwords, and short."""
        for uri in (self._plan.study_uri, self._plan.tracking_uri):
            text = redact(text, uri)
        return hide_password(text)[:_LONGEST_REASON]


@contextlib.contextmanager
def notifying(url: str | None, plan: Plan) -> Iterator[Notifier]:
    """Tell how what happens inside ends, unless it is bad input, which its user sees at once.

    A sweep that comes to its answer says so itself, by `finished`.
    """
    notifier = Notifier(url, plan)
    try:
        yield notifier
    except UserError:
        raise
    except KeyboardInterrupt as stop:
        notifier.stopped(str(stop) or "Ctrl-C")
        raise
    except Exception as error:
        notifier.failed(f"{type(error).__name__}: {error}")
        raise
