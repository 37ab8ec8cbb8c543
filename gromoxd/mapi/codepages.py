"""Windows code pages ([MS-UCODEREF] 2.2.1), the Python codecs for them and their charset names in mail.

Code pages come from strangers (a client's session, PidTagInternetCodepage): what is not listed is read as windows-1252,
and text is decoded and encoded without ever failing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

UTF16: Final = 1200
UTF8: Final = 65001
WESTERN: Final = 1252
ASCII: Final = 20127

_TABLE: Final = """
37 cp037 IBM037          437 cp437 IBM437         500 cp500 IBM500         708 iso8859_6 ASMO-708
720 cp720 DOS-720        737 cp737 ibm737         775 cp775 ibm775         850 cp850 ibm850
852 cp852 ibm852         855 cp855 IBM855         857 cp857 ibm857         858 cp858 IBM00858
860 cp860 IBM860         861 cp861 ibm861         862 cp862 DOS-862        863 cp863 IBM863
864 cp864 IBM864         865 cp865 IBM865         866 cp866 cp866          869 cp869 ibm869
874 cp874 windows-874    875 cp875 cp875          932 cp932 shift_jis      936 gb18030 gb2312
949 cp949 ks_c_5601-1987 950 cp950 big5           1006 cp1006 cp1006       1026 cp1026 IBM1026
1125 cp1125 cp1125       1140 cp1140 IBM01140     1200 utf_16_le utf-16    1201 utf_16_be utf-16be
1250 cp1250 windows-1250 1251 cp1251 windows-1251 1252 cp1252 windows-1252 1253 cp1253 windows-1253
1254 cp1254 windows-1254 1255 cp1255 windows-1255 1256 cp1256 windows-1256 1257 cp1257 windows-1257
1258 cp1258 windows-1258 1361 johab Johab
10000 mac_roman macintosh                         10001 cp932 x-mac-japanese
10002 cp950 x-mac-chinesetrad                     10003 cp949 x-mac-korean
10004 mac_arabic x-mac-arabic                     10006 mac_greek x-mac-greek
10007 mac_cyrillic x-mac-cyrillic                 10008 gbk x-mac-chinesesimp
10010 mac_romanian x-mac-romanian                 10029 mac_latin2 x-mac-ce
10079 mac_iceland x-mac-icelandic                 10081 mac_turkish x-mac-turkish
10082 mac_croatian x-mac-croatian                 12000 utf_32_le utf-32
12001 utf_32_be utf-32be 20127 ascii us-ascii     20273 cp273 IBM273       20424 cp424 IBM424
20866 koi8_r koi8-r      20932 euc_jp EUC-JP      20936 gbk x-cp20936      20949 cp949 x-cp20949
21866 koi8_u koi8-u      28591 iso8859_1 iso-8859-1                        28592 iso8859_2 iso-8859-2
28593 iso8859_3 iso-8859-3                        28594 iso8859_4 iso-8859-4
28595 iso8859_5 iso-8859-5                        28596 iso8859_6 iso-8859-6
28597 iso8859_7 iso-8859-7                        28598 iso8859_8 iso-8859-8
28599 iso8859_9 iso-8859-9                        28600 iso8859_10 iso-8859-10
28601 iso8859_11 iso-8859-11                      28603 iso8859_13 iso-8859-13
28604 iso8859_14 iso-8859-14                      28605 iso8859_15 iso-8859-15
28606 iso8859_16 iso-8859-16                      38598 iso8859_8 iso-8859-8-i
50220 iso2022_jp_2 iso-2022-jp                    50221 iso2022_jp_2 csISO2022JP
50222 iso2022_jp_2 iso-2022-jp                    50225 iso2022_kr iso-2022-kr
50227 gbk x-cp50227      51932 euc_jp euc-jp      51936 gbk EUC-CN         51949 cp949 euc-kr
52936 hz hz-gb-2312      54936 gb18030 GB18030    65000 utf_7 utf-7        65001 utf_8 utf-8
"""


class CodePage(NamedTuple):
    """A code page: the Python codec for it and its name in mail (RFC 2978)."""

    number: int
    codec: str
    charset: str


_WORDS: Final = _TABLE.split()
CODE_PAGES: Final[dict[int, CodePage]] = {
    int(number): CodePage(int(number), codec, charset)
    for number, codec, charset in zip(_WORDS[::3], _WORDS[1::3], _WORDS[2::3], strict=True)
}

_PREFERRED: Final = {
    "gbk": 936, "gb18030": 54936, "cp932": 932, "cp949": 949, "cp950": 950, "big5hkscs": 950, "euc_jp": 51932,
    "big5": 950, "euc_kr": 949, "gb2312": 936, "shift_jis": 932, "iso2022_jp": 50220,
    "iso2022_jp_2": 50220, "iso8859_6": 28596, "iso8859_8": 28598, "utf_16": UTF16, "utf_32": 12000,
}  # fmt: skip
"""Codecs that several code pages have, or none under this name."""

_OF_CODEC: Final[dict[str, int]] = {page.codec: page.number for page in CODE_PAGES.values()} | _PREFERRED

_CLEAN: Final = frozenset(("utf_8", "ascii", "cp1250", "cp1251", "cp1252", "iso8859_1", "iso8859_2", "iso8859_15"))
"""Codecs that never give lone surrogates."""

_LANGUAGES: Final = """
1 1256  2 1251  4 936  5 1250  8 1253  13 1255  14 1250  17 932  18 949  21 1250  24 1250  25 1251  26 1250  27 1250
28 1250  30 874  31 1254  32 1256  34 1251  35 1251  36 1250  37 1257  38 1257  39 1257  41 1256  42 1258  44 1254
47 1251  63 1251  64 1251  67 1254  68 1251  80 1251  90 1256  96 1256  99 1256  101 1256  128 1256  140 1256
"""
_OF_LANGUAGE: Final[dict[int, int]] = dict(
    zip(map(int, _LANGUAGES.split()[::2]), map(int, _LANGUAGES.split()[1::2]), strict=True)
)
_OF_LCID: Final = {
    0x0404: 950, 0x0C04: 950, 0x1404: 950, 0x7C04: 950, 0x081A: 1250, 0x0C1A: 1251, 0x1C1A: 1251, 0x201A: 1251,
    0x281A: 1251, 0x301A: 1251, 0x6C1A: 1251, 0x641A: 1251, 0x082C: 1251, 0x0843: 1251, 0x742C: 1251, 0x7843: 1251,
}  # fmt: skip


def codec_of(code_page: int) -> str | None:
    """The Python codec for a code page, None when it is not listed."""
    page = CODE_PAGES.get(code_page)
    return page.codec if page else None


def charset_of(code_page: int) -> str | None:
    """The charset name for a code page, None when it is not listed."""
    page = CODE_PAGES.get(code_page)
    return page.charset if page else None


def code_page_of(codec: str) -> int:
    """The code page for a Python codec as `gromoxd.convert.charsets.codec_of` names it, 0 when there is none."""
    return _OF_CODEC.get(codec, 0)


def ansi_code_page(lcid: int) -> int:
    """The code page that Windows takes for 8-bit text in a language ([MS-LCID], [MS-UCODEREF] 2.2.1)."""
    return _OF_LCID.get(lcid & 0xFFFF) or _OF_LANGUAGE.get(lcid & 0x3FF, WESTERN)


def decode(octets: bytes, code_page: int) -> str:
    """Text of 8-bit octets. Never fails: an unknown code page is windows-1252, octets without meaning are U+FFFD."""
    codec = codec_of(code_page) or "cp1252"
    text = octets.decode(codec, "replace")
    return text if codec in _CLEAN else without_surrogates(text)


def encode(text: str, code_page: int) -> bytes:
    """8-bit octets of text; what the code page has not becomes "?"."""
    codec = codec_of(code_page) or "cp1252"
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return without_surrogates(text).encode(codec, "replace")


def without_surrogates(text: str) -> str:
    """Text that UTF-8 can carry: a lone surrogate, which UTF-7 octets may give, becomes `?`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
