"""What the name of a column says about its cells: words of several languages.

A name is only one sort of evidence: :mod:`tabseed.table.kinds.codes` and
:mod:`tabseed.table.kinds.personal` weigh it against the cells.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Numbering = Literal["person", "label", "counter", "code", "group", "time", ""]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# one of many of their kind; plurals ("patients", "visits") are counts and do not stand here
PEOPLE = _set(
    "patient patienten pat pt subject subjects subj person personen personal participant "
    "teilnehmer proband probanden respondent volunteer donor customer cust kunde kunden "
    "client cliente member mitglied mitglieds student stud matrikel employee emp mitarbeiter "
    "staff worker user nutzer benutzer citizen resident household individual applicant "
    "candidate borrower passenger guest subscriber policyholder victim parent child mother "
    "father baby paciente sujet sujeto persona personne individu usuario utilisateur "
    "etudiant estudiante empleado employe salarie afiliado assure versicherten versicherungs "
    "sozialversicherungs"
)
_SUBJECTS = _set(
    "patient pat subject subj participant proband teilnehmer respondent paciente sujet sujeto"
)
_DOCUMENTS = _set(
    "hospital clinic record chart file dossier historia expediente akte akten fall case "
    "encounter stay episode admission account acct konto cuenta compte policy poliza licence "
    "license passport pass ausweis card karten iban contract vertrags invoice rechnungs "
    "order auftrags transaction booking ticket claim loan specimen sample proben "
    "registration registry study security insurance tax steuer serial device social medical "
    "health horse animal dog cat"
)
_PERSON_NUMBERS = _set(
    "mrn ssn seqn kennzeichen vin nhs cpr bsn dni nie nif cnp pesel mbi pid uid ptid patid "
    "subjid usubjid username login nickname initials kurzel phone telephone telefon tel "
    "telefono mobile cellphone handy fax iban passport aktenzeichen"
)
_SURE_NUMBERS = _set("mrn ssn iban ptid patid subjid usubjid")  # wherever they stand in a name
_IDENTIFIERS = _set("id ids idnr identifier ident uuid guid key kennung identifiant identificador")
_NUMBERS = _set("number nummer nr no nbr num numero")
_COUNTS = _set("number num n no nb nbr count anzahl nombre numero cantidad zahl total")
_CODES = _set("code codes codigo codice kode schlussel schluessel barcode ean gtin upc isbn sku")
_LISTS = _set(  # names of lists of codes: sure wherever they stand, if no measure follows
    "zip zipcode postal postcode plz postleitzahl pincode icd cpt drg hcpcs atc snomed loinc "
    "naics sic isco nace fips insee ndc cusip isin"
)
_GROUPS = _set(  # one of them may be numbered; from so many on, it is no size
    "school district county state city town village municipality commune region province "
    "country hospital clinic ward site centre center firm company store family litter "
    "herd plot stratum strata cluster block team group class department plant schule klinik "
    "ort stadt ecole ville escuela ciudad"
)
_THINGS = _set(
    "dist vill unit sch doc prod product item movie book fam pers teacher pupil location loc dept "
    "trial tree farm cow pig rat batch lot event session user vessel trip ride job ad"
)
_PHONES = _set("phone telephone telefon tel telefono mobile cellphone handy fax")
_FINDINGS = _set("diag diagnosis diagnose diagnostico diagnostic dx lesion")  # codes or counts
_ROW_COUNTERS = _set("rownames rowname rownumber rowid index idx unnamed")
_TIMES = _set(
    "year years jahr annee ano yr day days tag jour dia date month monat mois mes week woche "
    "semaine semana time zeit hour stunde heure hora minute second age alter edad months "
    "weeks hours minutes seconds period periode periodo"
)
_MEASURES = _set(
    "count length size width height weight depth distance duration price cost amount rate "
    "ratio share percent pct score sum mean average avg median min max std balance minutes "
    "usage population income density area size value total change "
    "volume visits cases calls orders claims applications"
)
_LINKS = _set("de du des del della d di of der")
_RELATIONS = _set("at since to from until till after before per by post pre")  # age at diagnosis
_FILLERS = _set(
    "home work private mobile office prefix primary secondary main principal first second "
    "new old billing shipping"
)

_SURE_NAMES = _set(
    "surname lastname firstname forename fullname givenname familyname maidenname vorname "
    "nachname familienname prenom apellido apellidos cognome"
)
_NAME_QUALIFIERS = _set("first last full given family maiden middle birth sur fore")
_NAMES = _set("name names nom nombre naam")
_NAMED_PEOPLE = PEOPLE | _set(
    "doctor physician surgeon nurse therapist teacher author contact owner driver arzt "
    "arztin medecin medico player actor artist manager agent seller buyer spouse director "
    "writer coach referee pilot judge lawyer witness composer singer"
)
_ADDRESSES = _set(
    "address addresses adresse anschrift direccion domicilio indirizzo street strasse rue "
    "calle domicile residence"
)
_NOTES = _set(
    "note notes comment comments remark remarks bemerkung bemerkungen kommentar kommentare "
    "commentaire commentaires remarque remarques observacion observaciones comentario "
    "comentarios notiz notizen text freetext narrative description beschreibung descripcion "
    "anamnesis anamnese befund history summary message feedback review"
)

_SUFFIXES = (
    "schluessel",
    "schlussel",
    "number",
    "nummer",
    "code",
    "name",
    "nbr",
    "num",
    "id",
    "nr",
    "no",
)
_STEMS = (
    PEOPLE
    | _DOCUMENTS
    | _CODES
    | _LISTS
    | _PERSON_NUMBERS
    | _NAME_QUALIFIERS
    | _GROUPS
    | _THINGS
    | {"id"}
)


_NO_CODES = _set("en de trans geno")  # encode, decode


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case without accents and digits.

    ``patient_id``, ``patientId``, ``Patient ID`` and ``patientid`` are two words; ``paid`` is one.
    """
    folded = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("°", "o"))
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    words: list[str] = []
    for word in (w.lower() for w in _WORD.findall(folded)):
        words += _parts(word)
    return tuple(words)


