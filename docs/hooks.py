"""Bring files that stand outside `docs/` into the site: the model cards, CONTRIBUTING.md, CHANGELOG.md and SECURITY.md.

In the repository a page of `docs/` links to them by `../`, and they to `docs/`; in the site all are below one root.
"""

from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "saved_models/ferplus_faces/MODEL_CARD.md",
    "saved_models/ferplus_compact/MODEL_CARD.md",
    "saved_models/ferplus_compact/learning_curves.png",
)


def on_files(files, config):
    """Add the files to those of `docs/`."""
    for path in OUTSIDE:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown, page, **_):
    """Point links to where the files are in the site."""
    if page.file.src_uri in OUTSIDE:
        return markdown.replace("](docs/", "](")
    return markdown.replace("](../", "](")
