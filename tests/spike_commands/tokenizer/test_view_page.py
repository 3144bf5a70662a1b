"""The page of `spike tokenizer view --html`, in a browser as its reader meets it."""

import json
import random
import unicodedata

import pytest

from cli import run
from spike_commands.tokenizer.adapter import segment
from spike_commands.tokenizer.open import open_any
from spike_commands.visible import visible
from spiketok import Tokenizer, build_vocabulary
from tests.spike_commands.chromium import CHROMIUM, browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
HOSTILE = "</script><img src=x onerror=document.title='broken'><!--<script>&amp;\u2028'\""
PIECES = [
    b"the ",
    b"quick ",
    b"fox",
    b"e\n",
    b"</script>",
    HOSTILE.encode()[:24],
    b"\xff\n",
    b"\xe2\x80\xa8",
]


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        found.size(1500, 1000)
        yield found


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    """Two tokenizers; the first one's file has frequencies and hostile entries."""
    folder = tmp_path_factory.mktemp("tokenizers")
    uses = {piece: 1000 + place for place, piece in enumerate(PIECES)}
    build_vocabulary(PIECES, 270, "minimal", uses=uses).write(folder / "first.json")
    build_vocabulary([b"th", "\u2028".encode()], 262, "minimal").write(folder / "second <b>.json")
    return folder / "first.json", folder / "second <b>.json"


@pytest.fixture
def page(tmp_path, tokenizers, window):
    """Write the page of a text, open it, and check that it asks for nothing and complains not."""

    def write(text, *options):
        (tmp_path / "text <i>.txt").write_bytes(text)
        command = ["tokenizer", "view", str(tmp_path / "text <i>.txt"), "--quiet"]
        command += ["--tokenizer", str(tokenizers[0]), "--html", str(tmp_path / "page.html")]
        assert run([*command, *options]) == 0
        window.open(tmp_path / "page.html")
        assert window.requests == [(tmp_path / "page.html").as_uri()]
        assert window.complaints == []
        return window

    return write


def shown_tokens(window, side=0):
    script = f"[...document.querySelectorAll('[data-side=\"{side}\"] .token')]"
    return window.evaluate(f"{script}.map(token => token.textContent)")


def whole(window, selector):
    return window.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")


def test_tokens_are_shown_as_they_were_cut(page, tokenizers):
    text = "the quick \x1b fox\n\n 日本 e\u0301\u202e".encode() + b"\xe2\x82 \xff\n\xf0\x9f"
    window = page(text)
    peer = open_any(tokenizers[0])
    found = segment(peer, text)
    starts = [0, *found.ends.tolist()]
    expected = [visible(text[a:b]) for a, b in zip(starts, found.ends.tolist(), strict=False)]
    assert [token.replace("\n", "") for token in shown_tokens(window)] == expected
    facts = window.evaluate("[...document.querySelectorAll('dd')].map(fact => fact.textContent)")
    assert facts[:2] == [str(found.tokens), str(len(text))]
    assert facts[2] == f"{len(text) / found.tokens:.4f}"


def test_random_bytes_look_as_they_do_in_the_terminal(page):
    chosen = random.Random(7)
    # Which characters are assigned depends on the version of Unicode that each side knows.
    known = [chr(code) for code in range(0xD800) if unicodedata.category(chr(code)) != "Cn"]
    text = "".join(chosen.choices([*known, "🦔"], k=2000)).encode() + bytes(range(256)) * 9
    text += chosen.randbytes(3000).replace(b"\xf3", b"").replace(b"\xf4", b"")
    window = page(b"")
    script = f"visible(new Uint8Array({list(text)}))"
    ours, theirs = visible(text), window.evaluate(script)
    assert ours == theirs


def test_hostile_text_and_entries_stay_text(page, tokenizers):
    window = page(HOSTILE.encode() * 2, "--beside", str(tokenizers[1]))
    assert "".join(shown_tokens(window)) == visible(HOSTILE.encode() * 2)
    assert whole(window, "h1") == "text <i>.txt"
    window.type("#query", "</script")
    assert window.evaluate("document.querySelectorAll('#entries tr').length") == 2
    assert window.evaluate("document.querySelectorAll('img, i, main b').length") == 0
    assert window.evaluate("document.title") == "text <i>.txt"
    assert window.complaints == []


