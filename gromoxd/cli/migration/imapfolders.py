"""Where the folders of another server go: by what they are for (RFC 6154), by name, or as the administrator says."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from gromoxd.cli.migration.imapsource import SourceFolder
from gromoxd.cli.stores import Folders

SPECIAL: Final = {
    "sent": ("sent", "sent items", "sent messages", "sent mail", "gesendet", "gesendete objekte", "gesendete elemente",
             "envoyés", "éléments envoyés", "enviados", "elementos enviados", "posta inviata", "verzonden items"),
    "drafts": ("drafts", "draft", "entwürfe", "brouillons", "borradores", "bozze", "concepten"),
    "trash": ("trash", "deleted items", "deleted messages", "deleted", "papierkorb", "gelöschte objekte",
              "gelöschte elemente", "corbeille", "éléments supprimés", "papelera", "elementos eliminados", "cestino",
              "prullenbak", "verwijderde items"),
    "junk": ("junk", "junk email", "junk e-mail", "junk mail", "spam", "bulk mail", "courrier indésirable", "werbung",
             "correo no deseado", "posta indesiderata", "ongewenste e-mail"),
}  # fmt: skip
"""What mailboxes have once -> what it is called where no attribute says it, in lower case."""
VIEWS: Final = frozenset(("all", "flagged", "important"))
"""Attributes of folders that show what is in others, too."""
SEPARATOR: Final = "\u2215"


class Mapping:
    """Of one migration. `pairs`: SOURCE -> FOLDER of ours; `excluded`: patterns of paths, with what is below."""

    def __init__(
        self, folders: Folders, source: list[SourceFolder], pairs: dict[str, str], excluded: tuple[str, ...],
        only: str = "",
    ) -> None:  # fmt: skip
        self._pairs = {path.strip("/").casefold(): target.strip("/") for path, target in pairs.items()}
        self._excluded = [pattern.strip("/").casefold() for pattern in excluded]
        self._only = only.casefold()
        self._targets = {one.special.lower(): one.path for one in folders.by_fid.values() if one.special}
        self._special = self._find_special(source)

    def _find_special(self, source: list[SourceFolder]) -> dict[tuple[str, ...], str]:
        """Path -> our folder's. Attributes come before names, and each of our folders is taken once."""
        found: dict[tuple[str, ...], str] = {}
        for special, names in SPECIAL.items():
            target = self._targets.get(special)
            marked = [one.path for one in source if special in one.attributes]
            named = [one.path for one in source if len(one.path) == 1 and one.path[0].casefold() in names]
            if target is not None and (marked or named):
                found[(marked or named)[0]] = target
        return found

    def wanted(self, folder: SourceFolder) -> bool:
        """Whether it is to be migrated at all."""
        path = "/".join(folder.path).casefold()
        if self._only and path != self._only and not path.startswith(f"{self._only}/"):
            return False
        ways = ["/".join(folder.path[: size + 1]).casefold() for size in range(len(folder.path))]
        return not any(fnmatchcase(way, pattern) for way in ways for pattern in self._excluded)

    def is_view(self, folder: SourceFolder) -> bool:
        """Whether what it shows is in other folders; those that are named by the administrator are not."""
        return bool(folder.attributes & VIEWS) and "/".join(folder.path).casefold() not in self._pairs

    def target(self, folder: SourceFolder) -> str:
        """The path of our folder."""
        path = folder.path
        for size in range(len(path), 0, -1):
            way = path[:size]
            place = self._pairs.get("/".join(way).casefold()) or self._special.get(way)
            if place is None and size == 1 and way[0].casefold() == "inbox":
                place = "INBOX"
            if place is not None:
                return "/".join([place, *map(_component, path[size:])])
        return "/".join(map(_component, path))


def _component(name: str) -> str:
    return name.replace("/", SEPARATOR)
