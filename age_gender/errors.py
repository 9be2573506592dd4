"""The error that commands print as one line."""


class UserError(Exception):
    """A mistake of the user: the message is one line that names the thing and what to do."""
