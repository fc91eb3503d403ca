"""Join the web's concerns and subjects to the application; the only place for flask below ``create_app``."""

from flask import Flask

from kb.web import (
    accounts,
    assisted,
    choices,
    cite,
    context,
    describe,
    errors,
    feeds,
    filters,
    i18n,
    login,
    places,
    policy,
    public,
    report,
    review,
    search,
    security,
    stewards,
)

# `describe` brings the blueprint of `submit`, and `choices` that of `receipt`, with the ways of both.
SUBJECTS = (public, search, places, cite, feeds, describe, choices, assisted, report, stewards, review, accounts)


def init_app(app: Flask) -> None:
    """Set up the concerns in the order in which they see a request, then the subjects."""
    for concern in (context, security, login, policy, i18n, errors, filters):
        concern.init_app(app)
    for subject in SUBJECTS:
        app.register_blueprint(subject.blueprint)
