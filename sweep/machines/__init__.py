"""Ray, its machines, their capacity and their GPUs."""
