"""From the charset names that mail uses to Python codecs, and decoding that never fails. Tables, no look-ups on disk.

Names come from strangers, so only codecs that decode text in linear time are used (punycode and idna are not), and an
unknown name costs one dict miss, never an import. Labels are read as the WHATWG Encoding Standard 4.2 reads them where
mail is full of them: what calls itself iso-8859-1 may hold windows-1252, us-ascii anything, gb2312 means gb18030.
Bodies without a usable label, or with one that is plainly wrong, are guessed at: UTF-8, then what a sample looks like.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases

from gromoxd.mapi.codepages import ASCII, code_page_of, without_surrogates

_REFUSED = frozenset(
    ("punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem", "hex_codec",
     "base64_codec", "bz2_codec", "zlib_codec", "quopri_codec", "uu_codec", "rot_13", "tactis")
)  # fmt: skip

_MODULES = (
    "cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_u", "koi8_t", "kz1048", "mac_arabic", "mac_croatian",
    "mac_farsi", "mac_romanian", "utf_8_sig", "hz", "iso8859_1",
)  # fmt: skip

_OVERRIDES = {
    "us_ascii": "ascii", "iso_8859_1": "cp1252", "iso8859_1": "cp1252", "latin_1": "cp1252",
    "latin1": "cp1252", "iso_8859_9": "cp1254", "iso8859_9": "cp1254", "latin5": "cp1254", "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8", "iso_8859_6_i": "iso8859_6", "iso_8859_6_e": "iso8859_6",
    "gb2312": "gb18030", "gb_2312": "gb18030", "gb_2312_80": "gb18030", "x_gbk": "gb18030", "cp936": "gb18030",
    "gbk": "gb18030", "chinese": "gb18030", "euc_cn": "gb18030", "windows_936": "gb18030", "ms936": "gb18030",
    "ks_c_5601_1987": "cp949", "ks_c_5601_1989": "cp949", "ks_c_5601": "cp949", "ksc_5601": "cp949", "ksc5601": "cp949",
    "euc_kr": "cp949", "euckr": "cp949", "windows_949": "cp949", "ms949": "cp949",
    "big5": "cp950", "big_5": "cp950", "x_x_big5": "cp950", "big5_hkscs": "big5hkscs",
    "shift_jis": "cp932", "sjis": "cp932", "x_sjis": "cp932", "windows_31j": "cp932",
    "x_euc_jp": "euc_jp", "iso_2022_jp": "iso2022_jp_2", "iso2022_jp": "iso2022_jp_2",
    "x_unknown": "utf_8", "unknown_8bit": "utf_8", "unknown": "utf_8", "default": "utf_8", "default_charset": "utf_8",
    "unicode": "utf_8", "unicode_1_1_utf_8": "utf_8", "unicode_1_1_utf_7": "utf_7", "utf8mb4": "utf_8", "8bit": "utf_8",
    "x_user_defined": "cp1252", "binary": "cp1252", "ansi": "cp1252", "cp_850": "cp850", "x_mac_roman": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic", "tis_620": "cp874", "iso_8859_11": "cp874", "windows_874": "cp874",
    "koi8_ru": "koi8_u",
}  # fmt: skip


def _table() -> dict[str, str]:
    names = {value: value for value in aliases.values()}
    names.update(aliases)
    names.update({name: name for name in _MODULES})
    names = {name: codec for name, codec in names.items() if codec not in _REFUSED}
    names.update({f"windows_{n}": f"cp{n}" for n in range(1250, 1259)})
    names.update({f"x_cp{n}": f"cp{n}" for n in range(1250, 1259)})
    names.update(_OVERRIDES)
    return names


_CODECS = _table()
_CLEAN = frozenset(("utf_8", "cp1252", "cp1250", "cp1251", "iso8859_2", "iso8859_15", "koi8_r"))
_NORMAL = str.maketrans("-. :", "____")


def codec_of(charset: str) -> str | None:
    """The Python codec for a charset label (RFC 2978 name, alias or vendor label), None when there is none."""
    name = charset.strip(" \"'\t").translate(_NORMAL).lower()
    return _CODECS.get(name)


def decode(data: bytes, charset: str) -> str:
    """Text of `data`; an unknown charset is tried as UTF-8, then windows-1252; bad octets are U+FFFD. Never raises."""
    codec = codec_of(charset)
    if codec is None or codec == "ascii":
        return decode_unlabelled(data)
    try:
        text = data.decode(codec, "replace")
    except (LookupError, ValueError):
        return decode_unlabelled(data)
    return text if codec in _CLEAN else without_surrogates(text)


def decode_unlabelled(data: bytes) -> str:
    """Text of octets without a usable label: UTF-8 (RFC 6532) if they are that, else windows-1252."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def codepage(charset: str) -> int:
    """The Windows code page for PidTagInternetCodepage ([MS-OXCMSG] 2.2.1.58.6), 0 when there is none."""
    lowered = charset.lower()
    if lowered in ("us-ascii", "ascii"):
        return ASCII
    codec = codec_of(charset)
    if codec is None:
        return 0
    if codec == "gb18030" and "18030" not in lowered:
        return 936
    if lowered.startswith("iso-8859-"):
        number = lowered[9:].partition("-")[0]
        return 28590 + int(number) if number.isascii() and number.isdigit() and len(number) < 3 else 0
    return code_page_of(codec)


