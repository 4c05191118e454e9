"""Findings in addition to the verdict, computed from rows and reports."""
