"""What of real mail is not the same after MIME -> Item -> MIME, by the reason why; nothing else may differ.

Left out before comparing, since both forms say the same in MAPI: what a multipart is called that only says that there
are several parts, a text beside HTML that had none, an empty text beside a message that is a file, and where among
several texts an attachment stood.
"""

from __future__ import annotations

KNOWN: dict[str, dict[str, str]] = {
    "texts that alternate with HTML are one HTML body: a MAPI message has one body": {
        "cpython/data/msg_10.txt": "plain html", "cpython/data/msg_15.txt": "plain html",
        "enmime/parts/similar-boundary.raw": "html",
    },
    "text/enriched is a body, and HTML in MAPI": {
        "shared/mime_emails__raw_email11.eml": "charsets octets places types",
    },
    "8-bit text without a charset, or with a wrong one, is read as what it looks like, not as octets": {
        "enmime/low-quality/incorrect-charset.raw": "plain", "enmime/mail/non-mime-missing-charset.raw": "html",
        "enmime/parts/chardet-success-big-5.raw": "plain", "flufl.bounce/simple_25.txt": "html",
        "flufl.bounce/sina_01.txt": "subject", "jwz/ham/0615.935b5a30e35ec46502a33a445443c124.eml": "plain",
        "jwz/ham/2246.b66caa903ee41f0f8d81281f1ab1bd8e.eml": "subject",
        "shared/attachment_emails__attachment_pdf_non_ascii.eml": "plain",
        "shared/attachment_emails__attachment_pdf_non_ascii_lf.eml": "plain",
        "shared/error_emails__content_transfer_encoding_7-bit.eml": "plain",
        "shared/error_emails__content_transfer_encoding_plain.eml": "plain",
        "shared/error_emails__invalid_subject_characters.eml": "subject",
        "shared/plain_emails__raw_email10.eml": "plain", "shared/plain_emails__raw_email5.eml": "plain",
        "shared/plain_emails__raw_email6.eml": "plain",
    },
    "letters of an address field that Python shows as octets are letters, and in words of RFC 2047 where they can be": {
        "cpython/test_email.py.77": "from", "shared/error_emails__encoding_madness.eml": "reply-to",
        "shared/error_emails__must_supply_encoding.eml": "from reply-to", "shared/rfc6532__utf8_headers.eml": "from to",
    },
    "a charset that Python takes for another (ansi_x3.110-1983 is T.61)": {
        "flufl.bounce/qmail_08.txt": "plain",
    },
    "no date: the time of arrival takes its place": {
        "flufl.bounce/yahoo_02.txt": "date",
    },
    "the structure is broken: both readers see something else in it": {
        "cpython/data/msg_35.txt": "plain", "cpython/data/msg_38.txt": "plain", "cpython/data/msg_47.txt": "plain html",
        "enmime/low-quality/bad-header-wrap.raw": "octets", "enmime/mail/epilogue-sample.raw": "octets",
        "enmime/mail/mime-bad-content-transfer-encoding.raw": "plain", "enmime/mail/mime-bad-content-type.raw": "types",
        "enmime/mail/mime-blank-media-name.raw": "types",
        "shared/mime_emails__raw_email_with_binary_encoded.eml": "plain",
        "shared/mime_emails__raw_email_with_illegal_boundary.eml": "plain",
        "shared/plain_emails__raw_email_bad_time.eml": "plain",
        "shared/plain_emails__raw_email_incorrect_header.eml": "plain received",
    },
    "Python cuts a name at its apostrophe (RFC 2231), or at a space where it has no quotes": {
        "cpython/test_email.py.17": "names", "shared/attachment_emails__attachment_with_unquoted_name.eml": "names",
    },
    "what HTML does not show is an attachment like any other ([MS-OXCMAIL] 2.1.3.4.1)": {
        "enmime/mail/other-multi-related.raw": "places", "enmime/parts/nestedmulti.raw": "places",
        "flufl.bounce/groupwise_03.txt": "places", "shared/error_emails__missing_content_disposition.eml": "places",
    },
    "a report that says nothing to programs (RFC 6522 3) is a mail with the message that it returns": {
        "cpython/data/msg_05.txt": "places", "flufl.bounce/dsn_13.txt": "places",
        "flufl.bounce/simple_30.txt": "places", "flufl.bounce/simple_32.txt": "places",
        "flufl.bounce/simple_33.txt": "places", "flufl.bounce/yahoo_13.txt": "places",
    },
    "actions and statuses that are none (RFC 3464 2.3.3) are the next that there are": {
        "flufl.bounce/dsn_03.txt": "told", "flufl.bounce/dsn_14.txt": "told",
    },
    "a receipt is from whom it is from ([MS-OXCMAIL] 2.1.3.6.2), whoever it says got the message": {
        "flufl.bounce/simple_38.txt": "told",
    },
    "two notifications in one report, of which a report message has one": {
        "shared/multipart_report_emails__multipart_report_multiple_status.eml": "places told",
    },
}  # fmt: skip
"""Reason -> message -> aspects (`tests.corpus.reading`)."""

ASPECTS: dict[str, set[str]] = {}
for _messages in KNOWN.values():
    for _name, _aspects in _messages.items():
        ASPECTS.setdefault(_name, set()).update(_aspects.split())
