"""What a sweep shows in addition to its verdict, computed from rows and reports."""
