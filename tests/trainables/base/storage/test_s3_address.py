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
        ("s3://bucket/a%20b/c d/ä#1?x=2+3//e", "s3://bucket/a%20b/c d/ä#1?x=2+3//e"),
        ("s3://bucket/a..b/.c", "s3://bucket/a..b/.c"),
        ("folder", None),
        ("./s3:/folder", None),
        ("gs://bucket", None),
    ],
)
def test_what_is_in_s3(text: str, address: str | None) -> None:
    assert s3_address(text, "--output") == address


@pytest.mark.parametrize(
    "text",
    [
        "s3:",
        "s3:/",
        "s3://",
        "s3:///",
        "s3:///prefix",
        "s3:/bucket/x",
        "s3:bucket",
        "s3:// b",
        "s3://b c/d",
        "s3://b?/d",
    ],
)
def test_a_bucket_that_is_not_named(text: str) -> None:
    with pytest.raises(UserError, match=r"^--output '.*': names no bucket; write s3://bucket/prefix"):
        s3_address(text, "--output")


@pytest.mark.parametrize("prefix", ["..", "a/../b", "a/.", "./a", "a\nb", "a\x7fb", "a\udcffb", "a\0b"])
def test_a_prefix_that_clients_would_read_in_two_ways(prefix: str) -> None:
    with pytest.raises(UserError, match=r"^--output '.*S3 clients differ") as refused:
        s3_address(f"s3://bucket/{prefix}", "--output")
    assert str(refused.value).isprintable()
