"""Pages in headless Chromium: page_browser_test.py SAMPLE.html [REPORT.html ...]

SAMPLE is page_sample's; of a REPORT only what holds for every page is asked. With
EPSIM_SCREENSHOTS=FOLDER, pictures to look at go there.
"""

import base64
import json
import os
import pathlib
import sys
import time

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.service import Service

FAILURES = []


def expect(claim, found, wanted):
    if found != wanted:
        FAILURES.append(claim)
        print(f"FAILED {claim}: expected {wanted!r}, found {found!r}", flush=True)
    else:
        print(f"ok     {claim}", flush=True)


def until(what, wanted=True, seconds=20):
    """The last answer of `what`, asked again until it is `wanted`."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found == wanted or time.monotonic() > end:
            return found
        time.sleep(0.05)


def open_browser():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--window-size=1280,1000", "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service("chromedriver"), options=options)


class Page:
    def __init__(self, browser, path):
        self.browser = browser
        self.path = path
        self.name = path.stem

    def load(self):
        self.browser.get_log("browser")
        self.browser.get_log("performance")
        self.browser.get(self.path.as_uri())
        ready = lambda: self.run("return 'ready' in document.documentElement.dataset")
        expect(f"{self.name}: every chart is drawn", until(ready), True)

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def marks(self):
        """Of each chart: its symbols or bars."""
        return self.run("""
            return [...document.querySelectorAll('figure[data-chart]')].map((figure) =>
                figure.querySelectorAll('svg .role-mark.mark-symbol > *, ' +
                                        'svg .role-mark.mark-rect > *').length)""")

    def rows(self, table):
        return self.run("return document.querySelectorAll(`.table[data-table=${arguments[0]}] "
                        "tbody tr`).length", table)

    def count(self, table):
        return self.run("return document.querySelector(`.table[data-table=${arguments[0]}] .count`)"
                        ".textContent", table)

    def chip(self, table, column, value):
        return self.browser.find_element(
            By.CSS_SELECTOR,
            f'.filters[data-filters="{table}"] input[name="{column}"][value="{value}"]')

    def find(self, selector):
        """In the middle of the window."""
        found = self.browser.find_element(By.CSS_SELECTOR, selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found)
        return found

    def problems(self):
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def requests(self):
        """Addresses that it asked for, but its own."""
        addresses = []
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                parameters = message["params"]
                address = parameters.get("url") or parameters["request"]["url"]
                if address != self.path.as_uri() and not address.startswith("data:"):
                    addresses.append(address)
        return addresses

    def picture(self, name):
        folder = os.environ.get("EPSIM_SCREENSHOTS")
        if not folder:
            return
        size = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        shot = self.browser.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}})
        target = pathlib.Path(folder, f"{self.name}-{name}.png")
        target.write_bytes(base64.b64decode(shot["data"]))

    def emulate(self, scheme="light", width=1280):
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False})


def check_any_page(page):
    page.emulate()
    page.load()
    page.picture("light")
    marks = page.marks()
    expect(f"{page.name}: it has charts", len(marks) > 0, True)
    expect(f"{page.name}: charts without marks",
           [i for i, count in enumerate(marks) if count == 0], [])
    page.emulate(width=390)
    page.load()
    expect(f"{page.name}: on a narrow screen nothing sticks out",
           page.run("const {scrollWidth, clientWidth} = document.documentElement;"
                    "return scrollWidth - clientWidth"), 0)
    page.picture("narrow")
    page.emulate(scheme="dark")
    page.load()
    page.picture("dark")
    expect(f"{page.name}: it says nothing on the console", page.problems(), [])
    expect(f"{page.name}: it asks for nothing else", page.requests(), [])
    page.emulate()


# 48 deployments in two charts, 8 ranks with 6 spans, 16 links in 60 bins, 40 tasks, 6 bars.
SAMPLE_MARKS = [48, 48, 48, 960, 40, 6]


def check_filters(page):
    page.load()
    expect("sample: charts have the marks of their rows", page.marks(), SAMPLE_MARKS)
    expect("sample: a table shows its first rows", page.rows("capacity_1"), 12)
    page.run("arguments[0].click()", page.chip("capacity_1", "ranks", "144"))
    # 6 batches with one and two micro-batches.
    expect("sample: choosing EP 144 leaves its marks in both charts",
           until(page.marks, [12, 12, 48, 960, 40, 6]), [12, 12, 48, 960, 40, 6])
    expect("sample: and its rows", page.count("capacity_1"), "12 of 48 rows")
    chip = page.chip("capacity_1", "micro_batches", "one")
    page.run("arguments[0].focus()", chip)
    chip.send_keys(Keys.SPACE)
    expect("sample: the space key chooses too", until(page.marks, [6, 6, 48, 960, 40, 6]),
           [6, 6, 48, 960, 40, 6])
    expect("sample: chosen rows are in the table", page.rows("capacity_1"), 6)
    page.picture("filtered")
    page.find('[data-filters="capacity_1"] .clear').click()
    expect("sample: one button shows all again", until(page.marks, SAMPLE_MARKS), SAMPLE_MARKS)
    expect("sample: and all rows", page.count("capacity_1"), "48 rows")
    page.find('.table[data-table="capacity_1"] .more').click()
    expect("sample: a table shows all its rows on demand", page.rows("capacity_1"), 48)


def check_sorting(page):
    head = page.find('th[title="tpot_ms"]')
    column = lambda: [float(text) for text in page.run(
        "return [...document.querySelectorAll('.table[data-table=capacity_1] tbody tr')]"
        ".map((row) => row.children[4].title)")]
    head.find_element(By.TAG_NAME, "button").click()
    expect("sample: a click sorts by a column", column(), sorted(column()))
    expect("sample: and says so", head.get_attribute("aria-sort"), "ascending")
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    expect("sample: another sorts the other way", column(), sorted(column(), reverse=True))


def check_tooltip(page):
    symbol = page.find("figure svg .mark-symbol.role-mark > path")
    ActionChains(page.browser).move_to_element(symbol).perform()
    shown = lambda: page.run("return document.querySelector('#vg-tooltip-element.visible')"
                             "?.textContent.includes('tokens/s/GPU') ?? false")
    expect("sample: pointing at a mark tells its row", until(shown), True)
    page.picture("tooltip")


def check_safety(page):
    expect("sample: text of a result stays text",
           page.run("return document.querySelectorAll('main img').length"), 0)
    expect("sample: it has a policy", page.run(
        "return document.querySelector('meta[http-equiv=Content-Security-Policy]')"
        ".content.startsWith(\"default-src 'none'\")"), True)
    refused = page.browser.execute_async_script("""
        const done = arguments[0];
        document.addEventListener('securitypolicyviolation',
                                  (event) => done(event.effectiveDirective));
        fetch('https://example.invalid/').catch(() => {});""")
    expect("sample: its policy refuses the network", refused, "connect-src")
    evaluates = page.browser.execute_async_script("""
        const done = arguments[0];  // later, when the driver's own script has ended
        setTimeout(() => {
            try { done(new Function('return "run"')()); } catch { done('refused'); }
        });""")
    expect("sample: and code from text", evaluates, "refused")


def check_without_script(page):
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    page.browser.get(page.path.as_uri())
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    expect("sample: without scripts, pictures stand in for charts",
           len(page.browser.find_elements(By.CSS_SELECTOR, "figure noscript > svg")), 6)
    expect("sample: and plain tables",
           len(page.browser.find_elements(By.CSS_SELECTOR, ".table noscript > table")), 5)
    page.picture("without-script")


def main():
    paths = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]
    browser = open_browser()
    try:
        browser.set_script_timeout(20)
        for path in paths:
            check_any_page(Page(browser, path))
        sample = Page(browser, paths[0])
        check_filters(sample)
        check_sorting(sample)
        check_tooltip(sample)
        expect("sample: nothing of that is on the console", sample.problems(), [])
        check_safety(sample)
        check_without_script(sample)
    finally:
        browser.quit()
    print(f"{len(FAILURES)} failed" if FAILURES else "all passed")
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
