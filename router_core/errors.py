"""The exceptions of router_core, grouped by what the caller can do about them.

RouterCoreError
├── DataError                     correct the input data
│   └── LabelsError               labelled prompts cannot be read, or nothing can be learnt from them
└── ConfigurationError            fix a setting or an installation; a retry does not help
    ├── ModelNotFoundError        the embedding model is neither on this machine nor on the hub
    ├── ModelUnusableError        the embedding model's files are damaged, pickled or of an unknown kind
    ├── CacheDirectoryError       the directory of the vector cache cannot be written to
    └── ArtefactError             a router's directory is missing, damaged or of another format

No error message contains a prompt, an answer or a key.
"""


class RouterCoreError(Exception):
    """The base class of all exceptions that router_core raises on purpose."""


class ConfigurationError(RouterCoreError):
    """A setting or an installation is wrong; a retry does not help."""


class ModelNotFoundError(ConfigurationError):
    """The embedding model is neither on this machine nor on the hub."""


class ModelUnusableError(ConfigurationError):
    """The files of an embedding model differ from the published ones, are pickled or cannot be read."""


class CacheDirectoryError(ConfigurationError):
    """The directory of the vector cache cannot be created or written to."""


class ArtefactError(ConfigurationError):
    """The directory of a router is missing, damaged, altered or of an unknown format."""


class DataError(RouterCoreError):
    """The input data are wrong; the message names the place and the reason."""


class LabelsError(DataError):
    """Labelled prompts cannot be read, or nothing can be learnt from them."""
