"""How long Hypothesis looks: some seconds, the same examples every time; with `--hypothesis-profile=long` for hours."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile("long", settings.get_profile("default"), max_examples=100_000, derandomize=False)
settings.load_profile("default")
