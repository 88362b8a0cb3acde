"""The error tree. Every message is one line: where, what happened, the way out."""


class CharrnnError(Exception):
    """Base of all errors that a user can mend; the command line prints it and exits with 1."""


class ConfigError(CharrnnError):
    """A setting has an impossible value, or settings contradict each other."""


class CorpusError(CharrnnError):
    """The text cannot be read, decoded or trained on."""


class RunError(CharrnnError):
    """A run is unknown, already there, locked by another process, or finished."""


class CheckpointError(CharrnnError):
    """A checkpoint is damaged, or of a format that this version does not read."""


class DivergedError(CharrnnError):
    """Training keeps producing losses or gradients that are not finite."""