def _parts(word: str) -> list[str]:
    if word in _CODES | _LISTS | _SURE_NAMES | _ROW_COUNTERS | _PERSON_NUMBERS:
        return [word]
    for suffix in _SUFFIXES:
        stem = word.removesuffix(suffix)
        sure = suffix in ("nummer", "schlussel", "schluessel") or (
            suffix == "code" and stem not in _NO_CODES
        )
        if stem != word and stem and (stem in _STEMS or sure):
            return [stem, suffix]
    return [word]


def numbering(name: str) -> Numbering:
    """Say what numbers (or short texts) of that name may number.

    ``person``: people or their records; ``label``: things of some kind, by an id; ``counter``: the
    same by a number (a house number, a visit number); ``code``: classes of a list made elsewhere
    (postal and diagnosis codes); ``group``:
    schools, districts, firms; ``time``: years, days, ages. The last word decides, as in English
    and German, or the first one in the order of French and Spanish; "number of rooms" is a count.
    """
    words = words_of(name)
    if not words:
        return ""
    first, last, rest = words[0], words[-1], words[:-1]
    if _numbers_people(words):
        return "person"
    if _is_code(words):
        return "code"
    if first in _COUNTS and len(words) > 1 and last not in _IDENTIFIERS:
        return ""
    if last in _IDENTIFIERS or (first in _IDENTIFIERS and last not in _MEASURES):
        return "label"
    if words[0] in _ROW_COUNTERS and len(words) == 1:
        return "label"
    if words[0] in _GROUPS and len(words) == 1:
        return "group"
    if any(word in _TIMES for word in words):
        return "time"
    return "counter" if last in _NUMBERS - {"num"} and (rest or last == "nr") else ""


