"""The report of a sweep: tables, figures, pages and files."""
