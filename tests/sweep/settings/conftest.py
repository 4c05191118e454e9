"""A real S3 server on the loopback."""

from tests.support.servers.s3 import s3_bucket, s3_server

__all__ = ["s3_bucket", "s3_server"]
