"""Enhance or separate a recording with a sweep's winner.

python sweep/enhance.py NAME in.wav out.wav
python sweep/enhance.py NAME in.wav out.wav --group tera
python sweep/enhance.py RUN_ID in.wav out.wav
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repository, also if it is not installed
    from sweep.commands.main import run_script

    sys.exit(run_script(__file__))
