"""Say how a sweep is doing: alive or dead, how far, who is ahead, and what to type next.

python sweep/status.py NAME
python sweep/status.py NAME --output s3://bucket/prefix --json
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # This script's own folder is no place to import from; the repository is, also where it was never installed.
    sys.path[:] = [
        entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent
    ]
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from sweep.commands.status import main

    sys.exit(main(sys.argv[1:]))
