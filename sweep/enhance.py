"""Let a sweep's winner work on a recording.

python sweep/enhance.py NAME in.wav out.wav
python sweep/enhance.py NAME in.wav out.wav --group tera
python sweep/enhance.py RUN_ID in.wav out.wav
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # This script's own folder is no place to import from; the repository is, also where it was never installed.
    sys.path[:] = [
        entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent
    ]
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from sweep.commands.enhance import main

    sys.exit(main(sys.argv[1:]))
