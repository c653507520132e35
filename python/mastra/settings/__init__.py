"""Settings: one frozen object from defaults, a file, `.env`, the environment and arguments; reloaded while running."""

from mastra.settings.live import LiveSettings
from mastra.settings.settings import Settings, describe

__all__ = ["LiveSettings", "Settings", "describe"]
