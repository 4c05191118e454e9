"""The listening pages: clips, spectrograms, players."""
