"""What a sweep's folder holds: every file name, spelled once (docs/storage.md explains them)."""

PLAN = "plan.json"  # frozen at the first start
RESULT = "result.json"  # the answer, as --json prints it
NOMINATIONS = "nominations.json"  # each group's leader, named on valid before test is opened
LOOKS = "looks.json"  # who stayed in contention, look by look
LEDGER = "test_reads.jsonl"  # every read of test audio
HEARTBEAT = "heartbeat.json"  # the driver's sign of life
REQUESTS = "requests"  # to the running driver
STOP_REQUEST = f"{REQUESTS}/stop.json"
REPORT = "report"  # tables, figures and pages for people
RESULTS = "results"  # rows of all finalists together


def rows_path(split: str) -> str:
    """The finalists' rows of a split, for readers; each job's own lie with the job."""
    return f"{RESULTS}/rows-{split}.parquet"
