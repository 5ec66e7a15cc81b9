"""The errors of router_core, split by what the caller does about them.

RouterCoreError
├── DataError                     correct the data that was passed in
│   └── LabelsError               labelled prompts cannot be read, or nothing can be learnt from them
└── ConfigurationError            fix a setting or an installation; trying again will not help
    ├── ModelNotFoundError        no such embedding model on this machine or on the hub
    ├── ModelUnusableError        the model's files are damaged, pickled or of an unknown kind
    ├── CacheDirectoryError       the vector cache may not write where it was told to
    └── ArtefactError             a router's directory is missing, damaged or of another format

No error text holds a prompt, an answer or a key.
"""


class RouterCoreError(Exception):
    """Root of everything that router_core raises on purpose."""


class ConfigurationError(RouterCoreError):
    """A setting or an installation is wrong; trying again will not help."""


class ModelNotFoundError(ConfigurationError):
    """The embedding model is neither on this machine nor to be had from the hub."""


class ModelUnusableError(ConfigurationError):
    """The files of a model differ from the published ones, hold pickled weights or cannot be read."""


class CacheDirectoryError(ConfigurationError):
    """The directory of the vector cache cannot be made or written to."""


class ArtefactError(ConfigurationError):
    """The directory of a router is missing, damaged, altered or of another format."""


class DataError(RouterCoreError):
    """The data that was passed in is wrong; the text names the place and the reason."""


class LabelsError(DataError):
    """Labelled prompts cannot be read, or nothing can be learnt from them."""
