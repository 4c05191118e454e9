"""The core of feature normalization: moments, running statistics and the affine map."""
