"""Every test of training knows the backbone `tiny`, so that whole runs take seconds."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # test_backends runs the commands of test_strategy


@pytest.fixture(scope="session", autouse=True)
def with_tiny_backbone(tiny_backbone):
    """See `tiny_backbone`."""


@pytest.fixture(scope="module", autouse=True)
def with_blank_pictures(blank_pictures):
    """See `blank_pictures`."""
