"""The page at /docs, in a real browser against a real server; and what it serves, by plain requests."""

import json
import math
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from tests.runtime.page import Browser, Page, start_browser
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

from gpu_inference.errors import GpuInferenceError
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.web.docs_page.samples import find_samples

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / ".artifacts"
SAMPLES = ROOT / "model-samples" / "mnist-tf" / "src" / "sample-requests"
KEY = "the-first-key"

# Tells 0, 1 and 7 apart by where the ink is, as the model of digits would see it.
DIGITS = """
import json, pathlib, time
import numpy as np

def init(): pass

def run(raw_data):
    data = json.loads(raw_data)["data"]
    if data == "hold":
        print("run has begun")
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
        return "held"
    return [digit(image) for image in np.array(data).reshape(-1, 28, 28)]

def digit(image):
    columns = np.flatnonzero(image.max(axis=0) > 0.5)
    if columns[-1] - columns[0] < 12:
        return 1
    return 0 if image[11:17, 11:17].sum() < 3 else 7
"""
SCHEMA = """
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

def init(): pass

@input_schema("images", NumpyParameterType(np.full((2, 28, 28, 1), 200.0)))
@output_schema(StandardPythonParameterType([0.5]))
def run(images):
    return np.eye(10)[3:4].tolist() if images.max() > 200 else "no ink"
"""

