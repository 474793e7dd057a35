"""A real server and a real Chromium, once per session; a page that complains fails its test."""

import json
import os
import re
import warnings

import chromium as browser_choice
import httpx
import patience
import pytest
import serving

from iwae_core.runtime.wire import unpack

# Opened at /page, Streamlit's front end asks whether the server lives below /page/; 404 means no.
STREAMLIT_PROBE = re.compile(r"^http://[^/]+/\w+/_stcore/(health|host-config)$")

# What a page says of itself, for the report of a test that has failed.
STANDING = """() => ({
  address: location.href,
  script: document.querySelector("[data-testid=stApp]")?.dataset.testScriptState,
  pictures: [...document.querySelectorAll(".lab-scene, .lab-train, .lab-pair, .lab-chart")]
    .map((node) => ({ kind: node.className, ...node.dataset })),
  focus: document.activeElement?.outerHTML.slice(0, 200),
  text: document.querySelector("[data-testid=stMain]")?.innerText.replace(/\\s+/g, " "),
})"""
REPORT_MS = 15_000  # a page that hangs is not waited for


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and report.failed:
        for n, visitor in enumerate(getattr(item, "visitors", ()), 1):
            report.sections.append((f"Page of visitor {n}", visitor.describe()))
    return report


@pytest.fixture(scope="session")
def server():
    """The app on a free port, warm."""
    with serving.serve() as running:
        running.wait_until_warm()
        yield running


@pytest.fixture(scope="session")
def chromium():
    """One browser for the session; each test gets its own context from it."""
    path = browser_choice.find()
    if path is None:
        reason = (
            f"no Chromium found ({', '.join(browser_choice.NAMES)}; IWAE_LAB_CHROMIUM names one)"
        )
        if os.environ.get("IWAE_LAB_REQUIRE_BROWSER"):
            pytest.fail(reason)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"BROWSER TESTS SKIPPED: {reason}", stacklevel=1)
        pytest.skip(reason)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=patience.MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=browser_choice.ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """One reader: a page in its own context, and everything that page complained about."""

    def __init__(self, browser, server, **context):
        self.server = server
        self.complaints = []
        self.live = ""  # where the page asks for news of its run
        self.context = browser.new_context(**context)
        self.context.set_default_timeout(patience.MS)
        self.page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("request", self._watch)

    def _hear(self, message):
        where = message.location.get("url", "")
        if message.type == "error" and not STREAMLIT_PROBE.search(where):
            self.complaints.append(f"console error: {message.text} ({where})")

    def _watch(self, request):
        if "/live/" in request.url:
            self.live = request.url.partition("?")[0]
        if not request.url.startswith((self.server.url, "data:", "blob:", "ws://127.0.0.1")):
            self.complaints.append(f"a request left the machine: {request.url}")

    def open(self, name="", query=""):
        """Go to a lesson, and wait until its script has run to the end.

        A run stands at step 0 unless the query says ``opens=moving``, as a page does by itself.
        """
        if name in ("train", "twins") and not re.search("[?&](run|pair|opens)=", query):
            query = f"{query}&opens=still" if query else "?opens=still"
        self.page.goto(f"{self.server.url}/{'' if name == 'home' else name}{query}")
        self.wait()
        return self.page

    def wait(self):
        """Wait until the page shows a title and Streamlit says that nothing runs."""
        self.page.get_by_role("heading", level=1).first.wait_for()
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()

    def standing(self):
        """How the page's run stands by the server's word, which the picture may be behind of."""
        return unpack(httpx.get(self.live, timeout=patience.SECONDS).content)[0]

    def assert_content(self):
        """Hold that nothing on the page is an error, and nothing was complained about."""
        errors = self.page.locator("[data-testid=stException]").all_inner_texts()
        assert not errors, errors
        assert not self.complaints, self.complaints

    def describe(self):
        """Tell why a test may have failed: the page, its complaints, the server's last words."""
        try:
            standing = self.page.locator("html").evaluate(STANDING, timeout=REPORT_MS)
        except Exception as fault:  # a report must not fail
            standing = {"no answer": str(fault)}
        text = (standing.pop("text", None) or "")[:3000]
        log = self.server.log.read_text().splitlines()[-20:] if self.server.log.exists() else []
        told = [json.dumps(standing, indent=1, ensure_ascii=False), text, *self.complaints, *log]
        return "\n".join(filter(None, told))

    def wait_for_charts(self):
        """Wait until every chart and scene on the page is painted, and say how many there are."""
        drawn = ".lab-chart, .lab-scene, .lab-train, .lab-pair"
        self.page.wait_for_function(
            f"[...document.querySelectorAll('{drawn}')].every((c) => c.dataset.painted)"
        )
        return self.page.locator(drawn).count()


@pytest.fixture
def visit(chromium, server, request):
    """Make visitors: ``visit(color_scheme="dark")``; each is checked at the end of the test."""
    visitors = request.node.visitors = []

    def make(**context):
        visitors.append(Visitor(chromium, server, **context))
        return visitors[-1]

    yield make
    for visitor in visitors:
        try:
            visitor.assert_content()
        finally:
            visitor.context.close()
