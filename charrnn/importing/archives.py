"""Zip archives whose sizes are checked before anything is read."""

import zipfile


def members(archive: zipfile.ZipFile) -> list[str]:
    """The names of the files in it."""
    return archive.namelist()


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file's bytes, which have the checksum that the archive states.

    Raises:
        ValueError: It is not there, or compressed: neither PyTorch nor Keras compresses.
    """
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it lacks {name}") from None
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"{name} in it is compressed or encrypted")
    if info.file_size != info.compress_size:
        raise ValueError(f"{name} in it is not of the size that it says")
    return archive.read(info)