# Lines to draw, in parts of the box: from 0, 0 (top left) to 1, 1.
STROKES = {
    0: [[(0.5 + 0.15 * math.sin(t / 4), 0.45 - 0.22 * math.cos(t / 4)) for t in range(26)]],
    1: [[(0.7, 0.2), (0.7, 0.5), (0.69, 0.8)]],
    7: [[(0.1, 0.15), (0.3, 0.15), (0.5, 0.15)], [(0.5, 0.15), (0.4, 0.4), (0.3, 0.6)]],
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = start_browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def server(start_module_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The service of digits, as the chart sets it up: with keys, one request at a time."""
    keys = tmp_path_factory.mktemp("keys")
    (keys / "primaryKey").write_text(KEY)
    (keys / "secondaryKey").write_text("the-second-key")
    server = start_module_server(
        DIGITS,
        GPU_INFERENCE_FRONT_END="azureml",
        GPU_INFERENCE_KEYS_DIR=str(keys),
        GPU_INFERENCE_MAX_QUEUE_WAIT_MS="100",
        SCORING_TIMEOUT_MS="1500",
    )
    shutil.copytree(SAMPLES, server.folder / "src" / "sample-requests")
    server.wait_ready()
    return server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    page = Page(browser, server.url("/docs"))
    yield page
    page.check_that_it_stayed_at_home()


def draw(page: Page, digit: int) -> None:
    canvas = page.find("#canvas")
    width, height = canvas.rect["width"], canvas.rect["height"]
    for stroke in STROKES[digit]:
        actions = ActionChains(page.browser, duration=10)
        # Offsets count from the middle.
        points = [(round((x - 0.5) * width), round((y - 0.5) * height)) for x, y in stroke]
        actions.move_to_element_with_offset(canvas, *points[0]).click_and_hold()
        for point in points[1:]:
            actions.move_to_element_with_offset(canvas, *point)
        actions.release().perform()


def body_of(page: Page) -> object:
    return json.loads(page.find("#body").get_property("value"))  # type: ignore[arg-type]


def test_with_a_wrong_key_nothing_of_the_service_is_shown(page: Page) -> None:
    assert not page.find("#service").is_displayed()
    page.use_key("wrong")
    page.wait_for_text("#status", "does not accept this key. It says: ")
    assert not page.find("#service").is_displayed()
    assert KEY not in page.browser.page_source


def test_a_drawn_digit_is_scored(page: Page) -> None:
    page.use_key(KEY)
    page.wait_for(page.find("#canvas").is_displayed, "the drawing box")
    for digit in STROKES:
        page.find("#clear").click()
        draw(page, digit)
        page.send()
        page.wait_for_text("#prediction", str(digit))
    page.wait_for_text("#reference", "/score")
    page.keep_picture(ARTIFACTS / "docs-page.png")
    page.browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    page.wait_for(lambda: "dark-mode" in (page.find("html").get_attribute("class") or ""), "darkness")
    page.keep_picture(ARTIFACTS / "docs-page-dark.png")
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_is_drawn_is_sent_as_mnist_has_its_digits(page: Page) -> None:
    page.use_key(KEY)
    page.wait_for(page.find("#canvas").is_displayed, "the drawing box")
    draw(page, 0)
    image = np.array(body_of(page)["data"])  # type: ignore[index]
    assert image.shape == (1, 784)
    assert (image.min(), image.max()) == (0, 1)
    # Soft edges: some of the ink is grey.
    assert ((image > 0.05) & (image < 0.95)).sum() > 20
    rows, columns = np.indices((28, 28))
    ink = image.reshape(28, 28)
    for places in (rows, columns):
        assert (ink * (places + 0.5)).sum() / ink.sum() == pytest.approx(14, abs=0.3)
    # Small in a corner when drawn, and 20 pixels high when sent.
    assert np.ptp(rows[ink > 0.3]) + 1 in (19, 20, 21)


def test_a_sample_beside_the_script_is_sent_and_answered(page: Page) -> None:
    page.use_key(KEY)
    page.wait_for(page.find("#sample").is_displayed, "the samples")
    choice = Select(page.find("#sample"))
    offered = [option.text for option in choice.options if option.is_enabled()]
    assert offered == [f"{digit}.json" for digit in range(10)]
    for name in ("1.json", "0.json"):
        choice.select_by_visible_text(name)
        page.wait_for(lambda name=name: body_of(page) == json.loads((SAMPLES / name).read_text()), name)  # type: ignore[misc]
        page.send()
        page.wait_for_text("#prediction", name[0])
        assert page.find("#answer-status").text.startswith("200 OK · ")
        assert json.loads(page.find("#answer-body").text) == [int(name[0])]
    page.set_body('{"data": []}')
    assert choice.first_selected_option.text == "your own request"


def test_what_the_script_cannot_score_is_told_without_a_traceback(page: Page) -> None:
    page.use_key(KEY)
    page.wait_for(page.find("#body").is_displayed, "the request")
    page.set_body('{"data": [[1, 2]]}')
    assert not page.find("#canvas").is_displayed()
    page.send()
    page.wait_for_text("#answer-status", "502 ")
    assert "The script failed on this request" in page.find("#answer-meaning").text
    assert "An unexpected error occurred in scoring script" in page.find("#answer-meaning").text
    assert "Traceback" not in page.find("body").text
    assert not page.find("#prediction").is_displayed()
    page.set_body("no JSON")
    page.wait_for_text("#body-status", "This is not JSON")


def test_a_busy_service_and_a_timeout_are_told_as_such(page: Page, server: Server) -> None:
    page.use_key(KEY)
    page.wait_for(page.find("#body").is_displayed, "the request")
    over = threading.Event()

    def hold() -> None:
        # Again and again: each ends with its timeout.
        while not over.is_set():
            server.score('{"data": "hold"}', Authorization=f"Bearer {KEY}")

    holder = threading.Thread(target=hold)
    holder.start()

    def refused() -> bool:
        if page.find("#send").is_enabled():
            page.send()
        return (
            "It says: Too many requests for service mnist (overloaded)" in page.find("#answer-meaning").text
        )

    try:
        server.wait_for_log("run has begun")
        page.wait_for(refused, "refused, for the service is busy")
        assert page.find("#answer-status").text.startswith("503 ")
    finally:
        over.set()
        holder.join()
    page.set_body('{"data": "hold"}')
    page.send()
    page.wait_for_text("#answer-meaning", "took longer than the service allows.")
    assert page.find("#answer-status").text.startswith("504 ")


def test_swagger_ui_takes_the_bare_key_and_sends_to_the_service(page: Page, server: Server) -> None:
    page.browser.get(server.url("/api/v1/service/mnist/docs"))
    page.use_key("the-second-key")
    page.wait_for_text("#reference", "/score")
    find = page.find
    page.click("#reference .btn.authorize")
    page.wait_for_text(".auth-container", "Logout")
    page.click(".auth-container .btn.auth:not(.btn-done)")
    page.wait_for(lambda: page.browser.find_elements(By.CSS_SELECTOR, ".auth-container input") != [], "input")
    find(".auth-container input").send_keys(KEY)
    page.click(".auth-container .btn.auth.authorize")
    page.click(".auth-container .btn-done")
    page.click("#operations-default-RunMLService .opblock-summary-control")
    page.wait_for_text("#reference", "Try it out")
    page.click("#operations-default-RunMLService .try-out__btn")
    page.click("#operations-default-RunMLService .execute")
    page.wait_for_text("#reference .live-responses-table", "200")
    assert f"Bearer {KEY}" in find("#reference .curl-command").text
    assert server.url("/api/v1/service/mnist/score") in find("#reference .request-url").text


def test_every_control_has_a_name(page: Page) -> None:
    page.use_key(KEY)
    page.wait_for(page.find("#canvas").is_displayed, "the drawing box")
    # Those of Swagger UI are its makers'.
    selector = ":is(input, button, select, textarea, canvas):not(#reference *)"
    controls = page.browser.find_elements(By.CSS_SELECTOR, selector)
    shown = [each for each in controls if each.is_displayed()]
    assert [each.get_attribute("outerHTML") for each in shown if not each.accessible_name] == []


def test_without_keys_the_sample_of_the_schema_is_there_at_once(
    browser: Browser, start_server: StartServer
) -> None:
    server = start_server(SCHEMA, SERVICE_NAME="<i>mine & yours</i>")
    server.wait_ready()
    page = Page(browser, server.url("/docs"))
    page.wait_for(page.find("#canvas").is_displayed, "the drawing box")
    assert page.browser.find_elements(By.ID, "key-form") == []
    assert page.find("h1").text == "<i>mine & yours</i>"
    draw(page, 7)
    image = np.array(body_of(page)["images"])  # type: ignore[index]
    assert (image.shape, image.min(), image.max()) == ((1, 28, 28, 1), 0, 255)
    page.send()
    page.wait_for_text("#prediction", "3, the highest of 10")
    page.check_that_it_stayed_at_home()


@pytest.fixture
def authorized() -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}"}


def get(server: Server, path: str, headers: dict[str, str] | None = None) -> requests.Response:
    return requests.get(server.url(path), headers=headers, timeout=PATIENCE_SECONDS, allow_redirects=False)


def test_the_pages_policy_allows_its_own_files_alone(server: Server) -> None:
    for path in ("/docs", "/api/v1/service/mnist/docs"):
        answer = get(server, path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
    assert get(server, "/docs/").headers["Location"] == "../docs"
    assert "Apache License" in get(server, "/docs/swagger-ui/LICENSE").text


def test_samples_ask_for_the_key(server: Server, authorized: dict[str, str]) -> None:
    for path in ("/docs/samples", "/docs/samples/7.json", "/api/v1/service/mnist/docs/samples"):
        refused = get(server, path)
        assert (refused.status_code, refused.json()["message"]) == (401, "Unauthorized, no Auth Header")
        assert get(server, path, authorized).status_code == 200
    assert get(server, "/docs/samples/7.json", authorized).content == (SAMPLES / "7.json").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/docs/samples/expected.json",
        "/docs/samples/..%2Fscore.py",
        "/docs/static/..%2F__init__.py",
        "/docs/swagger-ui/index.css",
        "/docs/other",
        "/api/v1/service/another/docs",
        "/api/v1/service/another/docs/static/page.js",
    ],
)
def test_what_is_not_the_pages_own_is_not_there(
    path: str, server: Server, authorized: dict[str, str]
) -> None:
    answer = get(server, path, authorized)
    assert (answer.status_code, list(answer.json())) == (404, ["message"])


def test_the_page_can_be_turned_off(start_server: StartServer) -> None:
    server = start_server(GPU_INFERENCE_DOCS="false")
    server.wait_ready()
    for path in ("/docs", "/api/v1/service/mnist/docs", "/docs/static/page.js"):
        assert get(server, path).status_code == 404


def samples_of(root: Path, model_dir: str | None = None) -> list[str]:
    settings = Settings(
        entry_script="src/score.py", source_directory="src", app_root=root, model_dir=model_dir
    )
    return [str(path.relative_to(root)) for path in find_samples(settings).values()]


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")


def test_samples_are_those_of_the_first_place_that_has_any(tmp_path: Path) -> None:
    assert samples_of(tmp_path) == []
    write(tmp_path, "azureml-models/net/1/net/sample_request.json")
    assert samples_of(tmp_path) == []
    for model_dir in ("azureml-models/net/1", "azureml-models"):
        found = samples_of(tmp_path, model_dir=str(tmp_path / model_dir))
        assert found == ["azureml-models/net/1/net/sample_request.json"]
    write(tmp_path, "sample-requests/b.json", "sample-requests/a.json", "sample-requests/expected.json")
    write(tmp_path, "sample-requests/notes.txt")
    found = samples_of(tmp_path, model_dir=str(tmp_path / "azureml-models"))
    assert found == ["sample-requests/a.json", "sample-requests/b.json"]
    write(tmp_path, "src/sample_request.json", "src/sample-requests/c.json")
    assert samples_of(tmp_path) == ["src/sample_request.json", "src/sample-requests/c.json"]


def test_a_sample_too_large_for_a_page_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "src/sample-requests/small.json", "src/sample-requests/large.json")
    with (tmp_path / "src/sample-requests/large.json").open("wb") as large:
        large.truncate(1024 * 1024 + 1)
    assert samples_of(tmp_path) == ["src/sample-requests/small.json"]


def test_a_missing_browser_is_told_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GpuInferenceError, match=r"chromedriver, which .*\n  .*python\S* -m tests\.browser$"):
        start_browser(tmp_path)
