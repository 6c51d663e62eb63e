# Chores; ./run and ./test set up .venv.
PY := .venv/bin/python

.PHONY: lint format types lock bench clean-data
lint:
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports
format:
	.venv/bin/ruff check --fix . && .venv/bin/ruff format .
types:
	.venv/bin/mypy
lock:
	.venv/bin/uv pip compile -q --no-header --no-emit-index-url --no-emit-find-links --python-version 3.12 requirements.in -o requirements.txt
	.venv/bin/uv pip compile -q --no-header --no-emit-index-url --no-emit-find-links --python-version 3.12 requirements-dev.in -o requirements-dev.txt
bench:
	MUJOCO_GL=egl $(PY) benchmarks/live.py
