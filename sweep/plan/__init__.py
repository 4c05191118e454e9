"""What a sweep will do, frozen before it starts, and what that costs."""
