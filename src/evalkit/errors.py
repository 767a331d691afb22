"""What evalkit raises when something is wrong with data, settings, runs or a book."""

__all__ = ["BookError", "ConfigError", "DataError", "EvalkitError", "RunError"]


class EvalkitError(Exception):
    """Something the user can mend; its message says where, what was found and what was expected."""


class DataError(EvalkitError):
    """A table or value does not hold what it should."""


class ConfigError(EvalkitError):
    """A setting, a parameter or a command's argument is not one evalkit knows."""


class RunError(EvalkitError):
    """A notebook run did not succeed or its record cannot be trusted."""


class BookError(EvalkitError):
    """A book's sources do not fit together, or its rendering failed."""
