"""HTML page of the tokens of a text; web/ holds its layout, style and script.

Everything from outside, the text and the names included, is in one JSON object that the script
reads and shows as text. A policy in the page forbids every other script and every resource.
"""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..web.page_parts import fingerprint, in_script, read_part
from .adapter import Cut, TokenizerAdapter


def page(
    name: str, text: bytes, size: int, peers: Sequence[TokenizerAdapter], cuts: Sequence[Cut]
) -> bytes:
    """Return a self-contained HTML page.

    Args:
        name: of the text.
        text: the text to show.
        size: bytes of the whole text, of which `text` may be the beginning.
        peers: one tokenizer or two.
        cuts: how each of them cuts the text.
    """
    style, tokens, sampling = map(read_part, ("page.css", "tokens.js", "page.js"))
    script = tokens + sampling
    data = {
        "name": name,
        "size": size,
        "text": base64.b64encode(text).decode(),
        "tokenizers": [about(*found) for found in zip(peers, cuts, strict=True)],
    }
    layout = read_part("page.html")
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


def about(peer: TokenizerAdapter, cut: Cut) -> dict[str, Any]:
    """Return the data of a tokenizer and its cut text for the script."""
    return {
        "name": peer.name,
        "kind": peer.kind,
        "entries": [entry.decode("latin-1") for entry in peer.entries],
        "frequencies": list(peer.frequencies),
        "tokens": cut.tokens,
        "ids": packed(cut.ids),
        "ends": packed(cut.ends),
    }


def packed(numbers: NDArray[np.int64]) -> str:
    """Return numbers [n] as base64 of little-endian int32."""
    return base64.b64encode(numbers.astype("<i4").tobytes()).decode()
