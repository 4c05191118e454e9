"""Where a sweep's files lie: folder or bucket, checkpoints, stage artifacts."""
