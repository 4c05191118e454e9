"""Where an upstream's published weights lie, if nothing else is given; torch-free, so that a plan can check it."""

from trainables.base.errors import UserError
from trainables.base.published.source import require_known_form
from trainables.ssl.upstream_table import UPSTREAM_TABLE


def resolve(upstream: str, given: str | None) -> str:
    """The source of an upstream's weights: the one given, with {upstream} filled in, else the published one.

    Raises:
        UserError: none is given and none is on the hub, or the source has no known form.
    """
    source = UPSTREAM_TABLE[upstream].published if given is None else given.replace("{upstream}", upstream)
    if source is None:
        raise UserError(
            f"{upstream} at base size: its weights are on no hub; fetch "
            f"{UPSTREAM_TABLE[upstream].elsewhere or 'them'} and give --set checkpoint=/path"
        )
    return require_known_form(source, "checkpoint")
