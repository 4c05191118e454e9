"""A finished sweep's models from Python, ready for any recording.

    from sweep.winners import load_winner

    enhance = load_winner("NAME", group="tera")
    enhanced = enhance(noisy, sample_rate)

The winner is the leader named on valid, and of its seeds the one with the best mean score on valid: nothing here
looks at test.
"""

from sweep.commands.winning_model import best_seed, find_winner, load_winner

__all__ = ["best_seed", "find_winner", "load_winner"]
