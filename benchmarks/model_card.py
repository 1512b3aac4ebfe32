"""Make the tables of a model's card from what `evaluate` measured, so that no figure in it is typed.

  python -m fer_keras.evaluate --model MODEL --data-spec S --split P --conditions --output-dir card
  python -m fer_keras.evaluate --model MODEL --data-spec S --split P --tta flip --output-dir card-flip
  python benchmarks/model_card.py MODEL --split S/P --write

Prints the tables, or puts each between `<!-- table: NAME -->` and `<!-- end -->` in MODEL/MODEL_CARD.md.
"""

import argparse
import re
import sys
from pathlib import Path

from fer_keras.evaluation.condition_scores import conditions_table
from fer_keras.report.rendering import markdown_table
from fer_keras.report.sections import Table
from fer_keras.runs.bundle import load_bundle

_BLOCK = r"(<!-- table: {name} -->\n).*?(<!-- end -->)"


def main() -> int:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--split", required=True, help="key of the scores, such as ferplus_public_test/test")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    bundle = load_bundle(options.model)
    scores = bundle.scores[options.split]
    tables = {
        "scores": scores_table(bundle.scores, options.split),
        "classes": classes_table(scores.measured),
        "exports": exports_table(bundle.exports),
    }
    if scores.conditions:
        tables["conditions"] = conditions_table(list(scores.conditions))
    for name, lines in tables.items():
        print(f"\n{name}\n\n" + "\n".join(lines))
    if options.write:
        card = options.model / "MODEL_CARD.md"
        card.write_text(filled(card.read_text(), tables))
    return 0


def filled(card: str, tables: dict[str, list[str]]) -> str:
    """Return a card with its blocks replaced; a block without a table of its name ends the program."""
    for name in re.findall(r"<!-- table: (\w+) -->", card):
        if name not in tables:
            sys.exit(f"The card has a table {name!r}, and there is none. There are: {', '.join(tables)}.")
        block = "\n" + "\n".join(tables[name]) + "\n\n"
        card = re.sub(
            _BLOCK.format(name=name), lambda found, block=block: found[1] + block + found[2], card, flags=re.S
        )
    return card


def scores_table(scores: dict, split: str) -> list[str]:
    """Return accuracy, macro F1 and recall of the rare classes by protocol and by number of views."""
    views = [("one view", scores[split]), ("face and mirror image, as predict reads", scores.get(f"{split} (flip)"))]
    views = [(name, entry.measured) for name, entry in views if entry]
    faces = [(f"FER+ paper's faces, n = {views[0][1]['paper']['n']:,}", lambda entry: entry["paper"]["emotion"])]
    faces += [(f"every face with a single winner, n = {views[0][1]['n']:,}", lambda entry: entry["emotion"])]
    rows = []
    for title, part in faces:
        for metric, name in (
            ("accuracy", "accuracy"),
            ("macro F1", "f1_macro"),
            ("balanced accuracy", "balanced_accuracy"),
        ):
            rows.append((f"{metric}, {title}", *(_interval(part(entry)[name]) for _, entry in views)))
    return markdown_table(Table(("PublicTest", *(name for name, _ in views)), tuple(rows)))


def _interval(value: dict) -> str:
    found = f"{value['value']:.3f}"
    return f"{found} ({value['low']:.3f} to {value['high']:.3f})" if "low" in value else found


def classes_table(scores: dict) -> list[str]:
    """Return precision, recall and F1 of each class, one view."""
    rows = [
        (name, f"{entry['support']:,}", *(f"{entry[part]:.3f}" for part in ("precision", "recall", "f1")))
        for name, entry in scores["emotion"]["per_class"].items()
    ]
    return markdown_table(Table(("class", "faces", "precision", "recall", "F1"), tuple(rows)))


def exports_table(exports: dict) -> list[str]:
    """Return size, largest difference and changed answers of each export."""
    rows = []
    for entry in exports.values():
        parity = entry.parity
        worst = max(parity[name]["largest"] for name in ("emotion", "valence", "arousal") if name in parity)
        rows.append(
            (
                entry.file,
                f"{entry.bytes / 1e6:.1f}",
                f"{worst:.1e}",
                str(parity["top_class_changed"]),
                f"{parity['faces']:,}",
            )
        )
    return markdown_table(Table(("file", "MB", "largest difference", "top classes changed", "of faces"), tuple(rows)))


if __name__ == "__main__":
    sys.exit(main())
