"""Damage to files: what a disk, a bad cable, a spreadsheet or an enemy makes of them.

Each function takes the bytes of a valid file and a `random.Random`, and returns other bytes: so
a test tries a few of them, and a long trial as many as it likes. `blind` damage is whatever
happens to bytes. The others speak the file's language: JSON is altered, and the checksums are
made to fit again.
"""

import json
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from charrnn.runs.checkpoints import HEADER_BLANK, HEADER_SUM, LENGTH, TENSORS_BLANK, TENSORS_SUM

Damage = Callable[[bytes, Random], bytes]

DEEP = "@deep@"
"""Stands for a list in a list in a list …, which JSON's own writer refuses."""
HOSTILE: list[Any] = [None, True, False, 0, 1, -1, -3, 7, 1.5, -0.5, 1e-300, 1e308]
HOSTILE += [2**31, 2**53, 2**63, 10**9, 10**12, 10**400, float("nan"), float("inf")]
HOSTILE += [
    "",
    "x",
    "1",
    "\0",
    "\ud800",
    "\n",
    "tanh",
    "rnn",
    "I64",
    "F64",
    "BF16",
    "é" * 300,
    DEEP,
]
HOSTILE += [[], [1], [-1, 4], [0, 10**15], [[]], ["a", "b"], {}, {"a": 1}, {"cell": "lstm"}]


def blind(data: bytes, random: Random) -> bytes:
    """Bits flipped, a block zeroed, bytes cut off, left out, added or swapped."""
    place, size = random.randrange(len(data)), random.choice((1, 2, 8, 100, 5000))
    block = data[place : place + size]
    made = {
        "a bit": data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :],
        "a byte": data[:place] + bytes([random.randrange(256)]) + data[place + 1 :],
        "zeros": data[:place] + bytes(len(block)) + data[place + size :],
        "cut off": data[:place],
        "left out": data[:place] + data[place + size :],
        "twice": data[:place] + block + data[place:],
        "added": data + random.randbytes(size),
        "elsewhere": block + data[:place] + data[place + size :],
    }
    return random.choice(list(made.values()))


def tensors_file(data: bytes, random: Random) -> bytes:
    """A safetensors file whose header or numbers are altered, with checksums that fit."""
    header, tensors = taken_apart(data)
    ((key, text),) = header.pop("__metadata__").items()
    description = json.loads(text)
    kind = random.choice(("description", "description", "layout", "numbers"))
    if kind == "description":
        description = altered(description, random)
    if kind == "layout":
        header = altered(header, random)
    if kind == "numbers":
        tensors = odd_number(tensors, random)
    return put_together(header, key, description, tensors)


def odd_number(data: bytes, random: Random) -> bytes:
    """Numbers with one among them that is none, or infinite, or negative, or very small."""
    place = 4 * random.randrange(len(data) // 4)
    number = random.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\xff\xff", b"\1\0\0\1"))
    return data[:place] + number + data[place + 4 :]


def taken_apart(data: bytes) -> tuple[dict[str, Any], bytes]:
    """A safetensors file's header and what comes after it."""
    end = LENGTH + int.from_bytes(data[:LENGTH], "little")
    return json.loads(data[LENGTH:end]), data[end:]


def put_together(header: object, key: str, description: object, tensors: bytes) -> bytes:
    """A safetensors file with checksums that fit, where its description has them."""
    if isinstance(description, dict):
        sums = {HEADER_SUM: HEADER_BLANK.decode(), TENSORS_SUM: TENSORS_BLANK.decode()}
        rest = {name: value for name, value in description.items() if name not in sums}
        present = {name: value for name, value in sums.items() if name in description}
        description = {**present, **rest}
    text = written(description)
    if isinstance(header, dict):
        header = {"__metadata__": {key: text}, **header}
    whole = written(header).encode("utf-8", "surrogatepass")
    whole = whole.replace(TENSORS_BLANK, crc(tensors), 1)
    whole = whole.replace(HEADER_BLANK, crc(whole), 1)
    return len(whole).to_bytes(LENGTH, "little") + whole + tensors


def crc(data: bytes) -> bytes:
    """CRC-32 as the files write it."""
    return f"{zlib.crc32(data):08x}".encode()


def record(data: bytes, random: Random) -> bytes:
    """A `corpus.json` that is altered, with a checksum that fits."""
    given = json.loads(data)
    del given["checksum"]
    return summed(altered(given, random))


def summed(given: object) -> bytes:
    """A record with the checksum that fits."""
    if not isinstance(given, dict):
        return written(given).encode()
    text = written(given)
    return written({**given, "checksum": zlib.crc32(text.encode())}).encode()


def altered(value: Any, random: Random) -> Any:
    """Plain data with one to three things altered."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value = altered_once(value, random)
    return value


def altered_once(value: Any, random: Random) -> Any:
    """Plain data with something replaced, left out, renamed or added at a place in it."""
    if not isinstance(value, (dict, list)) or not value:
        return random.choice(HOSTILE)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key, new = random.choice(keys), random.choice(HOSTILE)
    value = value.copy()
    if isinstance(value[key], (dict, list)) and random.random() < 0.8:
        value[key] = altered_once(value[key], random)
        return value
    match random.choice(("replaced", "replaced", "nudged", "left out", "moved", "added")):
        case "replaced":
            value[key] = new
        case "nudged":
            value[key] = nudged(value[key], random)
        case "left out":
            del value[key]
        case "moved" if isinstance(value, dict):
            value[random.choice([*keys, "other"])] = value.pop(key)
        case _ if isinstance(value, dict):
            value[random.choice(("other", "é\x1b[31m", "weights/other"))] = value[key]
        case _:
            value.append(new)
    return value


def nudged(value: Any, random: Random) -> Any:
    """A value of the same type that is a little different."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, (int, float)):
        return random.choice((value + 1, value - 1, -value, 2 * value, value * 10**6))
    if isinstance(value, str):
        return random.choice(
            (value[::-1], value + value, value[:-1], value + "\ud800", value + "z")
        )
    return random.choice(HOSTILE)


def written(value: object) -> str:
    """JSON, with what its own writer refuses."""
    return json.dumps(value).replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000)
