"""Kept runs in a real browser: after a reload, a killed server, a fork, a file, and for others."""

import contextlib
import io
import os
import re
import sqlite3
import zipfile
from pathlib import Path

import pytest
import serving
from playwright.sync_api import expect


class Runs:
    """What a reader sees of the Train page's picture and of the box of runs below it."""

    def __init__(self, visitor, query="?data=moons&K=3"):
        self.visitor = visitor
        self.page = visitor.open("train", query)
        self.wait_for("dataset.held")

    def wait_for(self, condition):
        picture = "document.querySelector('.lab-train') ?? {dataset: {}}"
        self.page.wait_for_function(f"(({{dataset}}) => {condition})({picture})")

    @property
    def step(self):
        return int(self.page.locator(".lab-train").get_attribute("data-step"))

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def train_to(self, step):
        self.press("Play")
        self.wait_for(f"Number(dataset.step) >= {step}")
        self.page.wait_for_url(re.compile("run="))

    def pause(self):
        self.press("Pause")
        self.wait_for("dataset.mode === 'paused'")
        self.visitor.wait()
        return self.step

    def open_box(self):
        self.page.locator("summary").filter(has_text=re.compile("Runs$")).click()
        self.page.get_by_text("Import a run").wait_for()
        self.visitor.wait()

    def choose(self, *texts):
        box = self.page.locator("[data-testid=stMultiSelect]")
        for text in texts:
            box.locator("input").click()
            box.locator("input").type(text)
            self.page.get_by_role("option").filter(has_text=text).first.click()
            chosen = box.locator("[data-testid=stMultiSelectTagsContainer]")
            chosen.filter(has_text=text).wait_for()
            # While its list is open, the rest of the page is hidden from assistive technology.
            self.page.keyboard.press("Escape")
            self.visitor.wait()

    def assert_names(self, *names):
        expect(self.page.locator(".lab-runs td:first-child a")).to_have_text(names)

    @property
    def address(self):
        return self.page.evaluate("location.href")


def written(folder):
    """The step that the database tells of its only run; -1 before there is one."""
    with contextlib.closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        (row,) = connection.execute("SELECT coalesce(max(step), -1) FROM runs").fetchall()
    return row[0]


@pytest.mark.slow
def test_after_kill_9_of_the_server_the_address_leads_back_to_the_run(visit, tmp_path):
    database = f"sqlite:///{tmp_path}/runs.sqlite"
    visitor = visit()
    with serving.serve(IWAE_LAB_DATABASE=database) as first:
        first.wait_until_warm()
        visitor.server = first
        runs = Runs(visitor)
        runs.train_to(60)
        seen = runs.step
        address = runs.address.removeprefix(first.url)
        # A slice that the picture shows is in the database a moment later, while the run plays on.
        serving.wait_for(lambda: written(tmp_path) >= seen, "no row came", first)
        at = written(tmp_path)
        first.process.kill()
        first.process.wait()
        runs.page.goto("about:blank")
    with serving.serve(IWAE_LAB_DATABASE=database) as second:
        second.wait_until_warm()
        runs.page.evaluate("1")  # what it complained of has been heard
        visitor.complaints.clear()  # for a moment the browser had lost its server
        visitor.server = second
        runs.page.goto(second.url + address)
        visitor.wait()
        runs.wait_for(f"Number(dataset.step) >= {at} && dataset.mode === 'paused'")
        back = runs.step
        assert back == written(tmp_path)
        bar = runs.page.get_by_role("slider", name="Step of the run to look at")
        bar.focus()
        bar.press("Home")  # long before the film of the reopened run: replayed
        runs.wait_for("dataset.back === '0' && dataset.sight === '0'")
        bar.press("Escape")
        runs.page.wait_for_url(re.compile("run="))
        runs.press("Play")
        runs.wait_for(f"Number(dataset.step) > {back}")
        runs.pause()
        runs.open_box()
        runs.assert_names("IWAE, K = 3 on Two moons")
        visitor.assert_content()
        runs.page.goto("about:blank")
        runs.page.evaluate("1")
        visitor.complaints.clear()


