"""The documentation as data: fenced blocks with their marks, commands, links and headings of a Markdown page."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
CARDS = sorted((ROOT / "saved_models").glob("*/*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *CARDS]
LINKED = [*PAGES, ROOT / "CHANGELOG.md"]

_FENCE = re.compile(r"^```(.*)$")
_MARK = re.compile(r"^<!-- (?P<kind>\w+)(?:: (?P<name>[\w-]+))? -->$")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass
class Block:
    """A fenced block.

    Attributes:
        language: of the fence.
        text: what is in it.
        line: of its fence in the page, from 1.
        marks: kind -> name of the HTML comment before it: `<!-- run: NAME -->` is run by a slow test with the others of that
            name, `<!-- prints: NAME -->` is what those print, `<!-- spec -->` is a whole data spec.
    """

    language: str
    text: str
    line: int
    marks: dict[str, str] = field(default_factory=dict)

    def commands(self) -> list[list[str]]:
        """Return the words of each command of a shell block; comments are left out."""
        joined = self.text.replace("\\\n", " ")
        words = [shlex.split(line, comments=True) for line in joined.splitlines()]
        return [line for line in words if line]


def read_page(path: Path) -> tuple[list[Block], str]:
    """Return the blocks of a page and its text without them; fences must be closed."""
    blocks, prose, marks, block = [], [], {}, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence, mark = _FENCE.match(line), _MARK.match(line)
        if block is not None and line == "```":
            blocks.append(block)
            block = None
        elif block is not None:
            block.text += line + "\n"
        elif fence:
            block, marks = Block(fence[1], "", number, marks), {}
        elif mark:
            marks[mark["kind"]] = mark["name"] or ""
        else:
            prose.append(line)
            marks = marks if not line.strip() else {}
    assert block is None, f"{path}: the block at line {block.line} is not closed"
    return blocks, "\n".join(prose)


def links(prose: str) -> list[str]:
    """Return the targets of the links and pictures that are in the repository."""
    return [target for target in _LINK.findall(prose) if not target.startswith(("http:", "https:"))]


def code_spans(prose: str) -> list[str]:
    """Return what stands in backquotes."""
    return _SPAN.findall(prose)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them; they differ where words are apart."""
    found = set()
    for line in read_page(path)[1].splitlines():
        if line.startswith("#"):
            text = re.sub(r"[^\w\s-]", "", line.lstrip("#").replace("`", "")).strip().lower()
            found |= {re.sub(r"\s", "-", text)} & {re.sub(r"[\s-]+", "-", text)}
    return found