def test_pointing_tells_id_bytes_and_frequency(page):
    window = page(b"x the quick fox")
    window.hover("[data-part='3']")
    tip = whole(window, "#tip")
    assert window.evaluate("document.querySelector('#tip').hidden") is False
    parts = ("quick ", "id 261", "bytes (6): 71 75 69 63 6B 20", "1,001", "uses in this text: 1")
    assert all(part in tip for part in parts), tip


def test_search_finds_tokens_on_all_pages_and_entries(page):
    text = b"the " + b"x" * 20_000 + b"fox" + b"y" * 20_000 + b"fox"
    window = page(text)
    assert whole(window, "#pages") == "5"
    window.type("#query", "fox")
    assert whole(window, "#hits") == "2 in the text"
    assert whole(window, "#entries tr td:nth-child(2)") == "fox"
    seen = []
    for _ in range(3):
        window.click("#next-hit")
        page_number = window.evaluate("+document.querySelector('#page').value")
        seen.append((page_number, whole(window, ".here")))
    assert seen == [(3, "fox"), (5, "fox"), (3, "fox")]
    window.click("#previous-hit")
    assert window.evaluate("+document.querySelector('#page').value") == 5
    for query, hits in (
        ("#260", 1),
        (r"\xff\n", 0),
        ("the", 1),
        ("nothing like it", 0),
        ("", None),
    ):
        window.type("#query", query)
        assert whole(window, "#hits") == ("" if hits is None else f"{hits} in the text"), query


def test_two_tokenizers_show_the_same_text(page, tokenizers):
    text = b"the quick fox\n" * 3000
    window = page(text, "--beside", str(tokenizers[1]))
    window.type("#page", "3")
    texts = ["".join(shown_tokens(window, side)).replace("⏎\n", "\n") for side in (0, 1)]
    assert abs(len(texts[0]) - 8192) < 10
    assert texts[0][10:-10] in texts[1] or texts[1][10:-10] in texts[0]
    assert "+" in whole(window, ".card:nth-child(2)")
    window.click("#sides button:nth-child(2)")
    assert "262 entries" in whole(window, "#found")


def test_every_part_is_on_one_page_and_only_there(page):
    text = bytes(random.Random(3).choices(b"the quick fox\n", k=30_000))
    window = page(text)
    parts = []
    for number in range(1, int(whole(window, "#pages")) + 1):
        window.type("#page", str(number))
        parts += shown_tokens(window)
    assert "".join(parts).replace("⏎\n", "\n").encode() == text


def test_vocabulary_is_sorted_and_shown_in_portions(page):
    window = page(b"the the fox")
    rows = "[...document.querySelectorAll('#entries tr')].map(row => row.dataset.id)"
    assert window.evaluate(rows)[0] == "260"
    assert len(window.evaluate(rows)) == 200
    window.click("#more")
    assert len(window.evaluate(rows)) == 270
    window.click("#columns th:nth-child(4) button")
    assert window.evaluate(rows)[0] == str(260 + len(PIECES) - 1)


def test_themes_differ_and_follow_the_system(page):
    window = page(b"the quick fox")
    ground = "getComputedStyle(document.body).backgroundColor"
    found = []
    for scheme in ("light", "dark"):
        window.scheme(scheme)
        found.append(window.evaluate(ground))
    assert found[0] != found[1]
    window.click("#theme")  # light, whatever the system prefers
    assert window.evaluate(ground) == found[0]
    window.scheme("light")
    window.click("#theme")
    assert window.evaluate(ground) == found[1]


@pytest.mark.parametrize("text", [b"", b"\n", b"\x00" * 9000, b"the " * 3_000_000], ids=len)
def test_odd_texts_open(page, text):
    # Without it a text of zeros is refused: no text but binary content.
    window = page(text, "--as", "bytes")
    assert len(shown_tokens(window)) <= 8192
    assert (whole(window, "#texts") == "The text is empty.") == (text == b"")


def test_tokens_that_leave_text_out_are_told(page, tmp_path, tokenizers):
    library = pytest.importorskip("tokenizers")
    words = library.Tokenizer(library.models.WordLevel({"fox": 0, "?": 1}, unk_token="?"))
    words.pre_tokenizer = library.pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "words.json"))
    window = page(b"the  fox", "--beside", str(tmp_path / "words.json"))
    assert shown_tokens(window, 1) == ["the", "  ", "fox"]
    window.hover("[data-side='1'] [data-part='1']")
    assert "leaves this out" in whole(window, "#tip")


def test_tokenizer_is_really_what_the_test_says(tokenizers):
    assert Tokenizer.load(tokenizers[0]).decode([260, 262]) == "the fox"
