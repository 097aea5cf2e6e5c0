"""The report of a benchmark as one HTML file that requests nothing."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

Grid = list[list[str]]
"""A table: its header, then its rows."""

_STYLE = """:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
.table, pre { overflow-x: auto; } table { border-collapse: collapse; }
td, th { border-bottom: 1px solid #8888; padding: .3rem .8rem; text-align: left; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid; }
th[aria-sort=ascending] button::after { content: " \\25b2"; }
th[aria-sort=descending] button::after { content: " \\25bc"; }
img { max-width: 100%; }"""
_SORT = """document.querySelectorAll("th button").forEach(button => button.onclick = () => {
  const head = button.parentNode, column = head.cellIndex, body = head.closest("table").tBodies[0];
  const down = head.getAttribute("aria-sort") === "ascending";
  head.parentNode.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = row => row.cells[column].textContent;
  const compare = (a, b) => {
    const difference = parseFloat(a) - parseFloat(b);
    return isNaN(difference) ? a.localeCompare(b) : difference;
  };
  [...body.rows].sort((a, b) => (down ? -1 : 1) * compare(value(a), value(b)))
    .forEach(row => body.append(row));
});"""


def page(
    title: str,
    about: str,
    tables: Mapping[str, Grid],
    notes: Sequence[str],
    figures: Sequence[Path],
    plan: str,
) -> str:
    """The report: notes, figures, tables that sort by a click on a header, and the plan.

    Args:
        figures: as PNG, each with one beside it whose name ends in `-dark.png`.
    """
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width'><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style></head><body><main>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(about)}</p>",
        "<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in notes) + "</ul>",
    ]
    for figure in figures:
        alt = figure.stem.replace("_", " ")
        dark = _embedded(figure.with_name(f"{figure.stem}-dark.png"))
        parts.append(
            f"<picture><source media='(prefers-color-scheme: dark)' srcset='{dark}'>"
            f"<img alt='{alt}' src='{_embedded(figure)}'></picture>"
        )
    for name, (head, *lines) in tables.items():
        header = "".join(f"<th scope='col'>{_button(cell)}</th>" for cell in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>"
            for line in lines
        )
        parts.append(
            f"<h2>{html.escape(name)}</h2><div class='table' tabindex='0'><table>"
            f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
        )
    parts.append(f"<h2>Plan</h2><pre tabindex='0'>{html.escape(plan)}</pre>")
    return "\n".join(parts) + f"</main><script>{_SORT}</script></body></html>\n"


def _embedded(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


def _button(cell: str) -> str:
    return f"<button type='button'>{html.escape(cell) or 'subject'}</button>"
