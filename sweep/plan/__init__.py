"""What a sweep will do, frozen before it starts, and its cost."""