def test_reload_fork_compare_name_and_delete(visit):
    visitor = visit()
    runs = Runs(visitor)
    runs.train_to(80)
    at = runs.pause()
    address = runs.address
    runs.page.reload()
    visitor.wait()
    runs.wait_for(f"dataset.step === '{at}' && dataset.mode === 'paused'")
    assert runs.address == address
    runs.open_box()
    bar = runs.page.get_by_role("slider", name="Step of the run to look at")
    bar.focus()
    bar.press("Home")
    for _ in range(5):
        bar.press("ArrowRight")
    fork = 5 * int(bar.get_attribute("step"))  # a long run has longer strides
    runs.wait_for(f"dataset.back === '{fork}'")
    runs.press("Fork here")
    runs.page.wait_for_url(lambda url: url != address)
    runs.wait_for(f"dataset.step === '{fork}' && dataset.mode === 'paused' && dataset.back === ''")
    slider = runs.page.get_by_role("slider", name=re.compile("^K"))
    slider.focus()
    slider.press("ArrowRight")
    runs.wait_for("dataset.samples === '4'")
    runs.train_to(fork + 60)
    runs.pause()
    name = runs.page.get_by_label("Name of this run")
    name.fill("wider | <b>")
    name.press("Enter")
    runs.assert_names("IWAE, K = 3 on Two moons", "wider | <b>")
    runs.choose("IWAE, K = 3", "wider")
    chart = runs.page.locator(".lab-chart[data-painted]")
    expect(chart).to_have_attribute("aria-label", re.compile(f"they part at step {fork}$"))
    runs.press("Delete")
    runs.press("Delete 2 runs")
    runs.page.get_by_text("Play the run, or look back and fork it").wait_for()
    runs.assert_names()
    runs.page.wait_for_function("!location.search.includes('run=')")


def test_first_steps_are_forked_and_a_press_while_the_branch_comes_is_meant_for_it(visit):
    runs = Runs(visit(), "?data=moons&latents=2&K=3&opens=moving")
    runs.wait_for("dataset.mode === 'paused' && dataset.step === '300'")
    assert "run=" not in runs.address
    bar = runs.page.get_by_role("slider", name="Step of the run to look at")
    bar.fill("120")
    runs.wait_for("dataset.back === '120'")
    # In one moment: no answer can come between the two.
    runs.page.evaluate(
        """() => {
          const called = (name) => [...document.querySelectorAll(".lab-train button")]
            .find((button) => button.textContent === name);
          called("Fork here").click();
          called("Play").click();
        }"""
    )
    runs.page.wait_for_url(re.compile("run="))
    runs.wait_for("dataset.mode === 'playing' && Number(dataset.step) > 150")
    runs.pause()
    runs.open_box()
    runs.assert_names("IWAE, K = 3 on Two moons", "from step 120")
    parent = runs.page.locator(".lab-runs tr").nth(1)
    assert parent.locator("td").nth(1).inner_text() == "300"  # where it stood


def test_a_run_goes_out_as_a_file_and_comes_in_again_and_a_broken_file_says_why(visit):
    visitor = visit()
    runs = Runs(visitor)
    runs.train_to(30)
    at = runs.pause()
    runs.open_box()
    runs.choose("IWAE, K = 3")
    with runs.page.expect_download() as download:
        runs.press("Export")
    content = Path(download.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "reproduce.py" in archive.namelist()
    choose_file = runs.page.locator("[data-testid=stFileUploader] input[type=file]")
    broken = {"name": "run.zip", "mimeType": "application/zip", "buffer": content[:-200]}
    choose_file.set_input_files(broken)
    alert = runs.page.get_by_role("alert").filter(has_text="This is not a whole .zip file")
    alert.wait_for()
    runs.visitor.wait()
    choose_file.set_input_files(broken | {"buffer": content})
    runs.page.get_by_text(re.compile(f"Imported .* at step {at}")).wait_for()
    names = runs.page.locator(".lab-runs td:first-child a")
    expect(names).to_have_count(2)
    assert sorted(names.all_inner_texts()) == ["IWAE, K = 3 on Two moons", "imported"]
    runs.page.locator("[data-testid=stMultiSelect] input").press("Backspace")
    runs.page.keyboard.press("Escape")
    runs.choose("imported")
    before = runs.address
    runs.press("Open run")
    runs.page.wait_for_url(lambda url: url != before)
    runs.wait_for(f"dataset.step === '{at}' && dataset.mode === 'paused'")


def test_others_may_look_by_the_link_and_fork_but_not_change(visit):
    teacher = Runs(visit())
    teacher.train_to(30)
    at = teacher.pause()
    link = teacher.address.partition("/train")[2]
    pupil = Runs(visit(viewport={"width": 390, "height": 844}, color_scheme="dark"), link)
    pupil.page.get_by_text("You are looking at somebody else").wait_for()
    pupil.wait_for(f"dataset.step === '{at}'")
    buttons = ("Play", "Step", "Start over")
    for name in buttons:
        expect(pupil.page.get_by_role("button", name=name)).to_be_hidden()
    pupil.open_box()
    pupil.assert_names()
    width = pupil.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    pupil.press("Fork")
    pupil.page.wait_for_url(lambda url: not url.endswith(link))
    pupil.wait_for(f"dataset.step === '{at}' && dataset.mode === 'paused'")
    pupil.train_to(at + 20)
    pupil.pause()
    assert teacher.step == at
    cookies = {c["name"]: c for c in pupil.visitor.context.cookies()}
    mine = cookies["iwae_lab_browser"]
    assert (mine["httpOnly"], mine["sameSite"], len(mine["value"])) == (True, "Lax", 43)
    assert os.environ["IWAE_LAB_DATABASE"].startswith("sqlite:///")
