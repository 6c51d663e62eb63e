from tests.db.database_fixtures import database

__all__ = ["database"]
