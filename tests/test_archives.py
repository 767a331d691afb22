"""Archives from elsewhere are counted while they unpack, in a process with limits."""

import os
import struct
import zipfile

import pytest

from evalkit import archives
from evalkit.archives import apart, unpacked
from evalkit.errors import DataError


def packed(path, *members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def with_size_in_directory(path, size):
    """The same archive, whose directory and headers say that its one member has another size."""
    content = bytearray(path.read_bytes())
    local, central = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, local + 22, size)
    struct.pack_into("<I", content, central + 24, size)
    path.write_bytes(content)
    return path


def test_members_of_one_base_name_count_together(tmp_path):
    path = packed(tmp_path / "a.zip", ("en/t.txt", b"x" * 600), ("to/t.txt", b"y" * 600))

    assert set(unpacked(path, lambda _: True, limit=1200)) == {"en/t.txt", "to/t.txt"}
    with pytest.raises(DataError, match="larger than 0 MB unpacked"):
        unpacked(path, lambda _: True, limit=1199)


def test_a_directory_that_lies_about_sizes_does_not_unpack_more_than_it_says(tmp_path):
    path = with_size_in_directory(packed(tmp_path / "a.zip", ("t.txt", b"x" * 10**6)), 10)

    with pytest.raises(DataError, match="not a zip file, or broken"):
        unpacked(path, lambda _: True, limit=2 * 10**6)


def test_only_what_is_wanted_is_unpacked(tmp_path):
    path = packed(tmp_path / "a.zip", ("t.txt", b"kort"), ("film.mp4", b"x" * 10**6))

    assert unpacked(path, lambda name: name.endswith(".txt"), limit=4) == {"t.txt": b"kort"}


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_that_unpacks_without_limit_is_refused(tmp_path, compression):
    path = packed(tmp_path / "a.zip", ("t.txt", b"x"), compression=compression)

    with pytest.raises(DataError, match=r"t\.txt is encrypted or packed in an unusual way"):
        unpacked(path, lambda _: True)


def test_the_same_member_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = packed(tmp_path / "a.zip", ("t.txt", b"x"), ("t.txt", b"y"))

    with pytest.raises(DataError, match=r"t\.txt stands in it twice"):
        unpacked(path, lambda _: True)


def takes_memory(_path):
    return len(bytearray(archives.MEMORY_MB * 2 * 2**20))


def takes_time(_path):
    while True:
        pass


def falls_dead(_path):
    os.kill(os.getpid(), 9)


def refuses(path):
    raise DataError(f"{path}: nothing in it")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (takes_memory, r"a\.zip: takes more than 1500 MB of memory"),
        (falls_dead, r"a\.zip could not be read: its process was ended by the signal SIGKILL"),
        (refuses, r"a\.zip: nothing in it"),
    ],
)
def test_what_happens_in_the_process_apart_is_told(monkeypatch, function, told):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))

    with pytest.raises(DataError, match=told):
        apart(function, "a.zip")


def test_a_file_that_takes_for_ever_is_given_up(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    monkeypatch.setattr(archives, "TIME_LIMIT", 2)

    with pytest.raises(DataError, match=r"a\.zip: takes more than 2 seconds"):
        apart(takes_time, "a.zip")
