"""What an export prints: one line per format, the reasons, and which quantised format to use."""

from pathlib import Path

from fer_keras.exporters.export_run import KEPT, REFUSED, ExportResult
from fer_keras.formats import FORMATS, install_hint, missing_packages

_COLUMNS = (
    "format",
    "MB",
    "seconds",
    "ms per face",
    "largest difference",
    "top class kept",
    "accuracy drop",
    "verdict",
)
_WIDTHS = (15, 8, 8, 11, 19, 15, 14, 8)


def not_installed_lines(formats: str) -> list[str]:
    """Return a line for each format that "all" leaves out because a package is missing; none for formats by name."""
    names = [name for name in FORMATS if not FORMATS[name].named_only] if formats.strip() == "all" else ()
    return [f"not written: {name} {install_hint(name)}" for name in names if missing_packages(name)]


def header() -> str:
    """Return the heading of the table."""
    return _row(_COLUMNS)


def result_line(result: ExportResult) -> str:
    """Return one format's line, with a dash for a figure that does not exist."""
    entry = result.entry
    if not entry:
        return _row([result.format, *["-"] * 6, result.verdict])
    parity = entry.parity
    agreement = parity.get("top_class_agreement")
    drop = parity.get("scores", {}).get("accuracy", {}).get("drop")
    return _row(
        [
            result.format,
            f"{entry.bytes / 1e6:.2f}",
            f"{entry.seconds:.1f}",
            f"{parity['ms_per_face']:.2f}",
            f"{largest_difference(parity):.1e}",
            "-" if agreement is None else f"{100 * agreement:.1f} %",
            "-" if drop is None else f"{100 * drop:+.2f} points",
            result.verdict,
        ]
    )


def closing_lines(results: list[ExportResult]) -> list[str]:
    """Return why formats were refused or failed, and which quantised format to use."""
    lines = [f"{result.format} {result.verdict}: {'; '.join(result.reasons)}" for result in results if result.reasons]
    if any(result.verdict == REFUSED for result in results):
        lines.append("refused formats left no file; --force keeps them, --max-drop allows more loss to quantised ones")
    quantised = [result for result in results if FORMATS[result.format].quantised]
    passed = [result for result in quantised if result.verdict == KEPT]
    if passed:
        lines.append(f"use, of the quantised formats that kept their scores: {_advice(passed)}")
    elif quantised:
        lines.append("use no quantised format of these: none kept its scores")
    return lines


def page_lines(results: list[ExportResult], directory: Path) -> list[str]:
    """Return, for each page that was written, how to look at it."""
    pages = [result.entry.file for result in results if result.written and FORMATS[result.format].named_only]
    return [f"look at the page: python -m http.server --directory {directory / name} 8000" for name in pages]


def _advice(passed: list[ExportResult]) -> str:
    """Name the smallest and the fastest of some results."""
    smallest = min(passed, key=lambda result: result.entry.bytes)
    fastest = min(passed, key=lambda result: result.entry.parity["ms_per_face"])
    speed = f"{fastest.entry.parity['ms_per_face']:.2g} ms per face on this machine"
    size = f"{smallest.entry.bytes / 1e6:.2f} MB"
    if smallest is fastest:
        return f"{smallest.format}, the smallest ({size}) and fastest ({speed})"
    return f"{smallest.format}, the smallest ({size}), or {fastest.format}, the fastest ({speed})"


def largest_difference(parity: dict) -> float:
    """Return the largest difference over all outputs."""
    return max(entry["largest"] for entry in parity.values() if isinstance(entry, dict) and "largest" in entry)


def _row(cells) -> str:
    first, *others = (str(cell) for cell in cells)
    return first.ljust(_WIDTHS[0]) + " ".join(
        cell.rjust(width) for cell, width in zip(others, _WIDTHS[1:], strict=True)
    )
