"""Let a program and its processes find no package but those of requirements-run.txt.

Python imports this file at its start where its folder is on PYTHONPATH: see helpers.LIGHT.
"""

import sys

MISSING = {
    *("tensorflow", "keras", "pandas", "tables", "matplotlib", "tensorboard"),
    *("jax", "onnx", "onnxruntime", "scipy", "skimage"),
}


class Without:
    """One of Python's ways to find modules, without these."""

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, *arguments):
        found = name.partition(".")[0] not in MISSING
        return self.finder.find_spec(name, *arguments) if found else None


sys.meta_path[:] = map(Without, sys.meta_path)
