from tests.common.fixtures import certificate, start

__all__ = ["certificate", "start"]
