"""Styles and scripts that the report's pages carry in themselves, so that they open anywhere, also offline."""

from importlib import resources


def page_file(name: str) -> str:
    """The text of a file of this folder."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
