"""HTML page of `spike report`; web/report/ holds its layout, style and script.

Everything from runs is in one JSON object that the script shows as text. A policy in the page
forbids every other script and every resource.
"""

from typing import Any

from ..web.page_parts import fingerprint, in_script, read_part

STYLES = ("uplot/uPlot.min.css", "report/report.css")
SCRIPTS = (
    "uplot/uPlot.iife.min.js",
    "report/elements.js",
    "report/tables.js",
    "report/plots.js",
    "report/curves.js",
    "report/sections.js",
    "report/report.js",
)


def page(data: dict[str, Any]) -> bytes:
    """Return a self-contained HTML page of the data of a report."""
    style = "\n".join(map(read_part, STYLES))
    script = "\n".join(map(read_part, SCRIPTS))
    layout = read_part("report/report.html")
    # The data comes last: text in it that looks like a placeholder is none.
    for mark, content in (
        ("STYLE_HASH", fingerprint(style)),
        ("SCRIPT_HASH", fingerprint(script)),
        ("STYLE", style),
        ("SCRIPT", script),
        ("DATA", in_script(data)),
    ):
        layout = layout.replace(f"{{{{{mark}}}}}", content, 1)
    return layout.encode()
