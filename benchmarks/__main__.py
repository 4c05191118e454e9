"""Every benchmark against a peer, in one command: `make bench`, or

    python -m benchmarks                 all parts, 40 minutes on two cores
    python -m benchmarks --only a,c      some of them, by letter or name
    python -m benchmarks --list          which there are

Each part runs in a process of its own. Its result is kept in .bench/results as JSON when it is done, so a second start
measures only what is missing, has failed, or was measured with other sources (--again: everything). A table of all
results is printed at the end, and kept there too, as results.md and results.json.

exit status: 0 all parts are done; 1 one failed, was too slow or lacks a peer; 2 no such part.
"""

import argparse
import json
import sys
import time
import traceback
from pathlib import Path

from benchmarks.harness import machine, processes
from benchmarks.harness.findings import Outcome, markdown
from benchmarks.harness.part import Part, matching, run_part
from benchmarks.harness.peers import REPOSITORY

PARTS = (
    Part("a", "demo_question", "the demo's question, next to a stock script", 900),
    Part("b", "base_step", "a training step at base size, next to the whole published model", 150, on_cuda=True),
    Part("c", "extension", "one candidate more, next to computing everything", 240),
    Part("d", "interruption", "killed at half time, next to a stock script's restore", 420),
    Part("e", "data", "training batches, next to wav files through a DataLoader", 60),
    Part("f", "scoring", "scores, next to torchmetrics, on one core", 60, "bench", ("torchmetrics",)),
    Part("g", "separators", "separators, next to asteroid's", 150, "bench-asteroid", ("asteroid",), on_cuda=True),
    Part("g", "soft_dtw", "soft-DTW, next to pysdtw and tslearn", 60, "bench", ("pysdtw", "tslearn")),
)

DOCS = REPOSITORY / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    processes.end_on_sigterm()
    try:
        chosen = list(matching(PARTS, options.only))
    except ValueError as error:
        print(f"--only: {error}", file=sys.stderr)
        return 2
    if options.device == "cuda":
        chosen = [part for part in chosen if part.on_cuda]
    if options.list:
        for part in chosen:
            print(f"{part.key:<22}{part.budget:>5g} s  {part.title}")
        print(f"{'':<22}{sum(part.budget for part in chosen):>5g} s")
        return 0
    base = options.folder.resolve()
    results = base / "results"
    results.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for number, part in enumerate(chosen, start=1):
        place = results / f"{part.key}.json"
        kept = None if options.again else _kept(place, options.small, options.device)
        if kept is None:
            print(f"[{number}/{len(chosen)}] {part.key}: {part.title}, {part.budget:g} s", file=sys.stderr, flush=True)
            kept = _run(part, base, options)
            place.write_text(json.dumps(kept.to_json(), indent=1), encoding="utf-8")
            print(f"  {kept.status} after {kept.seconds:.0f} s", file=sys.stderr, flush=True)
        else:
            print(f"[{number}/{len(chosen)}] {part.key}: kept", file=sys.stderr, flush=True)
        outcomes.append(kept)
    _publish(outcomes, results, options.docs)
    return int(any(outcome.status != "done" for outcome in outcomes))


def _run(part: Part, base: Path, options: argparse.Namespace) -> Outcome:
    """What goes wrong outside the part's own process loses no other part, either."""
    try:
        return run_part(part, base, options.small, options.device)
    except Exception:
        return Outcome(part=part.key, title=part.title, status="failed", seconds=0.0, error=traceback.format_exc())


def _kept(place: Path, small: bool, device: str) -> Outcome | None:
    """The result of an earlier start, where it still holds."""
    try:
        found = Outcome.from_json(json.loads(place.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    asked = ("done", small, device, machine.code_fingerprint())
    return found if (found.status, found.small, found.device, found.code) == asked else None


def _publish(outcomes: list[Outcome], results: Path, docs: bool) -> None:
    table = markdown(outcomes)
    text = f"{table}\nMeasured on {machine.one_line([each.machine for each in outcomes if each.machine])}.\n"
    (results / "results.md").write_text(text, encoding="utf-8")
    plain = {"time": time.strftime("%Y-%m-%d %H:%M"), "parts": [each.to_json() for each in outcomes]}
    (results / "results.json").write_text(json.dumps(plain, indent=1), encoding="utf-8")
    print(text)
    if docs:
        _into_docs(text)
    for each in outcomes:
        if each.status != "done":
            print(f"{each.part}: {each.status}", *each.missing, sep="\n  ", file=sys.stderr)
    print(f"kept in {results}", file=sys.stderr)


def _into_docs(text: str, page: Path = DOCS) -> None:
    """The results of the page, between its two marks; its pictures are copied next to the others."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no {BEGIN} ... {END}")
    page.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=formatter)
    parser.add_argument("--only", default="", metavar="A,B", help="parts, by letter or name")
    parser.add_argument("--list", action="store_true", help="the parts and their budgets")
    parser.add_argument("--again", action="store_true", help="measure everything anew")
    parser.add_argument("--small", action="store_true", help="as little as runs every line; the figures mean nothing")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: the parts that can")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".bench", help="environments and results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
