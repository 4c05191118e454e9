"""A real S3 server for the commands that read buckets."""

from tests.support.servers.s3 import s3_bucket, s3_server

__all__ = ["s3_bucket", "s3_server"]
