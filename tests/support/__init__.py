"""What tests share: the repository's place, and helpers by subject."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
