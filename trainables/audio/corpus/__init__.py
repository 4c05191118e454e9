"""Prepared corpora: Arrow shards, how they are written, read and copied."""
