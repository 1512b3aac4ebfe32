"""Markdown and HTML of the same report sections. The HTML is one page that fetches nothing and escapes every value."""

import base64
import html
import struct
from collections.abc import Mapping, Sequence
from itertools import groupby

from fer_keras.report.sections import Code, Listing, Picture, Section, Table, Text, Tile, Tiles

_STYLE = """
:root { --page:#fff; --ink:#1f2933; --muted:#5f6b7a; --line:#e3e7ec; --panel:#f6f8fa; --accent:#0072b2; --band:#9cc9e6;
  --notice:#fdf3e1; --notice-line:#e69f00; color-scheme:light dark }
@media (prefers-color-scheme:dark) { :root { --page:#14181d; --ink:#e4e8ed; --muted:#98a4b3; --line:#2b333d;
  --panel:#1b2128; --accent:#56b4e9; --band:#2c5d7c; --notice:#2d2512; --notice-line:#e69f00 }
  img { filter:brightness(.9) } }
* { box-sizing:border-box }
html { -webkit-text-size-adjust:100% }
body { margin:0; background:var(--page); color:var(--ink); font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
  "Helvetica Neue",Arial,sans-serif }
main { max-width:1080px; margin:0 auto; padding:40px 24px 72px }
h1 { font-size:1.75rem; line-height:1.25; margin:0 0 .4rem; overflow-wrap:anywhere }
h2 { font-size:1.2rem; margin:2.75rem 0 .9rem; padding-top:1.1rem; border-top:1px solid var(--line) }
p { margin:.5rem 0; max-width:46rem; overflow-wrap:anywhere }
nav { font-size:.875rem; color:var(--muted); margin:1.5rem 0 0 }
nav { display:flex; flex-wrap:wrap; gap:.3rem 1.1rem }
nav a { color:var(--accent); text-decoration:none }
nav a:hover { text-decoration:underline }
.notice { background:var(--notice); border-left:4px solid var(--notice-line); padding:.7rem 1rem; border-radius:4px }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(100%,185px),1fr)); gap:14px; margin:1.2rem 0 }
.tile { background:var(--panel); border:1px solid var(--line); border-radius:8px; padding:14px 16px; min-width:0 }
.side .scroll { margin:0 }
.tile h3 { margin:0; font-size:.85rem; font-weight:600; color:var(--muted) }
.tile strong { display:block; font-size:1.9rem; line-height:1.25; font-weight:600; font-variant-numeric:tabular-nums }
.tile dl { margin:0; font-size:.78rem; line-height:1.6; color:var(--muted); font-variant-numeric:tabular-nums }
.tile dl div { display:flex; flex-wrap:wrap; justify-content:space-between }
.tile dd { margin:0 }
.tile dt i { display:inline-block; width:2px; height:.75em; margin-right:.4em; background:var(--muted) }
.scale { position:relative; height:8px; margin:7px 0 9px; border-radius:4px; background:var(--line) }
.scale i { position:absolute; top:0; bottom:0 }
.scale .band { background:var(--band); border-radius:4px; min-width:2px }
.scale .value { width:3px; margin-left:-1.5px; background:var(--accent); top:-2px; bottom:-2px; border-radius:2px }
.scale .baseline { width:2px; margin-left:-1px; background:var(--muted); top:-2px; bottom:-2px }
.scroll { overflow-x:auto; margin:.9rem 0 }
table { border-collapse:collapse; font-size:.9rem; font-variant-numeric:tabular-nums; min-width:min(100%,34rem) }
caption { text-align:left; color:var(--muted); font-size:.85rem; padding-bottom:.4rem }
th,td { padding:.36rem .9rem; text-align:left; border-bottom:1px solid var(--line); vertical-align:baseline }
th:first-child { padding-left:0 }
th:last-child,td:last-child { padding-right:0 }
thead th { color:var(--muted); font-weight:600; font-size:.82rem; white-space:nowrap }
tbody th { font-weight:500; white-space:nowrap }
th.n,td.n { text-align:right; white-space:nowrap }
code { font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; overflow-wrap:anywhere }
.side { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr)); gap:20px; margin:1rem 0 }
figure { margin:0 }
figure.wide { margin:1rem 0 }
img { display:block; width:100%; height:auto; background:#fff; border:1px solid var(--line); border-radius:8px }
figure.wide img { width:auto; max-width:100% }
figcaption { font-size:.85rem; line-height:1.45; color:var(--muted); margin-top:.45rem }
td code { display:block; min-width:8rem }
summary { cursor:pointer; color:var(--accent) }
details ul { columns:18rem; font-size:.85rem; padding-left:1.2rem; overflow-wrap:anywhere }
@media (max-width:640px) { main { padding:24px 16px 48px } h1 { font-size:1.4rem } .tiles { gap:10px }
  table { font-size:.82rem } th,td { padding-left:.4rem; padding-right:.4rem }
  .tiles { grid-template-columns:1fr 1fr } .tile { padding:11px 12px } .tile strong { font-size:1.5rem }
  .wide .scroll { margin:0 -16px; padding:0 16px } figure.wide img { max-width:none; width:680px } }
@media (max-width:340px) { .tiles { grid-template-columns:1fr } }
@media print { nav { display:none } figure,.tile,tr { break-inside:avoid } }
"""

