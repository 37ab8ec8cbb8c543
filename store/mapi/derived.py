"""The rules of `gromoxd.convert.derived`, by which what follows from other properties is stored."""

from __future__ import annotations

from gromoxd.convert.derived import ATTACHMENT_READ_ONLY, BODIES, READ_ONLY, SUBJECTS, one_html, shown, subjects

__all__ = ["ATTACHMENT_READ_ONLY", "BODIES", "READ_ONLY", "SUBJECTS", "one_html", "shown", "subjects"]
