"""The same address book from both databases."""

from __future__ import annotations

from pathlib import Path

from gromoxd.addressbook import build, source
from gromoxd.addressbook.reader import Snapshot
from tests.addressbook import people
from tests.directory.conftest import Site, backend, mariadb_socket, mysql_tables, site

__all__ = ["backend", "mariadb_socket", "mysql_tables", "site"]


def test_it_is_built_and_changes_are_seen(site: Site, tmp_path: Path) -> None:
    people.fill(site.engine, site.admin)
    path = str(tmp_path / "addressbook")
    database = site.directory.database()
    assert database.run(lambda connection: build.refresh(connection, path, 1))
    assert not database.run(lambda connection: build.refresh(connection, path, 2))
    book = Snapshot(path).book(1, "Example")
    assert book is not None
    names = [book.snapshot.entry(index).display_name for index in book.gal.order]
    assert names == ["Alice Example", "Big Room", "Bob Müller", "Charly Contact", "Everybody", "Information", "Team"]
    for statement in (
        "UPDATE user_properties SET propval_str='Robert Müller' WHERE propval_str='Bob Müller'",
        "DELETE FROM associations WHERE username='alice@example.test'",
        "UPDATE domains SET title='Example & Sons' WHERE id=1",
    ):
        before = database.run(source.stamp)
        site.sql(statement)
        assert database.run(source.stamp) != before
    assert database.run(lambda connection: build.refresh(connection, path, 3))
    book = Snapshot(path).book(1, "Example")
    assert book is not None
    assert [each.name for each in book.meta.containers if each.name] == ["Example & Sons"]
    team = book.of_user(people.TEAM)
    assert team is not None and [book.item(index).entry.user_id for index in book.members(team)] == [people.BOB]