# ---------------------------------------------------------------------------------------------- bodies

SAMPLE = 2048
"""Octets that are looked at to guess a charset; and how many of HTML's are searched for its own word on it."""
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
_META = re.compile(rb"""<meta\b[^>]{0,300}?charset\s*=\s*["']?\s*([A-Za-z0-9][A-Za-z0-9_.:+-]{0,60})""", re.IGNORECASE)
_GUESSED = (
    "cp1252", "cp1251", "koi8_r", "cp1250", "cp932", "euc_jp", "gb18030", "big5", "cp949", "cp1253", "cp1254",
    "cp1255", "cp1256", "cp874",
)  # fmt: skip
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")
_MOST_BAD = 50
"""One undecodable place in so many characters is damage, more are a wrong label."""


def decode_body(data: bytes, charset: str) -> str:
    """Text of a body part: as labelled, unless the octets are plainly something else. Never raises."""
    codec = codec_of(charset)
    if codec is not None and codec != "ascii":
        try:
            text = data.decode(codec)
        except (LookupError, ValueError):
            text = data.decode(codec, "replace") if not wrongly_labelled(data[:SAMPLE], codec) else ""
            if not text:
                return data.decode(guess(data), "replace")
        text = text[1:] if text[:1] == "\ufeff" else text
        return text if codec in _CLEAN else without_surrogates(text)
    if data.isascii() and b"\x1b" not in data:
        return data.decode("ascii")
    return without_surrogates(data.decode(guess(data), "replace")).removeprefix("\ufeff")


def html_charset(data: bytes, label: str | None) -> str:
    """The charset of HTML, or of its begin: its label, its byte order mark, its <meta>, or a guess."""
    sample = data[: SAMPLE * 2]
    codec = codec_of(label) if label is not None else None
    if codec is not None and codec != "ascii" and label is not None:
        return label if sample.isascii() or not wrongly_labelled(sample, codec) else guess(sample)
    for mark, charset in _BOMS:
        if sample.startswith(mark):
            return charset
    match = _META.search(sample)
    if match is not None:
        named = match.group(1).decode("ascii")
        known = codec_of(named)
        if known is not None and not known.startswith("utf_16") and not wrongly_labelled(sample, known):
            return named
    if data.isascii():
        return label if label is not None and codec is not None else "us-ascii"
    return guess(data)


def wrongly_labelled(sample: bytes, codec: str) -> bool:
    """Whether octets are not of a codec, damage here and there aside."""
    try:
        sample.decode(codec)
    except UnicodeDecodeError as error:
        if error.start >= len(sample) - 4:
            return False
    except (LookupError, ValueError):
        return True
    else:
        return False
    text = sample.decode(codec, "replace")
    return text.count("\ufffd") * _MOST_BAD > len(text) + _MOST_BAD


def guess(data: bytes) -> str:
    """A codec by which octets without a usable label make sense: UTF-8, ISO-2022-JP, or what a sample looks like."""
    for mark, charset in _BOMS:
        if data.startswith(mark):
            return charset
    first = _EIGHT_BIT.search(data)
    start = first.start() if first is not None else 0
    sample = data[max(start - SAMPLE, 0) : start + SAMPLE * 8]
    if b"\x1b$" in sample and sample.isascii():
        return "iso2022_jp_2"
    if not wrongly_labelled(sample, "utf_8"):
        return "utf_8"
    return _looked_at(sample)


def _looked_at(data: bytes) -> str:
    """What a charset detector makes of the lines with 8-bit octets, windows-1252 failing all."""
    from charset_normalizer import from_bytes

    lines = [line for line in data.splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[:SAMPLE]
    best = from_bytes(
        sample, steps=3, chunk_size=256, threshold=0.3, cp_isolation=list(_GUESSED), preemptive_behaviour=False
    ).best()
    if best is None or best.encoding not in _GUESSED:
        return "cp1252"
    return "cp1252" if sample.decode("cp1252", "replace") == str(best) else best.encoding
