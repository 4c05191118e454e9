"""The pages to listen to: clips, spectrograms, players."""
