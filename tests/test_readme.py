"""Every Markdown file is under test: commands, options, files, links, Python and figures."""

import ast
import functools
import re
import shlex
import shutil
import subprocess
import sys
from string import Template

import cv2
import pytest

from age_gender.training.options import OLD_NAMES
from helpers import ROOT

FOLDERS = (".", "docs", "benchmarks", "pretrained_models", "appa-real")
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in FOLDERS
    for path in sorted((ROOT / folder).glob("*.md"))
}
README = TEXTS["README.md"]
CARD = TEXTS["pretrained_models/README.md"]
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
# programs and options that are not the project's own
FOREIGN = (".", "apt-get", "cd", "docker", "export", "git", "mkdir", "mv", "pip", "py", "unzip")
DOCKER = {"--group", "--network", "--read", "--user"}


def blocks(text, *languages):
    """The fenced blocks of a Markdown text in some languages."""
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", text, re.DOTALL)


def commands(text):
    """Each command of a Markdown text, on one line, with the variables of its block put in."""
    for block in blocks(text, "sh", "powershell"):
        variables = {}
        for line in re.sub(r" [\\`]\n\s*", " ", block).splitlines():
            assigned = re.match(r'(\w+)="(.*)"$', line)
            if assigned:
                variables[assigned[1]] = Template(assigned[2]).safe_substitute(variables)
            else:
                yield Template(line).safe_substitute(variables)
    yield from (f"python3 {line}" for line in re.findall(r"`((?:\w+/)*\w+\.py [^`|]*)`", text))


COMMANDS = sorted({(name, line) for name, text in TEXTS.items() for line in commands(text) if line})


@functools.cache
def help_of(*script):
    done = subprocess.run(
        [sys.executable, *script, "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def script_of(words):
    """What Python is told to run, and the arguments: (("demo.py",), [...])."""
    return (tuple(words[:2]), words[2:]) if words[0] == "-m" else ((words[0],), words[1:])


@pytest.mark.parametrize("name, line", COMMANDS)
def test_command_and_its_options_exist(name, line):
    words = shlex.split(line.replace("\\", "/"), comments=True)
    ours = [place for place, word in enumerate(words) if word.startswith("age-gender-")]
    if "run" in words[:2] and ours:  # docker run ... age-gender-estimation age-gender-demo ...
        words = words[ours[-1] :]
    program, *words = words
    if program == "./download.sh":
        assert set(words) <= {"imdb", "wiki", "appa-real"}
    elif program == "make":
        assert f"\n{words[0]}:" in (ROOT / "Makefile").read_text()
    elif program.startswith("age-gender-"):
        script = program.removeprefix("age-gender-").replace("-", "_") + ".py"
        options_exist((script,), words)
    elif program in ("python3", ".venv/bin/python", ".venv/Scripts/python"):
        script, arguments = script_of(words)
        if script != ("-m", "venv"):
            options_exist(script, arguments)
    else:
        assert program.removeprefix(".venv/Scripts/") in FOREIGN


def options_exist(script, arguments):
    old_names = {old: name for name, old in OLD_NAMES.items()}  # in the command of shipped weights
    for option in re.findall(r"(?<!\S)--\w+", " ".join(arguments)):
        option = old_names.get(option, option)
        assert re.search(rf"{option}\b", help_of(*script)), f"{script} has no {option}"
    help_of(*script)


def test_there_are_commands_in_the_readme_and_in_docs():
    files = [name for name, _ in COMMANDS]
    assert files.count("README.md") > 8
    assert len({name for name in files if name.startswith("docs/")}) > 4


def test_options_in_the_text_are_those_of_some_command():
    guarded = [
        path.relative_to(ROOT)
        for pattern in ("*.py", "age_gender/**/*.py", "benchmarks/**/*.py", "tools/*.py")
        for path in ROOT.glob(pattern)
        if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
    ]
    modules = [".".join(path.with_suffix("").parts) for path in guarded]
    known = {each for module in modules for each in re.findall(r"--\w+", help_of("-m", module))}
    for name, text in TEXTS.items():
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        assert sorted(set(re.findall(r"`(--\w+)", prose)) - known - DOCKER) == [], name


@pytest.mark.parametrize("name", TEXTS)
def test_files_in_the_text_exist(name):
    found = re.findall(r"`([\w./-]+\.(?:py|txt|sh|ipynb|toml|md))`", TEXTS[name])
    found += re.findall(r"`((?:age_gender|tests|tools|benchmarks|docs)/[\w/]*)`", TEXTS[name])
    here = (ROOT / name).parent
    assert [each for each in found if not ((ROOT / each).exists() or (here / each).exists())] == []


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        if link.startswith("https://"):
            continue
        path, _, heading = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            known = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in known, link


@pytest.mark.parametrize("name", [name for name in TEXTS if blocks(TEXTS[name], "python")])
def test_python_compiles_and_what_it_imports_exists(name):
    for block in blocks(TEXTS[name], "python"):
        imports = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
        assert imports
        for node in imports:
            module = __import__(node.module, fromlist=["names"])
            assert [each.name for each in node.names if not hasattr(module, each.name)] == []


def test_python_of_the_readme_runs(tmp_path, monkeypatch, astronaut, tiny_weights, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("party.jpg", "a.jpg", "b.jpg"):
        cv2.imwrite(name, astronaut)
    shutil.copy(tiny_weights[0], "weights.hdf5")
    (block,) = blocks(README, "python")
    variables = {}
    exec(block, variables)
    assert re.fullmatch(r"\(176, 76, 91, 91\) 3\d\.\d+ \(.*\) F 0\.\d+\n", capsys.readouterr().out)
    assert variables["first"] == variables["second"] and len(variables["first"]) == 1


def test_readme_is_short_and_leads_to_all_of_docs():
    assert len(README.splitlines()) <= 200
    assert [name for name in TEXTS if name.startswith("docs/") and f"({name})" not in README] == []


def test_readme_names_every_script_and_the_two_commands_of_make():
    assert [name for name in SCRIPTS if name not in README] == []
    assert re.findall(r"^make (\w+)$", README, re.MULTILINE) == ["demo", "test"]


def test_system_line_is_the_one_that_the_check_prints():
    from tools import check_system

    assert check_system.APT_GET in README


def test_figures_are_those_of_the_weights_that_ship():
    from age_gender import weights

    description, _ = weights.read(weights.find())
    assert f"{description.val_age_mae:.2f}" in README
    assert f"{100 * description.val_gender_accuracy:.1f}" in README
    assert description.training in CARD.replace(" \\\n    ", " ")
