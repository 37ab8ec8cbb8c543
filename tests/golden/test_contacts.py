"""The vCards and the examples of single types that RFC 2426 prints, read into contacts and written again."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
import vobject

from gromoxd.convert.item import Item
from gromoxd.convert.vcard import items_of, to_vcard
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ianazones import minutes_of
from gromoxd.mapi.types import PropValue

DAWSON = """BEGIN:vCard
VERSION:3.0
FN:Frank Dawson
ORG:Lotus Development Corporation
ADR;TYPE=WORK,POSTAL,PARCEL:;;6544 Battleford Drive
 ;Raleigh;NC;27613-3502;U.S.A.
TEL;TYPE=VOICE,MSG,WORK:+1-919-676-9515
TEL;TYPE=FAX,WORK:+1-919-676-9564
EMAIL;TYPE=INTERNET,PREF:Frank_Dawson@Lotus.com
EMAIL;TYPE=INTERNET:fdawson@earthlink.net
URL:http://home.earthlink.net/~fdawson
END:vCard
"""
HOWES = """BEGIN:vCard
VERSION:3.0
FN:Tim Howes
ORG:Netscape Communications Corp.
ADR;TYPE=WORK:;;501 E. Middlefield Rd.;Mountain View;
 CA; 94043;U.S.A.
TEL;TYPE=VOICE,MSG,WORK:+1-415-937-3419
TEL;TYPE=FAX,WORK:+1-415-528-4164
EMAIL;TYPE=INTERNET:howes@netscape.com
END:vCard
"""
"""RFC 2426 7: the cards of its authors. Neither has N, which the same document demands."""


PERREAULT = """BEGIN:VCARD
VERSION:4.0
FN:Simon Perreault
N:Perreault;Simon;;;ing. jr,M.Sc.
BDAY:--0203
ANNIVERSARY:20090808T1430-0500
GENDER:M
LANG;PREF=1:fr
LANG;PREF=2:en
ORG;TYPE=work:Viagenie
ADR;TYPE=work:;Suite D2-630;2875 Laurier;
 Quebec;QC;G1V 2M2;Canada
TEL;VALUE=uri;TYPE="work,voice";PREF=1:tel:+1-418-656-9254;ext=102
TEL;VALUE=uri;TYPE="work,cell,voice,video,text":tel:+1-418-262-6501
EMAIL;TYPE=work:simon.perreault@viagenie.ca
GEO;TYPE=work:geo:46.772673,-71.282945
KEY;TYPE=work;VALUE=uri:
 http://www.viagenie.ca/simon.perreault/simon.asc
