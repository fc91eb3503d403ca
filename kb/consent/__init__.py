"""Keep what a person agreed to, and be the one gate that every output asks."""

from kb.consent.decisions import change as change
from kb.consent.decisions import facts as facts
from kb.consent.decisions import first_broken_event as first_broken_event
from kb.consent.decisions import first_false_scope as first_false_scope
from kb.consent.decisions import in_force as in_force
from kb.consent.decisions import later as later
from kb.consent.decisions import record as record
from kb.consent.decisions import release as release
from kb.consent.decisions import terms as terms
from kb.consent.decisions import withdraw as withdraw
from kb.consent.gate import Visible as Visible
from kb.consent.gate import permits as permits
from kb.consent.gate import visible as visible
from kb.consent.scopes import GIVEN as GIVEN
from kb.consent.scopes import REACH as REACH
from kb.consent.scopes import SCHEMA_VERSION as SCHEMA_VERSION
from kb.consent.scopes import TRANSITIONS as TRANSITIONS
from kb.consent.scopes import Actor as Actor
from kb.consent.scopes import Audience as Audience
from kb.consent.scopes import Facts as Facts
from kb.consent.scopes import Grant as Grant
from kb.consent.scopes import Scope as Scope
from kb.consent.scopes import Terms as Terms
from kb.consent.scopes import Viewer as Viewer
