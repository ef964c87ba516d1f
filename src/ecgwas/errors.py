"""The one exception of ecgwas that a user is meant to read."""


class UserError(Exception):
    """Bad input or configuration. The message names the file, the value and the remedy."""
