"""Shared fixtures: where the project and its real test data lie."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"


@pytest.fixture
def project_dir():
    return PROJECT


@pytest.fixture
def shared_data():
    """Folder of real open data beside the project; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real open data not found beside the project ({SHARED_DATA.name})")
    return SHARED_DATA
