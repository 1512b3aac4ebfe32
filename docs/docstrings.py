"""Show the `Example:` of a docstring as code: the site's reader of docstrings knows `Examples:` and doctests only."""

import re

import griffe

_EXAMPLE = re.compile(r"^Example:\n((?:    .*\n?|\n)+)", re.MULTILINE)


class ExampleSections(griffe.Extension):
    """Rename the section, and fence the code of one that is no doctest."""

    def on_object(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(_section, obj.docstring.value)


def _section(match: re.Match) -> str:
    body = match[1].rstrip()
    if ">>>" not in body:
        body = f"    ```python\n{body}\n    ```"
    return f"Examples:\n{body}\n"
