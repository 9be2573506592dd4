import functools
import re
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import pytest

import export
from age_gender.command_line import UserError
from helpers import ROOT, until

GUIDE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
ANSWER = r"age (\d+\.\d) \((\d+) to (\d+)\), female (\d\.\d+)"
BROWSER = next(filter(shutil.which, ("chromium", "google-chrome", "chrome")), None)
ORT = ROOT / "node_modules" / "onnxruntime-web" / "dist"
PAGE = """<!doctype html><meta charset="utf-8">
<script>
const tell = (text) => document.body ? document.body.textContent = text : setTimeout(tell, 9, text);
addEventListener("error", (event) => tell(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => tell(`error: ${event.reason}`));
setInterval(() => {
  const text = document.body?.textContent.trim();
  if (text) fetch("/answer", { method: "POST", body: text });
}, 50);
</script>
<script type="importmap">{"imports": {"onnxruntime-web": "/dist/ort.wasm.min.mjs"}}</script>
<script type="module" src="program.js"></script>
"""


def block(language):
    """The program of docs/export.md in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return found


@pytest.fixture
def exported(tmp_path, monkeypatch, astronaut, capsys):
    """Function that exports the shipped weights into the current folder, with the astronaut."""
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("astronaut.png", astronaut)

    def make(name):
        export.main(["--output", name])
        return capsys.readouterr().out

    return make


def close_to_the_guide(said):
    """Whether an answer is that of the guide, but for what other filters change."""
    guide, found = (re.search(ANSWER, text) for text in (GUIDE, said))
    assert found, said
    off = [abs(float(a) - float(b)) for a, b in zip(found.groups(), guide.groups())]
    return off[0] <= 0.5 and max(off[1:3]) <= 1 and off[3] <= 0.03


def test_python_of_the_guide_gives_its_answer(exported, capsys):
    line = exported("age.tflite")
    assert re.fullmatch(
        r"age\.tflite  LiteRT float32 rgb  2[89]\d{5} bytes  largest difference to Keras "
        r"\d\.\de-0\d in a probability, \d\.\de-0\d years  on 6 faces \(Grace Hopper, "
        r"Eileen Collins; mirrored, darkened\) and 10 of noise\n",
        line,
    )
    exec(block("python"), {})
    assert close_to_the_guide(capsys.readouterr().out)


class Page(SimpleHTTPRequestHandler):
    """Files of a folder, those of onnxruntime-web, and a place for answers."""

    extensions_map = {
        ".html": "text/html",
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def translate_path(self, path):
        if path.startswith("/dist/"):
            return str(ORT / path.removeprefix("/dist/").partition("?")[0])
        return super().translate_path(path)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.answers.append(self.rfile.read(length).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")
@pytest.mark.skipif(
    not ORT.is_dir(), reason="no onnxruntime-web: npm install --no-save onnxruntime-web"
)
def test_javascript_of_the_guide_gives_its_answer_in_a_browser(exported, tmp_path):
    pytest.importorskip("onnxruntime", reason="onnx and onnxruntime are not installed")
    exported("age.onnx")
    (tmp_path / "program.js").write_text(block("js"), encoding="utf-8")
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    serve = functools.partial(Page, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        server.answers = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        address = f"http://127.0.0.1:{server.server_port}/index.html"
        browser = subprocess.Popen(
            [BROWSER, *options, profile, address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            (answer, *_) = until(lambda: server.answers)
        finally:
            browser.kill()
            browser.wait()
            server.shutdown()
    assert close_to_the_guide(answer)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--output", "a.pb"], "--output: a.pb is the name of no format: "),
        (["--output", "a", "--weight_file", "no"], "--weight_file: no does not exist: "),
    ],
)
def test_mistake_is_told_with_its_option(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        export.main(arguments)
    assert str(error.value).startswith(message)
    assert not [*tmp_path.iterdir()]


def test_programs_of_the_guide_have_the_points_and_numbers_of_the_metadata():
    from age_gender import weights
    from age_gender.conversion.metadata import POINTS, describe

    path, description, _ = weights.load()
    about = describe(path, description, "rgb", False)
    for language in ("js", "kotlin"):
        numbers = [float(number) for number in re.findall(r"\d+\.\d+", block(language))]
        assert {each for point in POINTS.values() for each in point} <= set(numbers)
        assert {each for group in about["interval_quantiles"] for each in group[1:]} <= set(numbers)
        assert re.search(rf"SIZE = {about['image_size']}\b", block(language))
