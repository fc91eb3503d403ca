"""List what the forms of the desk do: how each is made, which act it calls, and where one goes on afterwards."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from kb import places, withdrawal, workflow
from kb.db import Database
from kb.entries import Kind
from kb.hands import Hand
from kb.languages import pick
from kb.moderation import Action
from kb.web.context import get_db, now
from kb.web.desk import Desk
from kb.web.forms import review as forms
from kb.web.forms.fields import select_choices
from kb.web.forms.review import DeskForm
from kb.web.i18n import ui_language


@dataclass(frozen=True)
class Deed:
    """What a form of the desk does: how it is made, which function of the workflow it calls, and where one goes on."""

    make: Callable[[Desk, "MultiDict[str, str] | None"], DeskForm]
    do: Callable[[Database, Desk, Any, Hand], object]
    stay: bool = False


def _plain(action: Action, form: type[DeskForm] = DeskForm) -> Callable[[Desk, "MultiDict[str, str] | None"], DeskForm]:
    """Return a maker of forms that know which text stood on the page."""

    def make(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
        return form(action, sent, None if sent else {"seen": str(held.newest.seq), "text_hash": held.newest.sha256})

    return make


def _text_form(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
    form = forms.TestimonyForm if held.entry.kind is Kind.TESTIMONY else forms.PracticeForm
    fields = forms.text_fields(held.newest.text)
    return form(Action.EDIT, sent, fields if sent else fields | {"seen": str(held.newest.seq)})


def _file_form(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
    form = forms.FileForm("file_under", sent, forms.file_fields(held.entry, held.special))
    named = [(r.id, pick(r.names, ui_language())) for r in places.regions(get_db()).values()]
    form.region.choices = select_choices([("", _("not said")), *named])
    return form


def _checklist_form(held: Desk, sent: "MultiDict[str, str] | None") -> DeskForm:
    fields = forms.checklist_fields(held.my_check) | {"seen": str(held.newest.seq)}
    return forms.ChecklistForm("checklist", sent, None if sent else fields)


def _reason(form: Any) -> str | None:
    return form.reason.sound() or None


DEEDS: dict[str, Deed] = {
    Action.CLAIM: Deed(
        _plain(Action.CLAIM), lambda db, d, _f, hand: workflow.claim(db, d.entry.id, hand, at=now()), stay=True
    ),
    Action.PUT_BACK: Deed(
        _plain(Action.PUT_BACK), lambda db, d, _f, hand: workflow.put_back(db, d.entry.id, hand, at=now())
    ),
    Action.EDIT: Deed(
        _text_form,
        lambda db, d, f, hand: workflow.edit(db, d.entry.id, f.text(d.newest.text), hand, seen=f.seen_number, at=now()),
        stay=True,
    ),
    "file_under": Deed(
        _file_form, lambda db, d, f, hand: workflow.file_under(db, d.entry.id, hand, **f.facts(), at=now()), stay=True
    ),
    "checklist": Deed(
        _checklist_form,
        lambda db, d, f, hand: workflow.check_risks(
            db, d.entry.id, hand, f.answers(), seen=f.seen_number, reason=f.reason.sound(), at=now()
        ),
        stay=True,
    ),
    Action.ASK: Deed(
        _plain(Action.ASK, forms.AskForm),
        lambda db, d, f, hand: workflow.ask(db, d.entry.id, f.message.sound(), hand, reason=f.reason.sound(), at=now()),
    ),
    Action.RECOMMEND: Deed(
        _plain(Action.RECOMMEND, forms.JudgeForm),
        lambda db, d, f, hand: workflow.recommend(
            db, d.entry.id, hand, seen=f.seen_number, reason=_reason(f), at=now()
        ),
    ),
    Action.APPROVE: Deed(
        _plain(Action.APPROVE, forms.JudgeForm),
        lambda db, d, f, hand: workflow.approve(db, d.entry.id, hand, seen=f.seen_number, reason=_reason(f), at=now()),
    ),
    Action.REJECT: Deed(
        _plain(Action.REJECT, forms.RejectForm),
        lambda db, d, f, hand: workflow.reject(
            db, d.entry.id, hand, seen=f.seen_number, reason=f.reason.sound(), at=now()
        ),
    ),
    Action.RELEASE_ORALLY: Deed(
        _plain(Action.RELEASE_ORALLY, forms.OralForm),
        lambda db, d, f, hand: workflow.release_orally(
            db, d.entry.id, hand, text_hash=f.text_hash.data or "", reason=f.reason.sound(), at=now()
        ),
    ),
    Action.REVISE: Deed(
        _plain(Action.REVISE, forms.ReasonForm),
        lambda db, d, f, hand: workflow.revise(db, d.entry.id, hand, reason=f.reason.sound(), at=now()),
        stay=True,
    ),
    Action.RETIRE: Deed(
        _plain(Action.RETIRE, forms.ReasonForm),
        lambda db, d, f, hand: workflow.retire(db, d.entry.id, hand, reason=f.reason.sound(), at=now()),
    ),
    Action.WITHDRAW_FOR: Deed(
        _plain(Action.WITHDRAW_FOR, forms.TakeBackForm),
        lambda db, d, f, hand: withdrawal.withdraw_for(db, d.entry.id, hand, reason=f.reason.sound(), at=now()),
    ),
}
