"""HTML page of `spike chat --web`; web/ holds its layout, style and script."""

from typing import Any

from ..web.page_parts import fingerprint, in_script, read_part


def chat_page(data: dict[str, Any]) -> tuple[bytes, str]:
    """Return the page and its content security policy: its own script and style, and this server.

    Args:
        data: `name` of the model, `page`, the id of the conversation, and `system`, its prompt.
    """
    style, script, layout = map(read_part, ("chat.css", "chat.js", "chat.html"))
    # The data comes last: text in it that looks like a placeholder is none.
    for mark, content in (("STYLE", style), ("SCRIPT", script), ("DATA", in_script(data))):
        layout = layout.replace(f"{{{{{mark}}}}}", content, 1)
    policy = (
        f"default-src 'none'; script-src '{fingerprint(script)}'; "
        f"style-src '{fingerprint(style)}'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return layout.encode(), policy
