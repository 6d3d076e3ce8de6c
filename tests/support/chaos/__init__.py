"""Faults under load with a history checker: used by the tests in tests/chaos and by ``make soak``."""
