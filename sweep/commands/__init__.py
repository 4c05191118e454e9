"""The commands that users type: arguments, and what each prints."""
