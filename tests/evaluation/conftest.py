"""Every test of evaluation knows the backbone `tiny`, so that whole runs take seconds."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def with_tiny_backbone(tiny_backbone):
    """See `tiny_backbone`."""


@pytest.fixture(scope="module", autouse=True)
def with_blank_pictures(blank_pictures):
    """See `blank_pictures`."""
