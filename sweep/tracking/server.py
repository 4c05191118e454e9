"""Questions to an MLflow server, through MLflow's own requests: it gets every credential that MLflow knows.

These are MLFLOW_TRACKING_USERNAME and _PASSWORD or ~/.mlflow/credentials, MLFLOW_TRACKING_TOKEN, a password in the
address, certificates and plug-ins. Importing MLflow takes seconds.
"""

import os
from typing import Any
from urllib.parse import urlsplit

from sweep.core.addresses import HIDDEN, VARIABLES, hide_password, is_server
from sweep.tracking.mlflow_view import import_mlflow

REMEDY = (
    f"give its address in {VARIABLES['tracking_uri']} and its credentials in MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD, or in MLFLOW_TRACKING_TOKEN"
)


def ask_server(uri: str, question: str, timeout: float, content: bytes | None = None) -> Any:
    """The answer of MLflow's REST API, `timeout` in seconds. Raises OSError or ValueError where there is none.

    A question with `content`, as JSON, is posted. FileNotFoundError says that MLflow has no such thing.
    """
    import_mlflow()
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(
            get_default_host_creds(uri.rstrip("/")),
            f"/api/2.0/mlflow/{question}",
            "POST" if content else "GET",
            max_retries=0,
            timeout=timeout,
            raise_on_status=False,
            extra_headers={"Content-Type": "application/json"} if content else None,
            data=content,
        )
    except Exception as error:  # MLflow's own, those of its plug-ins, a credentials file that cannot be read
        raise ConnectionError(hide_password(" ".join(str(error).split()), uri)) from error
    if answer.status_code == 404:
        raise FileNotFoundError(question)
    if not answer.ok:
        raise PermissionError(f"{answer.status_code} {answer.reason}")
    return answer.json()


def whole_address(stored: str) -> str:
    """A stored address with what is hidden in it: from the environment, else without user and password."""
    if HIDDEN not in stored:
        return stored
    given = os.environ.get(VARIABLES["tracking_uri"], "")
    return given if hide_password(given) == stored else without_user(stored)


def without_user(uri: str) -> str:
    """A server's address as one may print and click it."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if is_server(uri) else uri
