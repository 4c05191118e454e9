"""Before all seeds are trained: whether more of them can decide anything, and how many a difference needs."""
