"""Parameters whose values only the settings know: the form of a run offers them as a list."""

from connectors.backfill.targets import target_names
from connectors.settings import Settings
from deployments.change import Choices


def parameter_choices(settings: Settings) -> Choices:
    """Returns the values that parameters of flows can have."""
    targets = target_names(settings)
    return {("backfill", "target"): targets, ("backfill-partition", "target"): targets}
