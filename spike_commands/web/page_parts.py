"""Parts of self-contained HTML pages: files of this folder, their hashes, and embedded JSON."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

PARTS = Path(__file__).parent


def read_part(file: str) -> str:
    """Read a part of the page that is shipped with spike."""
    return (PARTS / file).read_text("utf-8")


def fingerprint(content: str) -> str:
    """Return a hash in the form of the page's content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def in_script(data: Any) -> str:
    r"""Return JSON that is safe inside an HTML script element.

    >>> in_script("</script>&")
    '"\\u003c/script\\u003e\\u0026"'
    """
    shown = json.dumps(data, separators=(",", ":"))
    for letter in "<>&":
        shown = shown.replace(letter, f"\\u{ord(letter):04x}")
    return shown
