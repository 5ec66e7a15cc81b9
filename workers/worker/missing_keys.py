"""The warning of a dispatch worker, as it starts, of models whose key is not in its environment."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tasks.settings import Settings

logger = logging.getLogger(__name__)


def warn_at_start(settings: Settings, models: Sequence[str]) -> None:
    """Warn of the missing keys of the models that this worker serves, once Celery has set up the log.

    Args:
        settings: The settings.
        models: The names of the models that it serves; empty means all.
    """
    from celery.signals import celeryd_after_setup

    celeryd_after_setup.connect(lambda **_: warn(settings, models), weak=False)


def warn(settings: Settings, models: Sequence[str]) -> None:
    """Warn now; see `warn_at_start`."""
    from tasks.stages.dispatch.call import missing_key

    for model in settings.models:
        missing = missing_key(model) if not models or model.name in models else None
        if missing is not None:
            logger.warning("%s is not called: %s is not set here", model.name, missing.variable)
