"""What workers say to each other: a kind, fields as JSON, and bytes. Data only, never code."""

import json
import socket
import struct
from dataclasses import dataclass, field

from charrnn.plain import parse, table, typed

HEAD = struct.Struct("!8sIQ")
MAGIC = b"charrnn\x01"
LONGEST_FIELDS = 1 << 22
LONGEST_DATA = 1 << 40
PIECE = 1 << 20
"""Bytes that are sent at once. A piece has to arrive within the socket's time-out."""


@dataclass(frozen=True)
class Message:
    """One message."""

    kind: str
    fields: dict[str, object] = field(default_factory=dict)
    data: bytes = b""


def send(connection: socket.socket, message: Message) -> None:
    """Send a message; OSError where that fails or a part of it takes longer than the time-out."""
    fields = json.dumps([message.kind, message.fields]).encode()
    connection.sendall(HEAD.pack(MAGIC, len(fields), len(message.data)) + fields)
    data = memoryview(message.data)
    for start in range(0, len(data), PIECE):
        connection.sendall(data[start : start + PIECE])


def receive(connection: socket.socket, most: int = LONGEST_DATA) -> Message:
    """The next message.

    Args:
        connection: Its time-out is how long it may be silent.
        most: The most bytes of data that are taken.

    Raises:
        OSError: The connection is lost or silent.
        ValueError: It is not a message of ours.
    """
    magic, fields_length, length = HEAD.unpack(exactly(connection, HEAD.size))
    if magic != MAGIC or fields_length > LONGEST_FIELDS or length > most:
        raise ValueError("it does not speak as a worker of charrnn")
    said = parse(bytes(exactly(connection, fields_length)))
    if not isinstance(said, list) or len(said) != 2:
        raise ValueError("it does not speak as a worker of charrnn")
    kind = typed(str, said[0], "kind")
    return Message(kind, table(said[1], kind), bytes(exactly(connection, length)))


def exactly(connection: socket.socket, length: int) -> bytearray:
    """So many bytes; ConnectionError where the other side closes before that.

    Memory is taken for what has come, not for what is promised.
    """
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(min(length - len(data), PIECE))
        if not piece:
            raise ConnectionResetError("closed by the other side")
        data += piece
    return data
