"""Give the stress tests the same instance that the other tests have."""

from tests.conftest import template_instance

__all__ = ["template_instance"]
