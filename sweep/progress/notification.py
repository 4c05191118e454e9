"""Posts to a web address how a sweep ended: `run.py --notify URL`.

One small JSON object is posted when the sweep has its answer, fails, or stops early. Slack, Mattermost and similar
services show its "text". Notifications cannot harm a sweep: they are sent by a background thread with a timeout of a
few seconds, and a failure is one line on standard error. The address may contain a token, so it appears in no plan
and no log; the message contains no passwords.
"""

import contextlib
import functools
import json
import queue
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sweep.core.addresses import hide_password
from sweep.core.outage import say_on_standard_error
from sweep.plan.plan import Plan
from sweep.verdict.result import Result, group_name
from trainables.base.errors import UserError

VARIABLE = "SPEECH_SWEEP_NOTIFY"
_SECONDS = 10.0  # timeout
_NO_ANSWER = "no answer in time"
_LONGEST_REASON = 500


def check_address(url: str) -> None:
    """Raise `UserError` unless it is a web address; the message never contains its path."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that are no IPv6 address
        raise UserError("--notify: its address cannot be read; check its brackets") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"--notify: give a web address, http:// or https://, not {parts.scheme or 'a path'}")


class Notifier:
    """Posts about one sweep, unless `url` is None."""

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
        summary = ", ".join(f"{name}: {of['leader']} ({of['verdict']})" for name, of in leaders.items())
        self._send("finished", summary, {"metric": result["metric"], "groups": leaders})

    def failed(self, reason: str) -> None:
        self._send("failed", reason, {"reason": self._redacted(reason)})

    def stopped(self, reason: str) -> None:
        self._send("stopped", reason, {"reason": self._redacted(reason)})

    def _send(self, event: str, summary: str, more: dict[str, Any]) -> None:
        if self._url is None:
            return
        plan = self._plan
        message = {
            "text": self._redacted(f"sweep {plan.name} {event}: {summary}"),
            "event": event,
            "sweep": plan.name,
            "space": plan.space,
            "output": hide_password(plan.output),
            **more,
        }
        failures: queue.Queue[str | None] = queue.Queue()
        post = functools.partial(self._post, self._url, message, failures)
        threading.Thread(target=post, name="notify", daemon=True).start()
        try:
            failure = failures.get(timeout=self._seconds)
        except queue.Empty:  # a server that sends a byte now and then never times out by itself
            failure = _NO_ANSWER
        if failure:
            self._warn(failure)

    def _post(self, url: str, message: dict[str, Any], failures: queue.Queue[str | None]) -> None:
        """Puts None where the message has arrived, else why it has not."""
        content = json.dumps(message).encode()
        request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self._seconds) as answer:
                answer.read()
        except Exception as error:  # of urllib, the socket or the server
            timed_out = TimeoutError in (type(error), type(getattr(error, "reason", None)))
            failures.put(_NO_ANSWER if timed_out else f"{type(error).__name__}: {error}")
        else:
            failures.put(None)

    def _warn(self, why: str) -> None:
        host = urlsplit(self._url or "").hostname
        hidden = why.replace(self._url or "", "***")
        say_on_standard_error(f"notification about {self._plan.name} to {host} failed ({hidden})")

    def _redacted(self, text: str) -> str:
        """Short and without passwords."""
        for uri in (self._plan.study_uri, self._plan.tracking_uri):
            text = hide_password(text, uri)
        return text[:_LONGEST_REASON]


@contextlib.contextmanager
def notifying(url: str | None, plan: Plan) -> Iterator[Notifier]:
    """Post how the block ends, except for `UserError`, which the user sees at once.

    A sweep that reaches its answer calls `finished` itself.
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
