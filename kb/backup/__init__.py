"""Keep copies that can be gone back to without breaking a promise: sealed, soon too old, and never without the ledger.

``kb.ledger`` says what was taken back since; docs/decisions/0008-ledger-and-backups.md says why it is so.
"""

from kb.backup.making import Backup, Progress, expire_old, make
from kb.backup.restoring import Restored, recover, restore

__all__ = ["Backup", "Progress", "Restored", "expire_old", "make", "recover", "restore"]
