"""One job as a worker sees it: its assignment, its checkpoints, the stages it reads, its lease."""
