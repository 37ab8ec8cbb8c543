"""What FETCH needs of messages beyond the index: envelopes, structures, headers, contents; from caches or the owner."""

from __future__ import annotations

from collections.abc import Sequence

from gromoxd.convert import bodystructure
from gromoxd.convert.mime import Part, decode_parts
from gromoxd.exmdb import calls, keys
from workers.imap.mailbox import Mailbox
from workers.imap.services import Services
from workers.imap.view import IndexPage
from workers.imap.wire.sequence import Ranges

PIECES_A_CALL = 500
CONTENTS_A_CALL = 4 << 20
CHUNK = 256 << 10


class Materials:
    """Reads for one FETCH in one folder."""

    __slots__ = ("_box", "_fid", "_services")

    def __init__(self, services: Services, box: Mailbox, fid: int) -> None:
        self._services = services
        self._box = box
        self._fid = fid

    def structures(self, ref: IndexPage, a: int, b: int) -> dict[int, tuple[bytes, bytes]]:
        """Uid -> (ENVELOPE, BODYSTRUCTURE) of rows; messages that are gone are missing."""
        box, published = self._box, self._services.exmdb.published
        where, maildir, out = box.ref, box.ref.maildir, {}
        missing: list[int] = []
        for uid, mid in zip(ref.page.uids[a:b], ref.page.mids[a:b], strict=True):
            value = published(where, keys.pieces(maildir, mid, uid))
            if value is None:
                missing.append(uid)
            else:
                cut = 8 + int.from_bytes(value[:4], "little")
                out[uid] = value[8:cut], value[cut:]
        for piece in self._pieces(missing, calls.ENVELOPE | calls.BODYSTRUCTURE):
            out[piece.uid] = piece.envelope, piece.bodystructure
        return out

    def bodies(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Uid -> BODY, the structure without extension data."""
        return {uid: bodystructure.body(part) for uid, part in self.parts(uids).items()}

    def parts(self, uids: Sequence[int]) -> dict[int, Part]:
        """Uid -> MIME tree."""
        return {piece.uid: decode_parts(piece.parts) for piece in self._pieces(uids, calls.PARTS)}

    def headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Uid -> the message's header with its empty line."""
        return {piece.uid: piece.header for piece in self._pieces(uids, calls.HEADER)}

    def _pieces(self, uids: Sequence[int], what: int) -> list[calls.Piece]:
        out: list[calls.Piece] = []
        for at in range(0, len(uids), PIECES_A_CALL):
            call = calls.GetPieces(self._fid, ranges(uids[at : at + PIECES_A_CALL]), what)
            found = self._call(call)
            out.extend(found)
        return out

    def contents(self, ref: IndexPage, a: int, b: int) -> dict[int, bytes]:
        """Uid -> the message's octets, of rows that together are not much more than CONTENTS_A_CALL."""
        cache, maildir, out = self._services.contents, self._box.ref.maildir, {}
        missing: list[int] = []
        mids = dict(zip(ref.page.uids[a:b], ref.page.mids[a:b], strict=True))
        for uid, mid in mids.items():
            raw = cache.get((maildir, mid, uid))
            if raw is None:
                missing.append(uid)
            else:
                out[uid] = raw
        while missing:
            answers = self._call(calls.GetContents(self._fid, ranges(missing), CONTENTS_A_CALL))
            for content in answers:
                raw = content.raw if content.raw or not content.size else self._long(content)
                out[content.uid] = raw
                cache.put((maildir, mids[content.uid], content.uid), raw)
            if not answers:
                break
            missing = missing[missing.index(answers[-1].uid) + 1 :]
        return out

    def _long(self, content: calls.Content) -> bytes:
        out = []
        for at in range(0, content.size, CHUNK):
            out.append(self.read(content.uid, at, min(CHUNK, content.size - at)))
        return b"".join(out)

    def read(self, uid: int, offset: int, length: int) -> bytes:
        """A range of one message. MapiError(ecNotFound) when it is gone."""
        return self._call(calls.ReadContent(self._fid, uid, offset, length))

    def _call(self, call: calls.Call[calls.R]) -> calls.R:
        return self._box.exmdb.call(self._box.ref, call, actor=self._box.actor)


def ranges(uids: Sequence[int]) -> Ranges:
    """Ascending uids as ranges; uids between two neighbours are only bridged when they follow each other."""
    out: Ranges = []
    for uid in uids:
        if out and out[-1][1] == uid - 1:
            out[-1] = (out[-1][0], uid)
        else:
            out.append((uid, uid))
    return out
