"""Files that newer Kerases wrote."""
import zipfile

import pytest

from network.newer_files import STORED


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newer")
    with zipfile.ZipFile(STORED) as file:
        file.extractall(str(folder))
    return str(folder)
