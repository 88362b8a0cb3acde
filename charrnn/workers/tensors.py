"""Tensors as bytes on the way from worker to worker: the safetensors format, data alone."""

import zlib

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from charrnn.types import Tensors


def packed(tensors: Tensors) -> bytes:
    """The tensors as bytes."""
    return bytes(save({name: np.asarray(each, order="C") for name, each in tensors.items()}))


def unpacked(data: bytes) -> Tensors:
    """The tensors in bytes that `packed` has made; ValueError where they are not."""
    try:
        return dict(load(data))
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def checksum(tensors: Tensors) -> int:
    """CRC-32 of the tensors in the order of their names: the same bits have the same sum."""
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(np.asarray(tensors[name]).tobytes(), value)
    return value
