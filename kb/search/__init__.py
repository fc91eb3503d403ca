"""Find entries: a copy of the visible texts in Whoosh, fed by an outbox, never asked who may see what.

``outbox`` is the only module that other nouns use; it knows no index. Every other module may be deleted together with the folder
``instance/index`` without losing anything: the database is the truth and decides on every hit.
"""

from kb.search.finding import Answer, Hit, Search
from kb.search.queries import Query

__all__ = ["Answer", "Hit", "Query", "Search"]
