"""The process of one part: `python -m benchmarks.harness.child MODULE NAME FOLDER KEPT`; writes FOLDER/answer.json."""

import argparse
import json
from pathlib import Path

from benchmarks.harness.part import Context, answer_of, measure_of
from benchmarks.harness.peers import missing
from benchmarks.harness.processes import end_on_sigterm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("kept", type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--modules", default="")
    options = parser.parse_args()
    end_on_sigterm()
    absent = tuple(missing([name for name in options.modules.split(",") if name]))
    context = Context(options.folder, options.kept, options.small, options.device, absent, options.name)
    answer = json.dumps(answer_of(measure_of(options.module), context), indent=1)
    (options.folder / "answer.json").write_text(answer, encoding="utf-8")


if __name__ == "__main__":
    main()
