"""From the charset names that mail uses to Python codecs, and decoding that never fails. Tables, no look-ups on disk.

Names come from strangers, so only codecs that decode text in linear time are used (punycode and idna are not), and an
unknown name costs one dict miss, never an import. Labels are read as the WHATWG Encoding Standard 4.2 reads them where
mail is full of them: what calls itself iso-8859-1 may hold windows-1252, us-ascii anything, gb2312 means gbk.
"""

from __future__ import annotations

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
    "gb2312": "gbk", "gb_2312": "gbk", "gb_2312_80": "gbk", "x_gbk": "gbk", "cp936": "gb18030", "gbk": "gb18030",
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
    if lowered.startswith("iso-8859-"):
        number = lowered[9:].partition("-")[0]
        return 28590 + int(number) if number.isascii() and number.isdigit() and len(number) < 3 else 0
    return code_page_of(codec)
