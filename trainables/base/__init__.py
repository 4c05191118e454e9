"""What all of training rests on: errors, randomness, determinism, caches, addresses."""
