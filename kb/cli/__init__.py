"""The ``kb`` command: everything that is done to a site from the terminal. Each command asks the same functions as the pages.

One module for each subject; importing it here puts its commands into the menu.
"""

from kb.cli import accounts, instance, rights, safekeeping, serving
from kb.cli.group import main
from kb.cli.instance import COMMAND_SETTINGS, settings_page

__all__ = ["COMMAND_SETTINGS", "accounts", "instance", "main", "rights", "safekeeping", "serving", "settings_page"]
