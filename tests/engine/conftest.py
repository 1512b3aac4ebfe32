"""A backbone of three layers, so that whole runs take seconds."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tiny_run  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def tiny_backbone():
    """Put the backbone `tiny` of `tiny_run` into the table."""
    from fer_keras.models.backbones import BACKBONES

    tiny_run.add_tiny()
    yield
    del BACKBONES["tiny"]
