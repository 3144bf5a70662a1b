"""`spike tokenizer view` in the terminal and the file it writes."""

import base64
import gzip
import json
import re
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spike_commands.tokenizer.adapter import segment
from spike_commands.tokenizer.open import open_any
from spike_commands.tokenizer.view_page import in_script, page
from spike_commands.tokenizer.view_terminal import plain
from spike_commands.tokenizer.viewing import cut_each
from spike_commands.visible import visible

UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2066-\u2069\ufeff\u00a0]")


@pytest.fixture
def view(process, folder):
    """Run the command on bytes from a pipe: (standard output, standard error)."""

    def run_view(text, *options, **environment):
        (folder / "viewed.txt").write_bytes(text)
        command = ["tokenizer", "view", "viewed.txt", *options]
        done = process(folder, *command, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    return run_view


@pytest.fixture
def peer(folder):
    return open_any(folder / "tokenizer.json")


def test_piped_output_has_separators_and_no_colour_codes(view):
    shown, remarks = view(b"the quick\x1b[31m\n\xff")
    assert "\x1b" not in shown
    assert shown.replace("│", "") == "the quick⟨U+1B⟩[31m⏎\n⟨FF⟩\n"
    assert re.fullmatch(r"16 bytes, \d+ tokens, \d\.\d+ bytes per token\n", remarks)
    assert view(b"x", "--quiet")[1] == ""


def test_ids_are_those_of_encode(view, line):
    shown, _ = view(b"the quick brown fox", "--ids")
    ids = re.findall(r"(?:^|│)(\d+):", shown)
    assert ids == line("tokenizer", "encode", "the quick brown fox")[1].split()


def test_standard_input_may_be_named_or_not(process, folder):
    outputs = [
        process(folder, "tokenizer", "view", *name, "--quiet", input="the fox\n").stdout
        for name in ([], ["-"])
    ]
    assert outputs[0] == outputs[1] != ""


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
def test_records_are_viewed_by_their_text(line, folder, name):
    texts = ["the quick fox", "jumps over\n"]
    rows = "\n".join(json.dumps({"body": text}) for text in texts).encode()
    if name.endswith("parquet"):
        pq.write_table(pa.table({"body": texts}), folder / name)
    else:
        (folder / name).write_bytes(gzip.compress(rows) if name.endswith("gz") else rows)
    command = ["tokenizer", "view", name, "--text-field", "body"]
    status, shown, remarks = line(*command)
    assert status == 0, remarks
    assert shown.replace("│", "") == "the quick fox\njumps over⏎\n\n"
    assert remarks.startswith("24 bytes, ")
    (folder / "rows.html").unlink(missing_ok=True)
    assert line(*command, "--html", "rows.html")[0] == 0
    data = re.search(r'"text": ?"([^"]*)"', (folder / "rows.html").read_text())[1]
    assert base64.b64decode(data) == "".join(texts).encode()
    status, _, errors = line("tokenizer", "view", name)
    assert (status, errors.count("\n")) == (1, 1)
    assert "text" in errors
    if name == "rows.jsonl":
        assert line("tokenizer", "view", name, "--as", "bytes")[1].replace("│", "")[0] == "{"


def test_documents_are_cut_by_themselves(peer):
    texts = [b"the qui", b"ck", b"", b"brown fox"]
    found = cut_each(peer, texts)
    alone = [segment(peer, text) for text in texts]
    assert found.ids.tolist() == [token for one in alone for token in one.ids.tolist()]
    assert found.ends[-1] == sum(map(len, texts))
    assert {len(b"the qui"), len(b"the quick")} <= set(found.ends.tolist())


def test_a_known_format_is_not_viewed_as_text(line, folder):
    (folder / "packed.txt").write_bytes(gzip.compress(b"the fox"))
    for command in (["view", "packed.txt"], ["compare", "tokenizer.json", "--text", "packed.txt"]):
        status, output, errors = line("tokenizer", *command)
        assert (status, output, errors.count("\n")) == (1, "", 1)
        assert "packed.txt: begins like gzip, not like text" in errors
        assert line("tokenizer", *command, "--as", "bytes", "-q")[0] == 0


def test_colours_alternate_and_no_colour_is_obeyed(view, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown, _ = view(b"the quick brown fox\nthe end")
    colours = re.findall(r"48;2;(\d+;\d+;\d+)m", shown)
    assert len(set(colours)) == 4
    assert all(one != other for one, other in pairwise(colours))
    assert re.sub(r"\x1b\[[\d;]*m", "", shown) == "the quick brown fox⏎\nthe end\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert "48;2" not in view(b"the quick")[0]


@given(st.binary(max_size=60))
def test_nothing_stays_invisible(data):
    assert not UNSEEN.search(visible(data))
    assert visible(data) or not data


@given(st.text(max_size=30) | st.binary(max_size=60))
def test_the_tokens_shown_are_the_text(spike_peer, text):
    data = text.encode() if isinstance(text, str) else text
    found = segment(spike_peer, data)
    starts = [0, *found.ends.tolist()]
    pieces = [data[a:b] for a, b in zip(starts, found.ends.tolist(), strict=False)]
    assert b"".join(pieces) == data
    shown = "".join(part for part, _ in plain(data, found, with_ids=False))
    assert shown == "│".join(visible(piece).replace("⏎", "⏎\n") for piece in pieces) or (
        "⏎" in data.decode("utf-8", "replace")
    )


@pytest.fixture(scope="session")
def spike_peer(folder):
    return open_any(folder / "tokenizer.json")


@given(st.text(max_size=40), st.text(max_size=10))
def test_text_in_a_page_cannot_end_its_script(text, name):
    written = in_script({"text": text, "name": name})
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"text": text, "name": name}


def test_page_has_the_bytes_and_asks_for_nothing_outside(peer):
    text = b"</script>{{SCRIPT}}{{STYLE}}"
    written = page("{{DATA}}", text, len(text), [peer], [segment(peer, text)]).decode()
    assert written.count("</script>") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', written, re.DOTALL)[1])
    assert data["name"] == "{{DATA}}"
    assert not re.findall(r"https?:|src=|@import|url\(|<link", written.split('id="data"')[0])
    assert "default-src 'none'" in written


def test_page_is_whole_or_not_there(line, tmp_path):
    out = tmp_path / "page.html"
    command = ["tokenizer", "view", "held.txt", "--html", str(out)]
    assert line(*command, "--quiet") == (0, "", "")
    before = out.read_bytes()
    assert line(*command, "--beside", "nowhere.json")[0] == 1
    assert out.read_bytes() == before


def test_a_long_text_is_cut_and_said_to_be(line, tmp_path, monkeypatch):
    monkeypatch.setattr("spike_commands.tokenizer.viewing.MAX_PAGE_BYTES", 100)
    status, _, remarks = line("tokenizer", "view", "held.txt", "--html", str(tmp_path / "p.html"))
    assert status == 0
    assert "the page has the first 100 of" in remarks


def test_a_page_has_so_many_tokens_of_each_tokenizer_at_most(line, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("spike_commands.tokenizer.viewing.MAX_PAGE_TOKENS", 20)
    bese = str(tmp_path / "bese.json")
    train = ["tokenizer", "train", "held.txt", "--algorithm", "bese", "--vocab", "40"]
    assert line(*train, "--validation", "0", "--out", bese)[0] == 0
    out = str(tmp_path / "p.html")
    status, _, remarks = line("tokenizer", "view", "held.txt", "--html", out, "--beside", bese)
    assert status == 0
    assert "the page has the first " in remarks
    counts = [int(found) for found in re.findall(r"bytes, (\d+) tokens", remarks)]
    assert 0 < counts[0] < counts[1] == 20
