# make demo: ages and genders of the faces in two real pictures, in a fresh clone
# make train: installs what training, databases and evaluation need as well
# make test: all that and the tools, then the style checks and the tests

PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

demo: .venv/installed
	$(BIN)/python demo.py --image_dir tools/pictures --output_dir demo_output --overwrite
	@if [ -n "$$DISPLAY" ]; then \
		echo "in a window: $(BIN)/python demo.py --image_dir tools/pictures"; \
		echo "with a camera: $(BIN)/python demo.py"; \
	else echo "no display here; where there is one, $(BIN)/python demo.py opens a window"; fi

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q -n 3 --dist worksteal

train: .venv/installed-all

.venv/installed: requirements-run.txt tools/check_system.py
	$(PYTHON) tools/check_system.py
	$(PYTHON) -m venv .venv
	@echo "installing what requirements-run.txt lists into .venv: half a minute, 700 MB"
	$(BIN)/python -m pip install --quiet --use-pep517 -r requirements-run.txt
	@touch $@

.venv/installed-all: .venv/installed requirements.txt
	@echo "installing what requirements.txt lists into .venv: a few minutes, 3 GB"
	$(BIN)/python -m pip install --quiet --use-pep517 -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed-all requirements-dev.txt requirements-export.txt
	$(BIN)/python -m pip install --quiet --use-pep517 -r requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv demo_output .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: demo train test clean
