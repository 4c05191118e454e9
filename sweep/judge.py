"""Judge anyone's scores: which system is best, and is that more than chance?

python sweep/judge.py scores.csv
python sweep/judge.py conv_tasnet.csv dprnn.csv --metric si_sdr
python sweep/judge.py --mlflow http://server:5000 --experiment enhancement --metric pesq
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, also if it is not installed
    from sweep.commands.main import run_script

    sys.exit(run_script(__file__))
