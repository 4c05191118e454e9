"""Every benchmark against a peer, in one command: `make bench`, or

    python -m benchmarks                 all parts, half an hour on two cores
    python -m benchmarks --only a,c      some of them, by letter or name
    python -m benchmarks --list          which there are
    python -m benchmarks --gpu           what only a GPU can show, 8 minutes on one card: `make test-gpu`

Each part runs in a process of its own. Its result is kept in .bench/results (.bench/gpu) as JSON when it is done, so
a second start measures only what is missing, has failed, or was measured with other sources (--again: everything). A
table of all results is printed at the end, and kept there too, as results.md and results.json. Where there is no
CUDA, --gpu names what it skips and measures nothing.

exit status: 0 all parts are done, or skipped for want of a GPU; 1 one failed, was too slow or lacks a peer;
2 no such part, or a folder that cannot be made.
"""

import argparse
import json
import shutil
import sys
import time
import traceback
from pathlib import Path

from benchmarks.catalogue import BENCH, GPU
from benchmarks.harness import machine, processes
from benchmarks.harness.findings import Curve, Outcome, markdown
from benchmarks.harness.part import Part, matching, run_part
from benchmarks.harness.peers import REPOSITORY
from benchmarks.harness.picture import draw
from sweep.core.hardware import cuda_devices

DOCS = REPOSITORY / "docs" / "benchmarks.md"


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    processes.end_on_sigterm()
    parts = GPU if options.gpu else BENCH
    try:
        chosen = list(matching(parts, options.only))
    except ValueError as error:
        print(f"--only: {error}", file=sys.stderr)
        return 2
    device = options.device or ("cuda" if options.gpu else "cpu")
    if device == "cuda" and not options.gpu:
        chosen = [part for part in chosen if part.on_cuda]
    if options.list:
        _list(chosen)
        return 0
    if device == "cuda" and not cuda_devices():
        for part in chosen:
            print(f"skipped: {part.key} ({part.title}): there is no CUDA device here", file=sys.stderr)
        return 0
    base = options.folder.resolve()
    results = base / ("gpu" if options.gpu else "results")
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"--folder {options.folder}: cannot be made ({error.strerror}); choose another", file=sys.stderr)
        return 2
    outcomes = [
        _outcome(part, f"{n}/{len(chosen)}", base, results, device, options) for n, part in enumerate(chosen, 1)
    ]
    _publish(outcomes, results, options)
    return int(any(outcome.status != "done" for outcome in outcomes))


def _list(parts: list[Part]) -> None:
    for part in parts:
        print(f"{part.key:<26}{part.budget:>6g} s  {part.title}")
    print(f"{'':<26}{sum(part.budget for part in parts):>6g} s")


def _outcome(part: Part, place: str, base: Path, results: Path, device: str, options: argparse.Namespace) -> Outcome:
    """Kept from an earlier start, or measured now."""
    file = results / f"{part.key}.json"
    kept = None if options.again else _kept(file, options.small, device)
    if kept is not None:
        print(f"[{place}] {part.key}: kept", file=sys.stderr, flush=True)
        return kept
    print(f"[{place}] {part.key}: {part.title}, {part.budget:g} s", file=sys.stderr, flush=True)
    try:
        found = run_part(part, base, results, options.small, device)
    except Exception:  # what goes wrong outside the part's own process loses no other part, either
        found = Outcome(part=part.key, title=part.title, status="failed", seconds=0.0, error=traceback.format_exc())
    file.write_text(json.dumps(found.to_json(), indent=1), encoding="utf-8")
    print(f"  {found.status} after {found.seconds:.0f} s", file=sys.stderr, flush=True)
    return found


def _kept(file: Path, small: bool, device: str) -> Outcome | None:
    """The result of an earlier start, where it still holds."""
    try:
        found = Outcome.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    asked = ("done", small, device, machine.code_fingerprint())
    return found if (found.status, found.small, found.device, found.code) == asked else None


def _publish(outcomes: list[Outcome], results: Path, options: argparse.Namespace) -> None:
    """As a table on the terminal and in files; with --docs, in the documentation as well."""
    name = "gpu" if options.gpu else "bench"
    table, picture = markdown(outcomes), f"{name}_curves.png"
    curves = [each for outcome in outcomes for each in outcome.findings if isinstance(each, Curve)]
    if curves:
        draw(curves, results / picture)
        table += f"\n![Each curve above in a panel of its own](images/{picture})\n"
    text = f"{table}\nMeasured on {machine.one_line([each.machine for each in outcomes if each.machine])}.\n"
    (results / "results.md").write_text(text, encoding="utf-8")
    plain = {"time": time.strftime("%Y-%m-%d %H:%M"), "parts": [each.to_json() for each in outcomes]}
    (results / "results.json").write_text(json.dumps(plain, indent=1), encoding="utf-8")
    print(text)
    for each in outcomes:
        if each.status != "done":
            print(f"{each.part}: {each.status}", *each.missing, sep="\n  ", file=sys.stderr)
    print(f"kept in {results}", file=sys.stderr)
    if options.docs:
        DOCS.write_text(with_results(DOCS.read_text(encoding="utf-8"), name, text), encoding="utf-8")
        if curves:
            shutil.copy(results / picture, DOCS.parent / "images" / picture)


def with_results(page: str, name: str, text: str) -> str:
    """The page with `text` between the marks of that name. Raises ValueError where it has none."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no {begin} ... {end}")
    return f"{before}{begin}\n\n{text}\n{end}{after}"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=formatter)
    parser.add_argument("--only", default="", metavar="A,B", help="parts, by letter or name")
    parser.add_argument("--list", action="store_true", help="the parts and their budgets")
    parser.add_argument("--again", action="store_true", help="measure everything anew")
    parser.add_argument("--small", action="store_true", help="as little as runs every line; the figures mean nothing")
    parser.add_argument("--gpu", action="store_true", help="what only a GPU can show; skipped by name without one")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/benchmarks.md")
    text = "cuda: the parts that can; with --gpu, cpu is a rehearsal"
    parser.add_argument("--device", choices=("cpu", "cuda"), help=text)
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".bench", help="environments and results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
