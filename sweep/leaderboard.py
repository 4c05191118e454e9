"""Print the leaderboard of a finished sweep again.

python sweep/leaderboard.py NAME
python sweep/leaderboard.py NAME --format markdown --metric wb_pesq
python sweep/leaderboard.py NAME --by noise_type
python sweep/leaderboard.py --published --metric stoi
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # This script's own folder is no place to import from; the repository is, also where it was never installed.
    sys.path[:] = [
        entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent
    ]
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from sweep.commands.leaderboard import main

    sys.exit(main(sys.argv[1:]))
