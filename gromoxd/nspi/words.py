"""What the address book says to people, in their language: names of lists, labels of templates. English is the key."""

from __future__ import annotations

from typing import Final

_GERMAN: Final = {
    "Global Address List": "Globale Adressliste", "All Address Lists": "Alle Adresslisten",
    "All Users": "Alle Benutzer", "All Distribution Lists": "Alle Verteilerlisten", "All Contacts": "Alle Kontakte",
    "All Rooms": "Alle Räume", "Internet Address": "Internetadresse",
    "General": "Allgemein", "Phone/Notes": "Telefon/Notizen", "Organization": "Organisation",
    "Member Of": "Mitglied von", "E-mail Addresses": "E-Mail-Adressen", "Members": "Mitglieder",
    "Name": "Name", "Name and address": "Name und Adresse", "First:": "&Vorname:", "Initials:": "&Initialen:",
    "Last:": "&Nachname:", "Display:": "&Anzeigename:", "Alias:": "A&lias:", "Address:": "A&dresse:", "City:": "&Ort:",
    "State:": "&Bundesland:", "Zip code:": "&PLZ:", "Country/Region:": "&Land/Region:", "Title:": "&Position:",
    "Company:": "&Firma:", "Department:": "Ab&teilung:", "Office:": "Bü&ro:", "Assistant:": "A&ssistent:",
    "Phone:": "T&elefon:", "Business:": "&Geschäftlich:", "Business 2:": "Ges&chäftlich 2:", "Fax:": "&Fax:",
    "Home:": "&Privat:", "Home 2:": "P&rivat 2:", "Mobile:": "&Mobil:", "Pager:": "&Pager:", "Notes:": "&Notizen:",
    "Phone numbers": "Rufnummern", "Manager:": "&Vorgesetzter:", "Direct reports:": "&Mitarbeiter:",
    "Group membership:": "&Gruppenmitgliedschaft:", "Members:": "&Mitglieder:", "Addresses:": "&Adressen:",
    "E-mail address:": "&E-Mail-Adresse:", "Search for people": "Personen suchen", "Folder name:": "Ordner&name:",
    "Capacity:": "&Kapazität:",
}  # fmt: skip
_FRENCH: Final = {
    "Global Address List": "Liste d'adresses globale", "All Address Lists": "Toutes les listes d'adresses",
    "All Users": "Tous les utilisateurs", "All Distribution Lists": "Toutes les listes de distribution",
    "All Contacts": "Tous les contacts", "All Rooms": "Toutes les salles", "Internet Address": "Adresse Internet",
    "General": "Général", "Organization": "Organisation", "Members": "Membres", "Member Of": "Membre de",
}  # fmt: skip
_BY_LANGUAGE: Final = {0x07: _GERMAN, 0x0C: _FRENCH}
"""By the primary language of an LCID ([MS-LCID] 2.1)."""


def word(text: str, locale: int) -> str:
    """A text in the language of an LCID; English where it is not known."""
    return _BY_LANGUAGE.get(locale & 0x3FF, {}).get(text, text)
