"""What a frozen speech recogniser makes of an estimate: word and character error rates."""