TZ:-0500
URL;TYPE=home:http://nomis80.org
END:VCARD
"""
"""RFC 6350 8: the card of its author."""


def day(year: int, month: int, number: int) -> int:
    return minutes_of(datetime(year, month, number)) * 600_000_000


TYPES: dict[str, tuple[str, dict[int, PropValue]]] = {
    "3.1.1 FN": ("FN:Mr. John Q. Public\\, Esq.", {p.PidTagDisplayName: "Mr. John Q. Public, Esq."}),
    "3.1.2 N": ("N:Public;John;Quinlan;Mr.;Esq.", {
        p.PidTagSurname: "Public", p.PidTagGivenName: "John", p.PidTagMiddleName: "Quinlan",
        p.PidTagDisplayNamePrefix: "Mr.", p.PidTagGeneration: "Esq.",
    }),
    "3.1.2 N of lists": ("N:Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.,A.C.P.", {
        p.PidTagSurname: "Stevenson", p.PidTagGivenName: "John", p.PidTagDisplayNamePrefix: "Dr.",
    }),
    "3.1.3 NICKNAME": ("NICKNAME:Robbie", {p.PidTagNickname: "Robbie"}),
    "3.1.5 BDAY": ("BDAY:1996-04-15", {p.PidTagBirthday: day(1996, 4, 15)}),
    "3.1.5 BDAY with a time": ("BDAY:1953-10-15T23:10:00Z", {p.PidTagBirthday: day(1953, 10, 15)}),
    "3.1.5 BDAY with an offset": ("BDAY:1987-09-27T08:30:00-06:00", {p.PidTagBirthday: day(1987, 9, 27)}),
    "3.2.1 ADR": ("ADR;TYPE=dom,home,postal,parcel:;;123 Main\n  Street;Any Town;CA;91921-1234", {
        p.PidTagHomeAddressStreet: "123 Main Street", p.PidTagHomeAddressCity: "Any Town",
        p.PidTagHomeAddressStateOrProvince: "CA", p.PidTagHomeAddressPostalCode: "91921-1234",
    }),
    "3.3.1 TEL": ("TEL;TYPE=work,voice,pref,msg:+1-213-555-1234", {p.PidTagBusinessTelephoneNumber: "+1-213-555-1234"}),
    "3.3.2 EMAIL": ("EMAIL;TYPE=internet:jqpublic@xyz.dom1.com", {n.PidLidEmail1EmailAddress: "jqpublic@xyz.dom1.com"}),
    "3.5.1 TITLE": (
        "TITLE:Director\\, Research and Development", {p.PidTagTitle: "Director, Research and Development"}
    ),
    "3.5.2 ROLE": ("ROLE:Programmer", {p.PidTagProfession: "Programmer"}),
    "3.5.5 ORG": ("ORG:ABC\\, Inc.;North American Division;Marketing", {p.PidTagCompanyName: "ABC, Inc."}),
    "3.6.1 CATEGORIES": ("CATEGORIES:INTERNET,IETF,INDUSTRY,INFORMATION TECHNOLOGY", {
        n.PidNameKeywords: ["INTERNET", "IETF", "INDUSTRY", "INFORMATION TECHNOLOGY"],
    }),
    "3.6.2 NOTE": ("NOTE:This fax number is operational 0800 to 1715\n  EST\\, Mon-Fri.", {
        p.PidTagBody: "This fax number is operational 0800 to 1715 EST, Mon-Fri.",
    }),
    "3.6.8 URL": ("URL:http://www.swbyps.restaurant.french/~chezchic.html", {
        p.PidTagBusinessHomePage: "http://www.swbyps.restaurant.french/~chezchic.html",
    }),
    **{
        f"{section} {line.partition(':')[0].partition(';')[0]} {number}": (line, {})
        for number, (section, line) in enumerate((
            ("3.2.2", "LABEL;TYPE=dom,home,postal,parcel:Mr.John Q. Public\\, Esq.\\nMail Drop: TNE QB\\n123 Main "
                      "Street"),
            ("3.3.3", "MAILER:PigeonMail 2.1"), ("3.4.1", "TZ:-05:00"),
            ("3.4.1", "TZ;VALUE=text:-05:00; EST; Raleigh/North America"), ("3.4.2", "GEO:37.386013;-122.082932"),
            ("3.5.3", "LOGO;VALUE=uri:http://www.abc.com/pub/logos/abccorp.jpg"),
            ("3.5.4", "AGENT;VALUE=uri:CID:JQPUBLIC.part3.960129T083020.xyzMail@host3.com"),
            ("3.1.4", "PHOTO;VALUE=uri:http://www.abc.com/pub/photos/jqpublic.gif"),
            ("3.6.5", "SORT-STRING:Harten"), ("3.6.6", "SOUND;TYPE=BASIC;VALUE=uri:CID:JOHNQPUBLIC.part8@host1.com"),
            ("3.6.7", "UID:19950401-080045-40000F192713-0052"), ("3.7.1", "CLASS:PUBLIC"),
        ))
    },
}  # fmt: skip
"""By section: a line, and what it becomes; what is not among the properties of a contact is kept and written again."""


def contact(line: str) -> Item:
    head = "" if line.startswith("FN") else "FN:Somebody\n"
    (item,) = items_of(f"BEGIN:VCARD\nVERSION:3.0\n{head}{line}\nEND:VCARD\n".replace("\n", "\r\n").encode())
    return item


WRITTEN = {
    "3.1.5 BDAY with a time": "BDAY:1953-10-15",
    "3.1.5 BDAY with an offset": "BDAY:1987-09-27",
    "3.2.1 ADR": "ADR:;;123 Main Street;Any Town;CA;91921-1234;",
    "3.2.2 LABEL 0": "ADR:;;Mr.John Q. Public\\, Esq.\\nMail Drop: TNE QB\\n123 Main Street;;;;",
}
"""What is written in another way: a birthday is a day, ADR has its seven parts, and an address that is known as a whole
alone is a street. All others have the value that they came with."""


@pytest.mark.parametrize("name", TYPES)
def test_type(name: str) -> None:
    line, expected = TYPES[name]
    item = contact(line)
    assert {tag: item.props.get(tag) for tag in expected} == expected
    kind, _, value = WRITTEN.get(name, line.replace("\n ", "")).partition(":")
    written = to_vcard(item, version="3.0").decode().replace("\r\n ", "").split("\r\n")
    assert [each.partition(":")[2] for each in written if re.split("[;:]", each)[0] == kind.partition(";")[0]] == [
        value
    ]


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_dawson(version: str) -> None:
    (item,) = items_of(DAWSON.replace("\n", "\r\n").encode())
    for bag in (item.props, items_of(to_vcard(item, version=version))[0].props):
        assert bag.items() >= {
            p.PidTagMessageClass: "IPM.Contact", p.PidTagDisplayName: "Frank Dawson",
            p.PidTagCompanyName: "Lotus Development Corporation", p.PidTagBusinessTelephoneNumber: "+1-919-676-9515",
            p.PidTagBusinessFaxNumber: "+1-919-676-9564", n.PidLidEmail1EmailAddress: "Frank_Dawson@Lotus.com",
            n.PidLidEmail2EmailAddress: "fdawson@earthlink.net", n.PidLidWorkAddressStreet: "6544 Battleford Drive",
            n.PidLidWorkAddressCity: "Raleigh", n.PidLidWorkAddressState: "NC",
            n.PidLidWorkAddressPostalCode: "27613-3502", n.PidLidWorkAddressCountry: "U.S.A.",
            p.PidTagBusinessHomePage: "http://home.earthlink.net/~fdawson", p.PidTagIconIndex: 0x200,
        }.items()  # fmt: skip


def test_howes() -> None:
    (item,) = items_of(HOWES.replace("\n", "\r\n").encode())
    written = vobject.readOne(to_vcard(item, version="3.0").decode())
    assert (written.fn.value, written.org.value) == ("Tim Howes", ["Netscape Communications Corp."])
    assert (written.adr.value.street, written.adr.value.code.strip()) == ("501 E. Middlefield Rd.", "94043")
    assert sorted(each.value for each in written.tel_list) == ["+1-415-528-4164", "+1-415-937-3419"]
    assert written.email.value == "howes@netscape.com"


def test_both_in_one_file() -> None:
    found = items_of((DAWSON + "\n\n" + HOWES).replace("\n", "\r\n").encode())
    assert [item.props[p.PidTagDisplayName] for item in found] == ["Frank Dawson", "Tim Howes"]


def test_perreault() -> None:
    (item,) = items_of(PERREAULT.replace("\n", "\r\n").encode())
    assert item.props.items() >= {
        p.PidTagDisplayName: "Simon Perreault", p.PidTagSurname: "Perreault", p.PidTagGivenName: "Simon",
        p.PidTagGeneration: "ing. jr M.Sc.", p.PidTagGender: 2, p.PidTagWeddingAnniversary: day(2009, 8, 8),
        p.PidTagCompanyName: "Viagenie", p.PidTagOfficeLocation: "Suite D2-630",
        p.PidTagBusinessTelephoneNumber: "+1-418-656-9254;ext=102", p.PidTagMobileTelephoneNumber: "+1-418-262-6501",
        n.PidLidEmail1EmailAddress: "simon.perreault@viagenie.ca", n.PidLidWorkAddressStreet: "2875 Laurier",
        n.PidLidWorkAddressCity: "Quebec", n.PidLidWorkAddressPostalCode: "G1V 2M2", n.PidLidPostalAddressId: 2,
        p.PidTagPersonalHomePage: "http://nomis80.org",
    }.items()  # fmt: skip
    written = to_vcard(item).decode().replace("\r\n ", "").split("\r\n")
    source = PERREAULT.replace("\n ", "").replace('"', "").splitlines()
    assert set(source) - set(written) == {"ANNIVERSARY:20090808T1430-0500"}
    assert "ANNIVERSARY:20090808" in written
