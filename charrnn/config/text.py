"""How the files of a corpus are read and divided."""

from dataclasses import dataclass

from charrnn.config.settings import Settings, setting
from charrnn.errors import ConfigError


@dataclass(frozen=True)
class TextConfig(Settings):
    """How files become characters, and which of them train."""

    group = "Text"

    encoding: str = setting("utf-8", "Character encoding of the files.")
    bytes: bool = setting(False, "Learn bytes instead of characters; works with any file.")
    keep_newlines: bool = setting(
        False, "Keep Windows line endings (CRLF); otherwise they become LF."
    )
    skip_undecodable: bool = setting(
        False, "Leave out files that cannot be decoded, and list them."
    )
    min_count: int = setting(
        1, "Treat characters that occur fewer times than this as unknown.", low=1
    )
    val_fraction: float = setting(0.1, "Share of the text kept for validation.", low=0, below=1)
    test_fraction: float = setting(
        0.0, "Share of the text, at its end, kept for testing.", low=0, below=1
    )

    def _complete(self) -> None:
        if self.val_fraction + self.test_fraction >= 1:
            raise ConfigError(
                "together they leave no text for training",
                {"val_fraction": self.val_fraction, "test_fraction": self.test_fraction},
            )
        try:
            "".encode(self.encoding)
        except (LookupError, ValueError):
            raise ConfigError(
                "unknown",
                {"encoding": self.encoding},
                way_out="try utf-8, utf-16, latin-1 or gb18030",
            ) from None