# The page shows only what it contains, so that even a value that escaped the escaping could not fetch or run anything.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render_html(sections: Sequence[Section], pictures: Mapping[str, bytes]) -> str:
    """Return one self-contained HTML page.

    Args:
        sections: the report; the first section's title is the page's.
        pictures: PNG bytes of every `Picture`, by name.
    """
    title = html.escape(sections[0].title)
    links = "".join(f'<a href="#s{i}">{html.escape(part.title)}</a>' for i, part in enumerate(sections) if i)
    parts = [f"<header><h1>{title}</h1>", *_blocks_html(sections[0], pictures), f"<nav>{links}</nav></header>"]
    for index, section in enumerate(sections[1:], 1):
        parts.append(f'<section><h2 id="s{index}">{html.escape(section.title)}</h2>')
        parts.extend(_blocks_html(section, pictures))
        parts.append("</section>")
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{_STYLE}</style>"
    )
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>\n{body}\n</main></body></html>\n'


def _blocks_html(section: Section, pictures: Mapping[str, bytes]) -> list[str]:
    """HTML of a section's blocks; narrow neighbours of one kind stand side by side if there is room."""
    parts = []
    for narrow, group in groupby(section.blocks, _narrow_kind):
        rendered = [_block_html(block, pictures) for block in group]
        aside = narrow == "picture" or (narrow == "table" and len(rendered) > 1)
        parts.extend(['<div class="side">', *rendered, "</div>"] if aside else rendered)
    return parts


def _narrow_kind(block) -> str:
    if isinstance(block, Table) and len(block.header) < 6:
        return "table"
    return "picture" if isinstance(block, Picture) and not block.wide else ""


def _block_html(block, pictures: Mapping[str, bytes]) -> str:
    match block:
        case Text():
            start = '<p class="notice">' if block.notice else "<p>"
            return f"{start}{html.escape(block.text).replace(' %', '&nbsp;%')}</p>"
        case Table():
            return _table_html(block)
        case Tiles():
            return '<div class="tiles">' + "".join(map(_tile_html, block.tiles)) + "</div>"
        case Picture():
            return _picture_html(block, pictures[block.name])
        case Listing():
            items = "".join(f"<li>{_cell_html(Code(item))}</li>" for item in block.items)
            more = f"<p>{_left_out(block)}</p>" if block.left_out else ""
            return f"<details><summary>{html.escape(block.title)}</summary><ul>{items}</ul>{more}</details>"
    raise TypeError(f"Unknown block in a report. Received: {type(block).__name__}.")


def _left_out(block: Listing) -> str:
    return f"and {block.left_out:,} more; metrics.json has them all"


def _cell_html(cell: str) -> str:
    return f"<code>{html.escape(cell)}</code>" if isinstance(cell, Code) else html.escape(cell)


def _table_html(table: Table) -> str:
    caption = f"<caption>{html.escape(table.caption)}</caption>" if table.caption else ""
    kinds = [' class="n"' if table.is_numeric(column) else "" for column in range(len(table.header))]
    cells = zip(kinds, table.header, strict=True)
    header = "".join(f'<th scope="col"{kind}>{html.escape(cell)}</th>' for kind, cell in cells)
    rows = []
    for first, *others in table.rows:
        cells = "".join(f"<td{kind}>{_cell_html(cell)}</td>" for kind, cell in zip(kinds[1:], others, strict=True))
        rows.append(f'<tr><th scope="row">{_cell_html(first)}</th>{cells}</tr>\n')
    head, body = f"<thead><tr>{header}</tr></thead>", "".join(rows)
    return f'<div class="scroll"><table>{caption}{head}\n<tbody>{body}</tbody></table></div>'


