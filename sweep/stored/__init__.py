"""One sweep as it lies on disk or in a bucket, read again by every command."""
