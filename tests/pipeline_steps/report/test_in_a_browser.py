"""report.html in a real browser: on a screen and on a phone, light, dark and printed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline_steps.report.html import render_html
from tests.pipeline_steps.report import examples

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCREEN, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")
CASES = {
    "example": lambda: examples.EVIDENCE,
    "200 slices": examples.many_slices,
    "broad letters": lambda: examples.hostile("W" * 900),
    "13 classes": lambda: examples.multiclass(13),
    "12 classes": lambda: examples.multiclass(12),
    "regression": examples.regression,
    "bare": examples.bare,
    "verified": examples.verified,
    "failed on staging": lambda: examples.verified(load=None, failure="W" * 900),
}
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: install Debian's package chromium")

# Each text with the colour behind it, as the screen has them; large text needs a contrast of 3, other text one of 4.5
# (WCAG 2.2, 1.4.3).
LOW_CONTRAST = """() => {
  const dot = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    dot.clearRect(0, 0, 1, 1); dot.fillStyle = colour; dot.fillRect(0, 0, 1, 1);
    return dot.getImageData(0, 0, 1, 1).data;
  };
  const luminance = colour => [...rgba(colour)].slice(0, 3).map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return 'white';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    if (element.closest('title, desc')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(element.closest('svg') ? style.fill : style.color), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""
OUTSIDE_ITS_CHART = """() => [...document.querySelectorAll('figure svg[role=img] text')].filter(text => {
  const [inner, outer] = [text.getBoundingClientRect(), text.closest('svg').getBoundingClientRect()];
  return inner.left < outer.left - 1 || inner.right > outer.right + 1;
}).map(text => text.textContent)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # A build is root in its container, where Chromium's sandbox cannot start; the page is our own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET), chromium_sandbox=False)
        yield browser
        browser.close()


class Opened:
    """A report in the browser, with all that it asked for and complained of."""

    def __init__(
        self, browser: Browser, file: Path, viewport: dict[str, int], scheme: Literal["light", "dark"]
    ) -> None:
        self.page: Page = browser.new_page(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri(), wait_until="load")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("reports")
    paths = {name: directory / f"{number}.html" for number, name in enumerate(CASES)}
    for name, path in paths.items():
        path.write_text(render_html(CASES[name]()), encoding="utf-8")
    return paths


@pytest.fixture(params=CASES)
def report(request: pytest.FixtureRequest, reports: dict[str, Path]) -> Path:
    return reports[request.param]


@pytest.mark.parametrize("viewport", [SCREEN, PHONE], ids=["screen", "phone"])
def test_it_is_quiet_and_as_wide_as_the_window(browser: Browser, report: Path, viewport: dict[str, int]) -> None:
    opened = Opened(browser, report, viewport, "light")

    assert opened.requests == [report.as_uri()]
    assert opened.complaints == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert opened.page.evaluate(OUTSIDE_ITS_CHART) == []
    opened.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_told_from_what_is_behind_it(
    browser: Browser, report: Path, scheme: Literal["light", "dark"]
) -> None:
    opened = Opened(browser, report, SCREEN, scheme)

    assert opened.page.evaluate(LOW_CONTRAST) == []
    opened.page.close()


def test_every_chart_has_a_name_for_those_who_do_not_see_it(browser: Browser, reports: dict[str, Path]) -> None:
    opened = Opened(browser, reports["example"], SCREEN, "light")

    charts = opened.page.get_by_role("img")

    assert charts.count() == 5
    for name in ("ROC curve", "Calibration", "Feature importance", "Challenger and champion with their intervals"):
        assert opened.page.get_by_role("img", name=name, exact=True).count() == 1
    assert opened.page.get_by_role("heading", level=1, name="Accepted").count() == 1
    opened.page.close()


def test_a_wide_table_scrolls_inside_and_can_be_reached_by_the_keyboard(
    browser: Browser, reports: dict[str, Path]
) -> None:
    opened = Opened(browser, reports["example"], PHONE, "light")

    table = opened.page.get_by_role("region", name="All slices")

    assert table.evaluate("one => one.scrollWidth > one.clientWidth && one.tabIndex === 0")
    opened.page.close()


def test_on_paper_nothing_is_hidden_in_a_scrolled_table(browser: Browser, reports: dict[str, Path]) -> None:
    opened = Opened(browser, reports["200 slices"], {"width": 760, "height": 1000}, "light")
    table = opened.page.get_by_role("region", name="All slices")
    assert table.evaluate("one => one.scrollHeight > one.clientHeight + 100")  # on the screen it scrolls

    opened.page.emulate_media(media="print")

    assert table.evaluate("one => one.scrollHeight <= one.clientHeight")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 760
    assert opened.page.pdf(format="A4").startswith(b"%PDF")
    opened.page.close()
