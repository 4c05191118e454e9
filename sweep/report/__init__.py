"""What a finished sweep shows: tables, figures, pages and files."""
