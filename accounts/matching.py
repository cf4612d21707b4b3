"""Is this the same name? Pure: no clock, no database.

The civil register, the employer who sent the account and its holder write one name in several ways:
accents, case, hyphens, apostrophes, ligatures, particles, compound first names. Elsewhere such a
difference blocks people from their own account; here only the letters count.

- A family name matches the birth name or the used name, or both put together (« Martin-Durand »).
  A particle may be left out (« Villepin » for « de Villepin »), half of a double name may not.
- First names: the first one is needed, whole (« Marie-Claire » is not « Marie »); those that follow
  may be left out on either side, but none may differ.
"""

import unicodedata

# Letters that Unicode does not take apart into a plain letter and its accent.
_LETTERS = str.maketrans(
    {
        "œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ŋ": "n", "þ": "th",
    }
)  # fmt: skip
# Each one is met: keyboards, word processors, old files.
_APOSTROPHES = frozenset("'’‘ʼʹ′`´")
_HYPHENS = frozenset("-‐‑‒–—―−_")
_PARTICLES = frozenset({"d", "de", "du", "des"})


def name_key(name: str) -> str:
    """« D’Éstaing-Œuvrard » → "d estaing oeuvrard": plain lower-case words, one space between. Idempotent."""
    return " ".join(_words(_fold(name)))


def given_names_key(first_names: str) -> str:
    """« Jean-Pierre, Zoé » → "jean-pierre zoe": a word each, compounds keep hyphens. Idempotent."""
    given = ("-".join(_words(part, joined=_APOSTROPHES)) for part in _given(_fold(first_names)))
    return " ".join(part for part in given if part)


def same_family_name(typed: str, *, birth_name: str, used_name: str = "") -> bool:
    """Is `typed` one of the names this person bears?"""
    borne = [birth_name]
    if used_name:
        borne += [used_name, f"{birth_name} {used_name}", f"{used_name} {birth_name}"]
    forms = _family_forms(typed)
    return any(forms & _family_forms(name) for name in borne)


def same_first_names(typed: str, first_names: str) -> bool:
    """Do both begin with the same whole first name, without contradiction in those that follow?"""
    ours, theirs = _given_forms(first_names), _given_forms(typed)
    if not ours or not theirs:
        return False
    # The longest form is the whole list: one side in full must be where the other stops.
    return theirs[-1] in ours or ours[-1] in theirs


def _fold(text: str) -> str:
    """Lower case, without accents or ligatures."""
    text = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in text if not unicodedata.category(sign).startswith("M"))


def _words(text: str, *, joined: frozenset[str] = frozenset()) -> list[str]:
    """Runs of letters and digits; `joined` signs vanish instead of parting two words."""
    return "".join(s if s.isalnum() else "" if s in joined else " " for s in text).split()


def _given(text: str) -> list[str]:
    """Given names, parted by spaces and commas; hyphens around which someone left blanks still bind."""
    text = "".join("-" if sign in _HYPHENS else sign for sign in text)
    tight = "-".join(part.strip() for part in text.split("-"))
    return tight.replace(",", " ").replace(";", " ").split()


def _family_forms(name: str) -> frozenset[str]:
    """The name without its spaces, and the same without its particle."""
    words = name_key(name).split()
    whole = "".join(words)
    bare = "".join(words[1:]) if len(words) > 1 and words[0] in _PARTICLES else whole
    return frozenset({whole, bare} - {""})


def _given_forms(first_names: str) -> list[str]:
    """Every beginning of the list that holds at least its first name whole, shortest first."""
    given = [part.split("-") for part in given_names_key(first_names).split()]
    if not given:
        return []
    words = [word for compound in given for word in compound]
    return ["".join(words[:count]) for count in range(len(given[0]), len(words) + 1)]
