"""vCards in the style of many programs, and those of the RFCs: what an independent reader finds before and after."""

from __future__ import annotations

import pytest
import vobject

from gromoxd.convert.vcard import items_of, to_vcard
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p

CARDS = {
    "RFC 2426 7": r"""BEGIN:VCARD
VERSION:3.0
N:Howes;Tim;;;
FN:Tim Howes
ORG:Netscape Communications Corp.
ADR;TYPE=WORK:;;501 E. Middlefield Rd.;Mountain View;CA;94043;U.S.A.
TEL;TYPE=VOICE,MSG,WORK:+1-415-937-3419
TEL;TYPE=FAX,WORK:+1-415-528-4164
EMAIL;TYPE=INTERNET:howes@netscape.com
END:VCARD
""",
    "phone book": r"""BEGIN:VCARD
VERSION:3.0
PRODID:-//Vendor//Address Book 13//EN
N:Appleseed;John;;;
FN:John Appleseed
ORG:Orchard\, Inc.;Trees;
TITLE:Planter
EMAIL;type=INTERNET;type=WORK;type=pref:john@example.com
item1.EMAIL;type=INTERNET:other@example.com
item1.X-ABLabel:blog
TEL;type=CELL;type=VOICE;type=pref:(408) 555-0126
TEL;type=MAIN:1
item2.ADR;type=HOME;type=pref:;;1 Way\nFlat 2;Cupertino;CA;95014;United States
item2.X-ABADR:us
item3.URL;type=pref:http\://example.com
item3.X-ABLabel:_$!<HomePage>!$_
BDAY;VALUE=date:1979-05-06
item4.X-ABDATE;type=pref:2001-02-03
item4.X-ABLabel:_$!<Anniversary>!$_
item5.X-ABRELATEDNAMES;type=pref:Jane
item5.X-ABLabel:_$!<Spouse>!$_
IMPP;X-SERVICE-TYPE=Jabber;type=HOME;type=pref:xmpp:john@jabber.example
X-SOCIALPROFILE;type=twitter:http://twitter.example/john
X-ABShowAs:COMPANY
UID:5F8E-11
END:VCARD
""",
    "web mail": r"""BEGIN:VCARD
VERSION:3.0
FN:Ann Example
N:Example;Ann;Q.;Ms.;
item1.EMAIL;TYPE=INTERNET:ann@example.org
item1.X-ABLabel:
TEL;TYPE=CELL:+441234
item2.ADR:;;12 Road\nTown;;;;;
item2.X-ABLabel:
item3.ORG:Firm
item4.TITLE:CEO
NOTE:Likes\ntea\; and cake
CATEGORIES:myContacts,Friends
END:VCARD
""",
    "groupware": r"""BEGIN:VCARD
VERSION:3.0
CLASS:PUBLIC
UID:uid-1234
REV:20230101T101010Z
PRODID:Groupware
N:M\,ller;K.;;;
FN:K. M\,ller
SORT-STRING:Moller
NICKNAME:Kay
X-EVOLUTION-FILE-AS:M\,ller\, K.
X-EVOLUTION-SPOUSE:Sam
X-MOZILLA-HTML:FALSE
LABEL;TYPE=WORK:Street 1\nTown
ADR;TYPE=WORK:PO 7;;Street 1;Town;;1;DE
GEO:37.386013;-122.082932
TZ:-05:00
KEY;TYPE=X509;ENCODING=b:MAMCAQE=
LOGO;VALUE=uri:http://example.org/logo.png
END:VCARD
""",
}
_OURS = {"PRODID", "VERSION", "X-MS-OL-DEFAULT-POSTAL-ADDRESS", "REV", "UID", "LABEL"}
_RENAMED = {"X-EVOLUTION-SPOUSE": "X-MS-SPOUSE"}


def said(text: str) -> list[tuple[str, str]]:
    """What vobject finds: names and values, without the empty ends of structures."""
    found = []
    for line in vobject.readOne(text).getChildren():
        name = _RENAMED.get(line.name, line.name)
        if name in _OURS:
            continue
        value = line.value
        if isinstance(value, list):
            value = ";".join(value).rstrip(";")
        found.append((name, str(value).replace("\n", " ").strip()))
    return sorted(found)


@pytest.mark.parametrize("name", CARDS)
def test_nothing_is_lost(name: str) -> None:
    (item,) = items_of(CARDS[name])
    assert said(to_vcard(item, version="3.0").decode()) == said(CARDS[name])


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("version", ["2.1", "4.0"])
def test_other_versions_keep_what_properties_hold(name: str, version: str) -> None:
    (item,) = items_of(CARDS[name])
    (again,) = items_of(to_vcard(item, version=version))
    own = {tag: value for tag, value in item.props.items() if tag < 0x90000000 and value not in (0, False)}
    assert {tag: again.props.get(tag) for tag in own} == own


def test_the_example_of_rfc_6350() -> None:
    """RFC 6350 8."""
    (item,) = items_of(
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Simon Perreault\r\nN:Perreault;Simon;;;ing. jr,M.Sc.\r\nBDAY:--0203\r\n"
        "ANNIVERSARY:20090808T1430-0500\r\nGENDER:M\r\nLANG;PREF=1:fr\r\nLANG;PREF=2:en\r\n"
        "ORG;TYPE=work:Viagenie\r\nADR;TYPE=work:;Suite D2-630;2875 Laurier;Quebec;QC;G1V 2M2;Canada\r\n"
        'TEL;VALUE=uri;TYPE="work,voice";PREF=1:tel:+1-418-656-9254;ext=102\r\n'
        'TEL;VALUE=uri;TYPE="work,cell,voice,video,text":tel:+1-418-262-6501\r\n'
        "EMAIL;TYPE=work:simon.perreault@viagenie.ca\r\nGEO;TYPE=work:geo:46.772673,-71.282945\r\n"
        "KEY;TYPE=work;VALUE=uri:http://www.viagenie.ca/simon.perreault/simon.asc\r\nTZ:-0500\r\n"
        "URL;TYPE=home:http://nomis80.org\r\nEND:VCARD\r\n"
    )
    expected = {
        p.PidTagGeneration: "ing. jr M.Sc.",
        p.PidTagCompanyName: "Viagenie",
        p.PidTagOfficeLocation: "Suite D2-630",
        p.PidTagBusinessTelephoneNumber: "+1-418-656-9254;ext=102",
        p.PidTagMobileTelephoneNumber: "+1-418-262-6501",
        n.PidLidEmail1EmailAddress: "simon.perreault@viagenie.ca",
        p.PidTagPersonalHomePage: "http://nomis80.org",
        p.PidTagGender: 2,
    }
    assert {tag: item.props.get(tag) for tag in expected} == expected
    text = to_vcard(item).replace(b"\r\n ", b"")
    assert b"TEL;VALUE=uri;TYPE=work,voice;PREF=1:tel:+1-418-656-9254;ext=102\r\n" in text
    assert b"KEY;TYPE=work;VALUE=uri:http://www.viagenie.ca/simon.perreault/simon.asc\r\n" in text
