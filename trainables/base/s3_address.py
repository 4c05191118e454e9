"""Whether a place that somebody typed is in S3, decided in one place for corpora, results and commands."""

import re

from trainables.base.errors import UserError

_IN_S3 = re.compile(r"s3://[^/\s]+(/.*)?", re.DOTALL)


def s3_address(text: str, problem: str) -> str | None:
    """`text` without slashes at its end where it is s3://bucket[/prefix], None where it names something else.

    Raises `UserError`, which begins with `problem`, where a bucket was meant and is not named: s3://, s3:/bucket.
    """
    if not text.startswith("s3:"):
        return None
    if not _IN_S3.fullmatch(text):
        raise UserError(
            f"{problem} {text!r}: names no bucket; write s3://bucket/prefix, or ./ before the name of a folder"
        )
    return text.rstrip("/")
