"""Texts that may identify people: left out, with the reason, unless the user says otherwise.

Evidence, in this order: cells that look like contacts or numbers of people (e-mail, phone, IBAN);
names of people, by the column's name, the form of the cells and common names; free text, by
the column's name and by length; and texts of which most rows hold a value that hardly another row
has. The name of a column never decides alone: a ``name`` of species stays a category.

The texts are judged by their distinct values, so a name in half of the rows counts as one.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tabseed.table.kinds.column_names import is_address, is_note, names_people, names_things
from tabseed.table.schema import Kind

MIN_DISTINCT = 5  # fewer texts are categories, unless they are contacts or surely names
MIN_ROWS = 20  # with fewer rows, rare texts say nothing by themselves
MANY_NAMES = 10  # from so many texts on, a column named for names of people needs no more
FEW = 20  # up to so many distinct texts that repeat are categories by themselves
LONG = 6  # words; a text of more is a sentence

_CONTACTS = {  # what most distinct cells match, and what it is called
    "e-mail addresses": r"^\s*[^@\s]+@[^@\s]+\.[A-Za-z]{2,}\s*$",
    "numbers of bank accounts (IBAN)": r"^[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){2,7}( ?[A-Z0-9]{1,4})?$",
    "social security numbers": r"^[0-9]{3}-[0-9]{2}-[0-9]{4}$",
    "identifiers (UUID)": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "card numbers": r"^[0-9]{4}([ -])[0-9]{4}([ -])[0-9]{4}([ -])[0-9]{4}$",
    "phone numbers": (
        r"^(\+|00)[1-9][0-9 ()/.-]{6,18}[0-9]$|^\(?0[0-9]{1,5}[)]?[ /-]+[0-9][0-9 /-]{4,13}[0-9]$"
        r"|^0[0-9]{9,11}$|^(\+?1[ .-]?)?\(?[2-9][0-9]{2}[) .-]+[0-9]{3}[ .-][0-9]{4}(x[0-9]+)?$"
    ),
}
_PLACES = {  # the same, but few of them, often, are places or servers and no people
    "IP addresses": r"^([0-9]{1,3}\.){3}[0-9]{1,3}$|^([0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{1,4}$",
    "addresses of devices": r"^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$",
    "links": r"^\s*(https?://|ftp://|www\.)\S+$",
    "coordinates": (
        r"^\(?-?[0-9]{1,3}\.[0-9]{3,}°?\s*[NS]?\s*[,; ]\s*-?[0-9]{1,3}\.[0-9]{3,}°?\s*[EWO]?\)?$"
        r"|^[0-9]{1,3}°.*[NS].*[EWO]$"
    ),
    "postal addresses": (
        r"(?i)[0-9].*\b(street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|"
        r"place|pl|square|terrace|parkway|highway|hwy|circle|apt|suite|box)\b"
        r"|(stra(ss|ß)e|str\.|weg|platz|gasse|allee|ring|damm|ufer)\s*[0-9]+"
        r"|[0-9].*\b(rue|calle|via|avenida|plaza|chemin|impasse|place)\b"
        r"|\b(rue|calle|via|avenida|plaza|rua)\b.*[0-9]"
    ),
}
_TITLE = r"((Dr|Prof|Mr|Mrs|Ms|Miss|Herr|Frau|Sr|Sra|Mme|Don|Sir)\.?\s+)*"
_PART = r"(\p{Lu}[\p{L}'’-]*\p{L}|\p{Lu}\.?)"
_BETWEEN = r"((von|van|de|der|den|di|da|del|la|le|bin|al|dos|du|zu|ten|y)\s+){0,2}"
_FULL_NAME = (
    rf"^{_TITLE}{_BETWEEN}{_PART}(,?\s+{_BETWEEN}{_PART}){{1,4}}$"
    r"|^(Dr|Prof|Mr|Mrs|Ms|Miss|Herr|Frau|Sra?|Mme)\.?\s+\p{Lu}\p{L}{2,}$"
)
_ONE_NAME = r"^\p{Lu}[\p{L}'’-]*\p{Ll}[\p{L}'’-]*(\s\p{Lu}[\p{L}'’-]+)?$"
_COMMON_NAMES = pa.array(  # given, then family names of many countries, without accents
    "aaron abdul adam ahmed aisha alan albert alejandro alex alexander alexandra ali alice "
    "alicia amanda amber amelia amy ana andrea andreas andrew angela anita anja anke ann "
    "anna anne annette antoine anthony antonio arthur ashley barbara beatriz ben benjamin "
    "bernd bernard beth bianca birgit bob brandon brenda brian bruno camille carl carla "
    "carlos carmen carol caroline catherine cecile charles charlie chloe chris christian "
    "christina christine christopher claire clara claudia clemens cynthia daniel daniela "
    "david deborah dennis diana diane diego dieter dominik donald donna dorothy doris "
    "douglas edward elena elisabeth elizabeth ella emily emma eric erik erika ernst ethan "
    "eva evelyn fatima felix fernando fiona florian francesca francesco francisco francois "
    "frank franz fred frederic frieda fritz gabriel gary george gerald gerhard gertrud "
    "giovanni giulia grace greg gregory greta guido hanna hannah hans harold harry hassan "
    "heather heidi heike heinrich heinz helen helena helga helmut henri henry herbert hugo "
    "ian ibrahim ines ingrid irene isabel isabella ivan jack jacob jacques james jamie jan "
    "jana jane janet jason javier jean jeffrey jennifer jens jeremy jerry jessica jim joan "
    "joao joe johann johannes john jonas jonathan jorge jose joseph joshua juan judith judy "
    "julia julie julien jurgen justin kai karen karin karl katharina katherine kathleen "
    "katrin kelly kenneth kevin klara klaus kurt lars laura lauren lea lena leo leon leonie "
    "linda lisa logan louis louise lucas lucia lucy luigi luis luisa lukas luke maja manuel "
    "marc marco margaret maria marie mario mark marta martha martin martina mary mateo "
    "matthew matthias max maya megan mehmet melissa mia michael michaela michele michelle "
    "miguel mike mila mohamed mohammed monica monika muhammad nancy natalie nathalie "
    "nicholas nicolas nicole niklas nina noah nora oliver olivia olga omar oscar otto pablo "
    "pamela patricia patrick paul paula pedro peter petra philip philipp philippe pierre "
    "rachel rafael ralf ralph raymond rebecca renate ricardo richard rita robert roberto "
    "roger ronald rosa ruth ryan sabine sam samantha samuel sandra sara sarah scott sean "
    "sebastian sergio sharon silvia simon sofia sonia sophia sophie stefan stefanie stephan "
    "stephanie stephen steve steven susan susanne svetlana sven sylvie tanja teresa theo "
    "theresa thomas tim timothy tina tobias tom tyler ulrich ulrike ursula ute uwe valentina "
    "vanessa vera victor vincent virginia vladimir walter werner wilhelm william wolfgang "
    "yasmin yusuf yves zoe wei ming hiroshi yuki priya rahul amit anil sunita raj deepak kim "
    "smith johnson williams jones miller davis wilson anderson taylor thompson robinson "
    "clark lewis muller mueller schmidt schneider fischer weber meyer wagner becker schulz "
    "hoffmann koch bauer richter schroder neumann schwarz zimmermann dubois durand moreau "
    "laurent lefebvre leroy garcia rodriguez martinez hernandez lopez gonzalez gonzales "
    "perez sanchez ramirez torres rossi russo ferrari esposito bianchi silva santos oliveira "
    "souza pereira novak nowak kowalski ivanov petrov wang zhang liu chen yang huang zhao "
    "zhou tanaka sato suzuki takahashi watanabe ito yamamoto nakamura kobayashi kato yoshida "
    "sasaki nguyen tran pham choi jung singh kumar sharma patel gupta khan hussain yilmaz "
    "kaya demir cohen haddad".split()
)


def personal_kind(name: str, present: pa.ChunkedArray) -> tuple[Kind, str] | None:
    """Say why texts may identify people, with the kind that leaves them out, or None.

    ``present``: a column of texts without missing cells. Cost: a few regular expressions over the
    distinct values, all of linear time.
    """
    counted = pc.value_counts(present)
    texts, counts = counted.field(0).cast(pa.string()), counted.field(1)
    n, n_distinct = len(present), len(texts)
    many = n_distinct > FEW or 4 * n_distinct > n
    found = _contact(texts, many=many) if _share(texts, r"[0-9@]|://|www") >= 0.5 else ""
    if found:
        return "id", _reason(f"{n_distinct} {found}")
    if n_distinct < MIN_DISTINCT:
        if _are_few_names(name, texts):
            return "text", _reason(f"names of people, {n_distinct} among {n}")
        return None
    if many and is_address(name):
        return "text", _reason(f"addresses by its name, {n_distinct} distinct among {n}")
    note = is_note(name) and _share(texts, r"\S\s+\S+\s+\S") >= 0.5
    if note and (many or 10 * n_distinct > n):
        return "text", _reason(f"free text by its name, {n_distinct} distinct among {n}")
    if _are_names(name, texts, n):
        return "text", _reason(f"names of people, {n_distinct} among {n}")
    long = pc.sum(counts.filter(_long(texts))).as_py() or 0
    if many and 2 * long >= n:
        return "text", _reason(f"more than {LONG} words in {long} of {n} cells")
    return None


def rare_texts(present: pa.ChunkedArray) -> tuple[Kind, str] | None:
    """Say that texts are left out because most rows hold one that at most one other row has."""
    counts = pc.value_counts(present).field(1)
    rare = pc.sum(counts.filter(pc.less_equal(counts, 2))).as_py() or 0
    once = pc.sum(pc.equal(counts, 1)).as_py() or 0
    if len(present) < MIN_ROWS or len(counts) <= FEW or 2 * rare < len(present):
        return None
    if 3 * once < len(counts):  # two rows of each state are a plan, not a rarity
        return None
    return "text", _reason(
        f"{len(counts)} distinct among {len(present)} values, {rare} of which occur once or twice"
    )


def _reason(what: str) -> str:
    return f"may identify people: {what}: left out"


def _contact(texts: pa.Array, *, many: bool) -> str:
    """Return what most of the texts are, if that leads to people."""
    for patterns in (_CONTACTS, _PLACES if many else {}):
        for what, pattern in patterns.items():
            if _share(texts, pattern) >= 0.5:
                return what
    return ""


def _are_names(name: str, texts: pa.Array, n: int) -> bool:
    """Say whether the texts are names of people."""
    says, d = names_people(name), len(texts)
    if says == "sure" and d >= MANY_NAMES:
        return True
    if _share(texts, r"[0-9]") > 0.5:
        return False
    common = _common_share(texts)
    full = _share(texts, _FULL_NAME) if _share(texts, r"\S\s+\S") >= 0.5 else 0.0
    if says == "sure":
        return common >= 0.15 or full >= 0.5 or _share(texts, _ONE_NAME) >= 0.8
    if says == "person":
        return common >= 0.15 or full >= 0.5
    if says == "maybe":
        return common >= 0.2 or (full >= 0.6 and d > FEW and 5 * d > n)
    if names_things(name):
        return common >= 0.5 and full >= 0.5
    return common >= 0.5 or (common >= 0.25 and full >= 0.5 and d >= MANY_NAMES)


def _are_few_names(name: str, texts: pa.Array) -> bool:
    """Say whether texts too few to tell by their number are names of people, as of three doctors.

    Here the column's name and the cells must both say so.
    """
    says = names_people(name)
    if not says or _common_share(texts) < 0.5:
        return False
    return says != "maybe" or _share(texts, _FULL_NAME) >= 0.5


def _long(texts: pa.Array) -> pa.Array:
    return pc.match_substring_regex(texts, rf"^\s*(\S+\s+){{{LONG},}}\S")


def _common_share(texts: pa.Array) -> float:
    """Return the share of the texts with a common name of people among their words."""
    plain = pc.replace_substring_regex(pc.utf8_normalize(texts, form="NFKD"), r"\p{M}", "")
    words = pc.split_pattern_regex(pc.utf8_lower(plain), r"[^\p{L}]+")
    named = pc.is_in(words.flatten(), _COMMON_NAMES)
    return len(pc.unique(pc.list_parent_indices(words).filter(named))) / len(texts)


def _share(texts: pa.Array, pattern: str) -> float:
    """Return the share of the texts that match."""
    return float(pc.mean(pc.match_substring_regex(texts, pattern)).as_py())
