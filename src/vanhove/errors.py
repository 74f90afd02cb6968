"""The errors vanhove raises on purpose: what was got, what is allowed, what to do."""


class VanhoveError(Exception):
    """Base class: the command line prints these as one line, without a traceback."""


class StructureError(VanhoveError):
    """A crystal structure cannot be read or cannot be used; names the source and the reason."""

    def __init__(self, reason: str, source: str | None = None):
        self.reason = reason
        self.source = source
        super().__init__(f"{source}: {reason}" if source else reason)


class DataError(VanhoveError):
    """A data set is missing, damaged or inconsistent."""


class ConfigError(VanhoveError):
    """A run file or an option has a wrong key or value."""


class BusyError(ConfigError):
    """Another process works in the output folder."""


class CheckpointError(VanhoveError):
    """A checkpoint is missing, damaged or does not fit."""


class OutputError(VanhoveError):
    """A file cannot be written; what was there before stays."""


class ScreeningError(VanhoveError):
    """A screening cannot go on; what is finished stays, and the same command continues."""


class TuningError(VanhoveError):
    """A search cannot go on; what is finished stays, and the same command continues."""


class MissingExtraError(VanhoveError):
    """An optional dependency is not installed; the message gives the pip line."""

    def __init__(self, package: str, extra: str, purpose: str):
        super().__init__(f"{purpose} needs {package}: pip install 'vanhove[{extra}]'")
