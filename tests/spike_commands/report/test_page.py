"""The page of `spike report`, in a browser as its reader meets it."""

import json
import shutil

import pytest

from cli import run
from tests.spike_commands.chromium import CHROMIUM, browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
HOSTILE = "</script><img src=x onerror=document.title='broken'><script>alert(1)</script>"
NAME = "<script>alert('x')"
PLOTS = "[...document.querySelectorAll('.plot canvas')]"
# Pixels of a plot that are not blank.
DRAWN = (
    "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((_, i) => i % 4"
    " == 3).reduce((n, a) => n + (a > 0), 0))(document.querySelector('.plot canvas'))"
)


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def runs(folder, tmp_path_factory):
    """Two runs: one with long metrics, and one with hostile names and texts."""
    place = tmp_path_factory.mktemp("runs")
    shutil.copytree(folder / "runs/base", place / "long")
    shutil.copytree(folder / "runs/base", place / NAME)
    last = json.loads((place / "long/metrics.jsonl").read_text().splitlines()[-1])
    lines = [
        last | {"step": step, "tokens": step * 128, "loss": 8 - step / 1000 + (step == 777) * 5}
        for step in range(1, 3001)
    ]
    (place / "long/metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    hostile = last | {"sample_prompt": HOSTILE, "sample": HOSTILE}
    (place / NAME / "metrics.jsonl").write_text(json.dumps(hostile) + "\n")
    return [str(place / "long"), str(place / NAME)]


@pytest.fixture(scope="module")
def page(window, runs, tmp_path_factory):
    """Open the report of both runs, at a width."""
    path = tmp_path_factory.mktemp("pages") / "page.html"
    assert run(["report", *runs, "-o", str(path), "--quiet"]) == 0

    def show(width=1280):
        window.size(width, 900)
        window.send("Emulation.setEmulatedMedia", media="screen", features=[])
        window.open(path)
        assert window.requests == [path.as_uri()]
        assert window.complaints == []
        return window

    return show


def test_every_section_is_there_and_plots_are_drawn(page):
    window = page()
    titles = window.evaluate("[...document.querySelectorAll('h2')].map(one => one.textContent)")
    assert len(titles) == window.evaluate("SECTIONS.length")
    empty = "[...document.querySelectorAll('main > section')].filter(one => !one.children[1])"
    assert window.evaluate(f"{empty}.length") == 0
    assert window.evaluate(DRAWN) > 1000
    captions = "[...document.querySelectorAll('figure')].every(f => f.querySelector('p.summary')"
    assert window.evaluate(f"{captions}.textContent.length > 20)")
    assert window.evaluate("document.querySelectorAll('table').length > 5")
    assert window.evaluate(
        "[...document.querySelectorAll('th')].every(one => ['col', 'row'].includes(one.scope))"
    )


def test_hostile_names_and_texts_stay_text(page):
    window = page()
    assert window.evaluate("document.querySelectorAll('img, main script').length") == 0
    assert window.evaluate("document.title") == "2 runs"
    assert NAME in window.evaluate("document.querySelector('main').textContent")
    texts = window.evaluate("[...document.querySelectorAll('.text')].map(one => one.textContent)")
    assert HOSTILE * 2 in texts


def test_no_extreme_value_is_lost_in_buckets(page):
    window = page()
    series = "data.runs[0].series.loss"
    assert window.evaluate(f"{series}.mean.length") == 600
    assert window.evaluate(f"Math.max(...{series}.high)") == pytest.approx(8 - 0.777 + 5)
    assert "3,000 values in 600 buckets" in window.evaluate(
        "document.querySelector('figure .summary').textContent"
    )


def test_axes_zoom_and_legend(page):
    window = page()
    range_of = "(() => { const [one] = curveState.plots; return one.scales.x; })()"
    before = window.evaluate(f"{range_of}.max")
    window.click(".controls button:nth-of-type(5)")
    zoomed = window.evaluate("[...curveState.plots].map(one => one.scales.x.max)")
    assert len(set(zoomed)) == 1
    assert zoomed[0] < before
    window.click(".controls button:nth-of-type(3)")
    flops = window.evaluate("data.runs[0].size.flops_per_token * 3000 * 128")
    assert window.evaluate(f"{range_of}.max") > 0.99 * flops
    window.click("#legend button")
    assert window.evaluate("document.querySelector('#legend button').ariaPressed") == "false"
    assert window.complaints == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(page, width):
    assert page(width).evaluate("document.documentElement.scrollWidth") <= width


def test_themes_differ_and_print_is_light(page):
    window = page()
    ground = "getComputedStyle(document.body).backgroundColor"
    window.scheme("light")
    light = window.evaluate(ground)
    window.scheme("dark")
    assert window.evaluate(ground) != light
    window.send("Emulation.setEmulatedMedia", media="print", features=[])
    assert window.evaluate(ground) == "rgb(255, 255, 255)"
    assert window.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert window.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert window.complaints == []
