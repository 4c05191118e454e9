"""Parts of a benchmark that go well, fail, hang, or miss a peer, for tests of how they are run."""

import subprocess
import sys
import time

from benchmarks.harness.findings import Comparison, Fact, Finding
from benchmarks.harness.part import Context


def measure(context: Context) -> list[Finding]:
    if context.part == "failing":
        raise ValueError("this part cannot be measured")
    if context.part == "hanging":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        (context.kept / "started").touch()
        time.sleep(600)
    (context.folder / "scratch").touch()
    theirs = () if context.missing else (2.0, 4.0)
    return [
        Comparison(what="a thing", unit="s", peer="another", ours=(1.0, 1.0), theirs=theirs),
        Fact(what="small", peer="", ours=str(context.small)),
    ]