def _numbers_people(words: tuple[str, ...]) -> bool:
    if words in (
        ("id",),
        ("ids",),
        ("id", "code"),
    ):  # a bare id in a table of people or of their visits
        return True
    marks = _IDENTIFIERS | _NUMBERS
    rest = words
    while len(rest) > 1 and rest[-1] in marks | _FILLERS:
        rest = rest[:-1]
    sure = rest[-1] in _PERSON_NUMBERS or _SURE_NUMBERS.intersection(words)
    if sure and rest[0] not in _COUNTS and words[-1] not in _MEASURES | _TIMES:
        return True
    if rest[-1] == "plate" and rest[0] in _DOCUMENTS | {"car", "vehicle", "number"}:
        return True
    marked = len(rest) < len(words) and words[-1] in marks
    if marked and words[0] in _COUNTS and len(words) > 2:
        marked = words[-1] in _IDENTIFIERS
    if marked and rest[-1] in PEOPLE | _DOCUMENTS:
        return True
    romance = words[0] in _IDENTIFIERS | {"numero", "nro", "no"}
    owner = [word for word in words[1:] if word not in _LINKS]
    return romance and bool(owner) and owner[-1] in PEOPLE | _DOCUMENTS


def _is_code(words: tuple[str, ...]) -> bool:
    first, last = words[0], words[-1]
    if first in _COUNTS or "lines" in words or last in _MEASURES | _TIMES:
        return False
    if last in _CODES or first in _CODES or _LISTS.intersection(words):
        return True
    while len(words) > 1 and words[-1] in _FILLERS:
        words = words[:-1]
    return words[-1] in _FINDINGS and not (_RELATIONS | _TIMES).intersection(words)


def finds(name: str) -> bool:
    """Return whether the name says findings, which may be coded or counted (``lesion``)."""
    words = words_of(name)
    return bool(_FINDINGS.intersection(words)) and not _CODES.union(_LISTS).intersection(words)


def may_count(name: str) -> bool:
    """Return whether a name of numbers of people may as well count them (``childNum``, phones)."""
    words = words_of(name)
    return words[-1:] != () and words[-1] in _NUMBERS | _PHONES


def is_phone(name: str) -> bool:
    """Return whether the name says phone numbers, if its numbers are long, or counts."""
    return bool(_PHONES.intersection(words_of(name)))


def is_subject(name: str) -> bool:
    """Return whether the name is a word for one person under study, with no more said."""
    words = words_of(name)
    return len(words) == 1 and words[0] in _SUBJECTS


def counts_rows(name: str) -> bool:
    """Return whether the name is one that programs give to a column of row numbers."""
    return bool(set(words_of(name)[:1]) & _ROW_COUNTERS)


def names_people(name: str) -> Literal["sure", "person", "maybe", ""]:
    """Say whether cells of that name are names of people.

    ``sure``: the name says so (``last_name``, ``patient name``); ``person``: it is a word for a
    person (``patient``); ``maybe``: a name of anything (``name``).
    """
    words = words_of(name)
    if not words:
        return ""
    last, rest = words[-1], set(words[:-1])
    if last in _SURE_NAMES or words[0] in _SURE_NAMES:
        return "sure"
    named = last in _NAMES or words[0] in _NAMES
    if named and rest.union(words[1:]) & (_NAMED_PEOPLE | _NAME_QUALIFIERS):
        return "sure"
    if last in _NAMED_PEOPLE:
        return "person"
    return "maybe" if named and len(words) == 1 else ""


def names_things(name: str) -> bool:
    """Return whether the name says that its cells are names of things (``product_name``)."""
    words = words_of(name)
    return len(words) > 1 and words[-1] in _NAMES and not names_people(name)


def is_address(name: str) -> bool:
    """Return whether the name says that its cells are addresses or streets."""
    words = words_of(name)
    return bool(words) and words[-1] in _ADDRESSES


def is_note(name: str) -> bool:
    """Return whether the name says free text: notes, comments, remarks."""
    words = words_of(name)
    return bool(words) and (words[-1] in _NOTES or words[0] in _NOTES - {"text", "history"})
