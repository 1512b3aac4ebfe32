"""What an error adds about a name that does not exist."""

import difflib


def nearest(name: str, known) -> str:
    """Return " Did you mean 'x'?" for the known name nearest to `name`, or an empty string."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {match[0]!r}?" if match else ""
