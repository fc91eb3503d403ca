"""Name what a consent receipt must say, and find what one does not say.

The fields are the mandatory ones of ISO/IEC TS 27560, those that the GDPR makes mandatory beyond it (mapped in the W3C DPV guide to
that standard), and what this product keeps so that a consent can be shown to have been understood.
"""

from collections.abc import Mapping
from typing import Any

# A path into the receipt, the name of the field in ISO/IEC TS 27560, and where else it is asked for.
# "[]" stands for every item of a list that must have one.
MANDATORY: tuple[tuple[str, str, str], ...] = (
    ("schema_version", "schema_version", "ISO; Kantara version"),
    ("record_id", "record_id", "ISO"),
    ("receipt_id", "receipt_id", "ISO; Kantara consentReceiptID"),
    ("pii_principal_id", "pii_principal_id", "ISO; Kantara piiPrincipalId"),
    ("processing.privacy_notice.id", "privacy_notice", "ISO; GDPR 13"),
    ("processing.privacy_notice.version", "privacy_notice", "ISO"),
    ("processing.privacy_notice.url", "privacy_notice", "ISO; Kantara policyUrl"),
    ("processing.privacy_notice.text", "privacy_notice", "GDPR 7(1)"),
    ("processing.privacy_notice.sha256", "privacy_notice", "GDPR 7(1)"),
    ("processing.language", "language", "ISO; Kantara language"),
    ("processing.purposes[].purpose", "purpose", "ISO; GDPR 13(1)(c); Kantara purpose"),
    ("processing.purposes[].question", "purpose", "GDPR 13(1)(c)"),
    ("processing.purposes[].value", "purpose", "GDPR 4(11)"),
    ("processing.purposes[].state", "event_state", "GDPR 7(1)"),
    ("processing.purposes[].date", "event_time", "GDPR 7(1)"),
    ("processing.pii_information.text", "pii_information", "ISO"),
    ("processing.pii_information.elements[].pii_type", "pii_type", "ISO; GDPR 15(1)(b); Kantara piiCategory"),
    ("processing.pii_information.elements[].optional", "pii_optional", "GDPR 13(2)(e)"),
    ("processing.pii_information.elements[].special_category", "special_pii_category", "GDPR 9; Kantara sensitive"),
    ("processing.pii_controllers[]", "pii_controllers", "ISO; GDPR 13(1)(a); Kantara piiControllers"),
    ("processing.storage_locations[]", "storage_locations", "ISO; GDPR 15(2)"),
    ("processing.retention_period.until", "retention_period", "ISO; GDPR 13(2)(a); Kantara termination"),
    ("processing.retention_period.text", "retention_period", "GDPR 13(2)(a)"),
    ("processing.jurisdiction", "jurisdiction", "ISO; Kantara jurisdiction"),
    ("processing.recipient_third_parties.audience", "recipient_third_parties", "ISO; GDPR 13(1)(e)"),
    ("processing.recipient_third_parties.text", "recipient_third_parties", "GDPR 13(1)(e); Kantara thirdPartyName"),
    ("processing.withdrawal_method.url", "withdrawal_method", "ISO; GDPR 7(3)"),
    ("processing.withdrawal_method.text", "withdrawal_method", "GDPR 13(2)(c)"),
    ("processing.lawful_basis.basis", "lawful_basis", "GDPR 6, 9"),
    ("processing.lawful_basis.articles[]", "lawful_basis", "GDPR 6, 9"),
    ("processing.collection_method", "collection_method", "GDPR 13; Kantara collectionMethod"),
    ("processing.processing_methods[]", "processing_method", "GDPR 4(2)"),
    ("processing.processing_locations[]", "processing_locations", "GDPR 15(2)"),
    ("processing.geographic_restrictions.text", "geographic_restrictions", "GDPR 13(1)(f)"),
    ("processing.privacy_rights.articles[]", "privacy_rights", "GDPR 13(2)(b)"),
    ("processing.privacy_rights.text", "privacy_rights", "GDPR 13(2)(b)"),
    ("processing.authority_party", "authority_party", "GDPR 13(2)(d)"),
    ("parties[].party_id", "party_id", "ISO"),
    ("parties[].address", "party_address", "ISO; GDPR 13(1)(a)"),
    ("parties[].name", "party_name", "ISO; GDPR 13(1)(a)"),
    ("parties[].contact", "party_contact", "ISO; GDPR 13(1)(a)"),
    ("parties[].type", "party_type", "ISO"),
    ("parties[].role", "party_role", "GDPR 4(7), 4(9), 4(21)"),
    ("events[].event_time", "event_time", "ISO; GDPR 7(1); Kantara consentTimestamp"),
    ("events[].validity_duration", "validity_duration", "ISO"),
    ("events[].entity_id", "entity_id", "ISO"),
    ("events[].event_type", "event_type", "ISO; GDPR 4(11); Kantara consentType"),
    ("events[].event_state", "event_state", "ISO; GDPR 7(1)"),
    ("kb.entry_id", "", "what the consent is about"),
    ("kb.languages_shown[]", "", "GDPR 12(1)"),
    ("kb.interpreter", "", "GDPR 12(1)"),
    ("kb.read_aloud", "", "GDPR 12(1)"),
    ("kb.teach_back", "", "GDPR 4(11)"),
    ("kb.channel", "", "GDPR 7(1)"),
    ("kb.review_at", "", "EDPB 05/2020"),
    ("kb.audience", "", "GDPR 13(1)(e)"),
    ("kb.attribution", "", "GDPR 25"),
    ("kb.release.state", "", "the second moment"),
)


def missing(made: Mapping[str, Any]) -> list[str]:
    """Return the mandatory fields of a receipt that are empty, in the order of ``MANDATORY``; a no counts as something said."""
    return [path for path, _iso, _law in MANDATORY if not _is_said(made, path.split("."))]


def _is_said(part: Any, path: list[str]) -> bool:
    if not path:
        return part is not None and part not in ("", [], {})
    if not isinstance(part, Mapping):
        return False
    name, rest = path[0].removesuffix("[]"), path[1:]
    inside = part.get(name)
    if not path[0].endswith("[]"):
        return _is_said(inside, rest)
    return isinstance(inside, list) and bool(inside) and all(_is_said(item, rest) for item in inside)
