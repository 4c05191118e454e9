"""A real S3 server on the loopback, and storage of both kinds."""

from tests.support.servers.s3 import s3_bucket, s3_server, storage

__all__ = ["s3_bucket", "s3_server", "storage"]
