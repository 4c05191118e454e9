"""Print the leaderboard of a finished sweep again.

python sweep/leaderboard.py NAME
python sweep/leaderboard.py NAME --format markdown --metric wb_pesq
python sweep/leaderboard.py NAME --by noise_type
python sweep/leaderboard.py --published --metric stoi
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, also if it is not installed
    from sweep.commands.main import run_script

    sys.exit(run_script(__file__))
