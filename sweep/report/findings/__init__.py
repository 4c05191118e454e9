"""What a sweep shows besides its verdict, computed from rows and reports."""
