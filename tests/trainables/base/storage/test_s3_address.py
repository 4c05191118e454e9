"""s3://bucket[/prefix] is in S3, s3: with anything else is a slip, and the rest is not an S3 address."""

import pytest

from trainables.base.errors import UserError
from trainables.base.storage.storage import s3_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/some/prefix//", "s3://bucket/some/prefix"),
        ("folder", None),
        ("./s3:/folder", None),
        ("gs://bucket", None),
    ],
)
def test_what_is_in_s3(text: str, address: str | None) -> None:
    assert s3_address(text, "--output") == address


@pytest.mark.parametrize(
    "text", ["s3:", "s3:/", "s3://", "s3:///", "s3:///prefix", "s3:/bucket/x", "s3:bucket", "s3:// b"]
)
def test_a_bucket_that_is_not_named(text: str) -> None:
    with pytest.raises(UserError, match=r"^--output '.*': names no bucket; write s3://bucket/prefix"):
        s3_address(text, "--output")