def _tile_html(tile: Tile) -> str:
    places = tile.places
    marks = ""
    if places.get("low") is not None and places.get("high") is not None:
        low, high = 100 * places["low"], 100 * places["high"]
        marks += f'<i class="band" style="left:{low:.2f}%;width:{high - low:.2f}%"></i>'
    for name in ("baseline", "value"):
        if places.get(name) is not None:
            marks += f'<i class="{name}" style="left:{100 * places[name]:.2f}%"></i>'
    scale = f'<div class="scale" aria-hidden="true">{marks}</div>'
    lines = {"<i></i>Baseline": tile.baseline, "95 %": tile.interval, "n": tile.count}
    facts = "".join(
        f"<div><dt>{name}</dt><dd>{html.escape(value)}</dd></div>" for name, value in lines.items() if value
    )
    title, value = html.escape(tile.title), html.escape(tile.value)
    return f'<div class="tile"><h3>{title}</h3><strong>{value}</strong>{scale}<dl>{facts}</dl></div>'


def _picture_html(picture: Picture, png: bytes) -> str:
    width, height = struct.unpack(">II", png[16:24])  # the size in a PNG's header chunk
    source = base64.b64encode(png).decode("ascii")
    alt = html.escape(picture.alt)
    size = f'width="{round(width / 1.6)}" height="{round(height / 1.6)}"'
    image = f'<img src="data:image/png;base64,{source}" alt="{alt}" {size}>'
    caption = f"<figcaption>{html.escape(picture.caption)}</figcaption>"
    if picture.wide:
        return f'<figure class="wide"><div class="scroll">{image}</div>{caption}</figure>'
    return f"<figure>{image}{caption}</figure>"


def render_markdown(sections: Sequence[Section]) -> str:
    """Return the report as Markdown with links to plots/*.png; the arguments are those of `render_html`."""
    lines: list[str] = []
    for index, section in enumerate(sections):
        lines += [f"{'##' if index else '#'} {_escaped(section.title)}", ""]
        for block in section.blocks:
            lines += [*_block_markdown(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _block_markdown(block) -> list[str]:
    match block:
        case Text():
            return [f"> **Note:** {_escaped(block.text)}" if block.notice else _escaped(block.text)]
        case Table():
            caption = [_escaped(block.caption), ""] if block.caption else []
            return caption + markdown_table(block)
        case Tiles():
            rows = tuple((tile.title, tile.value, tile.baseline, tile.interval, tile.count) for tile in block.tiles)
            return markdown_table(Table(("Score", "Value", "Baseline", "95 % interval", "n"), rows))
        case Picture():
            return [f"![{_escaped(block.alt)}](plots/{block.name}.png)", "", f"*{_escaped(block.caption)}*"]
        case Listing():
            more = [f"- {_left_out(block)}"] if block.left_out else []
            return [
                f"{_escaped(block.title)}:",
                "",
                *(f"- {_cell_markdown(Code(item))}" for item in block.items),
                *more,
            ]
    raise TypeError(f"Unknown block in a report. Received: {type(block).__name__}.")


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no column separator."""
    for character in "\\`*[]|":
        text = text.replace(character, "\\" + character)
    return " ".join(html.escape(text, quote=False).split())


def _cell_markdown(cell: str) -> str:
    if not isinstance(cell, Code):
        return _escaped(cell)
    text = " ".join(cell.split()).replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`" if text else ""


def markdown_table(table: Table) -> list[str]:
    """Return the lines of a Markdown table, its columns padded so that it also reads well in a terminal."""
    header = [_escaped(cell) for cell in table.header]
    rows = [[_cell_markdown(cell) for cell in row] for row in table.rows]
    widths = [max(3, *(len(row[column]) for row in [header, *rows])) for column in range(len(header))]
    right = [table.is_numeric(column) for column in range(len(header))]
    rule = ["-" * (width - 1) + ":" if on_right else "-" * width for width, on_right in zip(widths, right, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(w) if on_right else cell.ljust(w) for cell, w, on_right in zip(cells, widths, right, strict=True)
        )
        return "| " + " | ".join(padded) + " |"

    return [line(header), line(rule), *map(line, rows)]
