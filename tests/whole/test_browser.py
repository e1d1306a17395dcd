"""The page that runs a streaming file in a real browser, typed into."""

import importlib.util
import json
import shutil
import subprocess
import threading
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_moduli

PAGE = Path(__file__).parents[2] / "docs" / "browser"
TEXT = "if one:\n  return ü"
SYMBOLS = ["\N{REPLACEMENT CHARACTER}", *"\n :efinortu"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packages():
    """LiteRT.js, which npm brings once."""
    if not (PAGE / "node_modules" / "@litertjs").is_dir():
        npm = shutil.which("npm")
        if not npm:
            pytest.skip("there is no npm to bring LiteRT.js")
        done = subprocess.run(
            [npm, "install", "--no-package-lock", "--prefix", PAGE],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"npm does not bring LiteRT.js: {done.stderr[-200:]}")


@pytest.fixture(scope="module")
def browser(packages):
    api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("there is no Chromium")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        yield running
        running.close()


@pytest.fixture
def url(tmp_path):
    """Where the page is served, with the model of `tmp_path`."""
    spec = importlib.util.spec_from_file_location("serve", PAGE / "serve.py")
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    with serve.server(tmp_path, 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def model_of(layer):
    keras.utils.set_random_seed(0)
    # Large weights, that answers depend on what was read long before.
    large = keras.initializers.RandomNormal(stddev=1.0, seed=0)
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(len(SYMBOLS), 16, large),
            layer,
            keras.layers.Dense(len(SYMBOLS), kernel_initializer=large),
        ]
    )


def expected(model, text):
    """The probability of every symbol after a text, by Keras."""
    codes = [max(SYMBOLS.index(c) if c in SYMBOLS else 0, 0) for c in text]
    logits = model.predict(np.array([codes]), verbose=0)[0, -1]
    powers = np.exp(logits - logits.max(), dtype="float64")
    return dict(zip(SYMBOLS, powers / powers.sum(), strict=True))


def shown(page, text):
    """What the page shows once it has read a text, most likely first."""
    page.wait_for_function(
        """text => document.getElementById('next').dataset.read === text ||
        document.querySelector('.error')""",
        arg=text,
        polling=50,  # frames may stand still where nothing is drawn
    )
    assert page.locator(".error").all_text_contents() == []
    rows = page.locator("#next tr").evaluate_all(
        "rows => rows.map(r => [r.dataset.symbol, +r.dataset.probability])"
    )
    return dict(rows)


def check(found, model, text, atol):
    true = expected(model, text)
    assert len(found) == 8
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for symbol, probability in found.items():
        assert probability == pytest.approx(true[symbol], abs=atol)


@pytest.mark.parametrize(
    "layer, quantization, atol",
    [
        (keras.layers.LSTM(32, return_sequences=True), None, 1e-4),
        (keras.layers.GRU(64, return_sequences=True), "int8", 0.1),
        (
            keras_moduli.layers.SparseGRU(
                64, fan_in=32, group_size=32, return_sequences=True
            ),
            None,
            1e-4,
        ),
    ],
    ids=["LSTM", "int8", "gathered"],
)
def test_typed_text_is_read_as_keras_reads_it(
    browser, url, tmp_path, layer, quantization, atol
):
    model = model_of(layer)
    keras_moduli.export_tflite(
        model, tmp_path / "step.tflite", quantization, streaming=True
    )
    (tmp_path / "vocabulary.json").write_text(json.dumps(SYMBOLS))
    page = browser.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(error))
    page.goto(url)
    box = page.locator("#text")
    box.click()  # waits until it can be typed into
    box.press_sequentially(TEXT)
    check(shown(page, TEXT), model, TEXT, atol)
    # It goes on from where it is, and begins anew where the text differs.
    box.press_sequentially("fi")
    check(shown(page, TEXT + "fi"), model, TEXT + "fi", atol)
    box.fill("one")
    check(shown(page, "one"), model, "one", atol)
    page.locator("#write").click()
    page.wait_for_function(
        "document.getElementById('text').value.length === 203",
        polling=50,
    )
    written = box.input_value()
    check(shown(page, written), model, written, atol)
    assert problems == []
    assert page.evaluate("crossOriginIsolated")
    page.close()


def test_what_is_missing_is_said(browser, url, tmp_path):
    page = browser.new_page()
    page.goto(url)
    status = page.locator("#state.error")
    status.wait_for()
    assert "vocabulary.json" in status.text_content()
    page.close()


def test_only_the_two_folders_are_served(url, tmp_path):
    import urllib.error
    import urllib.request

    (tmp_path / "here.txt").write_text("here")
    (tmp_path.parent / "outside.txt").write_text("secret")
    with urllib.request.urlopen(f"{url}model/here.txt") as answer:
        assert answer.read() == b"here"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    for name in "model/../../outside.txt", "model/%2e%2e/outside.txt":
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(url + name)
    for name in "../conf.py", "%2e%2e/conf.py", "model/%2e%2e/%2e%2e/conf.py":
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(url + name)
