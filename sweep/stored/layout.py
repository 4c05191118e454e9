"""The files of a sweep's folder: every name, spelled once (docs/storage.md explains them)."""

from sweep.storage.checkpoints import JOBS as JOBS  # each job's checkpoints and rows

PLAN = "plan.json"  # frozen at the first start
STUDY = "study.db"  # Optuna's study, unless --study-uri names another
TRACKING = "mlflow.db"  # MLflow's database, unless --tracking-uri names another
RESULT = "result.json"  # the answer, as --json prints it
NOMINATIONS = "nominations.json"  # each group's leader, named on valid before test is opened
COSTS = "costs.json"  # of running each candidate, measured once
LOOKS = "looks.json"  # the candidates still in contention, look by look
SEED_NUMBERS = "seeds.json"  # under --resolve: each group's number of seeds, set after the first three
LEDGER = "test_reads.jsonl"  # every read of test audio
HEARTBEAT = "heartbeat.json"  # written by the driver every few seconds
REQUESTS = "requests"  # to the running driver
STOP_REQUEST = f"{REQUESTS}/stop.json"
REPORT = "report"  # tables, figures and pages to read
RESULTS = "results"  # rows of all finalists together
SPOOL = "spool"  # records that MLflow has not taken yet
ARTIFACTS = "mlflow-artifacts"  # MLflow's, unless it has a server


def rows_file(split: str) -> str:
    """A job's own rows of a split, in its folder in JOBS."""
    return f"rows-{split}.parquet"


def rows_path(split: str) -> str:
    """The rows of all finalists together."""
    return f"{RESULTS}/{rows_file(split)}"
