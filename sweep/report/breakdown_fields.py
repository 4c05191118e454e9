"""What a leaderboard can be split by: apart from the work, so that `--help` loads no pandas."""

FIELDS = {"noise_type": "noise type", "snr": "SNR (dB)", "speaker": "speaker", "seed": "seed"}
