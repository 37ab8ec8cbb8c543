"""vCards as programs write them."""

from __future__ import annotations

MODERN = """BEGIN:VCARD
VERSION:4.0
UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1
FN:Dr. J\u00fcrgen M\u00fcller
N:M\u00fcller;J\u00fcrgen;K.;Dr.;Jr.
NICKNAME:J\u00fc
ORG:ABC\\, Inc.;North American Division;Marketing
TITLE:Head
ROLE:Engineer
EMAIL;TYPE=work:b@example.com
EMAIL;PREF=1;TYPE=home:a@example.com
EMAIL:c@example.com
EMAIL:d@example.com
item1.TEL;VALUE=uri;TYPE="voice,home":tel:+1-555
item1.X-ABLabel:_$!<HomePage>!$_
TEL;TYPE=cell:0170
ADR;TYPE=home;LABEL="At home\\nTown":;;Street 1;Town;ST;12345;Germany
ADR;TYPE=work;PREF=1:POB 3;Office 7;Work St;City;;9;France
ADR:;;Elsewhere;;;;
BDAY:--0412
ANNIVERSARY:20100101
NOTE:line\\nline2\\, x
CATEGORIES:a,b\\,c
PHOTO:data:image/png;base64,iVBORw0KGgo=
GEO:geo:1.5,2.5
TZ:Europe/Berlin
IMPP:xmpp:a@b
URL;TYPE=home:http://x/y
URL:http://w/z
LANG:de
GENDER:M
CLASS:PRIVATE
X-UNKNOWN;X-P=1:some thing\\, kept
REV:20200101T000000Z
END:VCARD
"""

OUTLOOK = b"""BEGIN:VCARD\r
VERSION:2.1\r
N;LANGUAGE=de;CHARSET=Windows-1252:Fennell;Dan\r
FN;CHARSET=Windows-1252;ENCODING=QUOTED-PRINTABLE:D=E4n Fennell\r
ORG:Contoso, Ltd.\r
TEL;WORK;VOICE:+1-206-555-0102\r
TEL;WORK;VOICE:+1-206-555-0103\r
TEL;WORK;VOICE:+1-206-555-0104\r
TEL;CELL;VOICE:+1-425-555-0199\r
TEL;WORK;FAX:+1-206-555-0105\r
X-MS-TEL;VOICE;COMPANY:+1-206-555-0100\r
X-MS-TEL;ASSISTANT:+1-206-555-0188\r
X-MS-ASSISTANT;N:Jeff Price\r
X-MS-MANAGER;N:Ann Beebe\r
X-MS-SPOUSE;N:Kim\r
X-MS-CHILD;N:One\r
X-MS-CHILD;N:Two\r
X-MS-TEXT;CUSTOM1:first\r
X-MS-OL-DEFAULT-POSTAL-ADDRESS:1\r
X-MS-IMADDRESS:im@contoso.com\r
ADR;WORK;PREF;ENCODING=QUOTED-PRINTABLE:;;7890 Elm Street=0D=0A=\r
Floor 2;Boulder;CO;33041;U.S.\r
LABEL;WORK;PREF;ENCODING=QUOTED-PRINTABLE:Printed=0D=0A=\r
Label\r
ADR;HOME:;;345 Aspen Street;Boulder;CO;33041;U.S.\r
BDAY:19700203\r
X-WAB-GENDER:1\r
KEY;X509;ENCODING=BASE64:\r
 MAMCAQE=\r
\r
EMAIL;PREF;INTERNET:dan.fennell@contoso.com\r
EMAIL;TLX:4711\r
NOTE;ENCODING=QUOTED-PRINTABLE:=0D=0Alast\r
PHOTO;TYPE=JPEG;ENCODING=BASE64:\r
 /9j/4AAQ\r
 SkZJRg==\r
\r
FBURL:http://fb/x\r
REV:20240102T030405Z\r
END:VCARD\r
"""

GROUP = """BEGIN:VCARD
VERSION:3.0
N:The Team;;;;
FN:The Team
UID:team-1
X-ADDRESSBOOKSERVER-KIND:group
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af
X-ADDRESSBOOKSERVER-MEMBER;X-CN=Ann B.:mailto:ann@example.com
X-ADDRESSBOOKSERVER-MEMBER:mailto:bob%2Bx@example.com
NOTE:both
END:VCARD
"""
