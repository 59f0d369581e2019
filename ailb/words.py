"""The words of a text, as a lexical index wants them. Pure.

Indexes split at spaces. Chinese, Japanese, Korean and Thai have none, so their texts become overlapping pairs of characters, the way
Lucene's CJK analyser has it. Arabic words lose their article, particles and commonest endings: Larkey, Ballesteros and Connell, "Light
Stemming for Arabic Information Retrieval", 2007. Of other long words only the beginning counts, which does in any language what a stemmer
does in one, and finds German compounds by their first half: McNamee and Mayfield, "Character N-Gram Tokenization for European Language Text
Retrieval", 2004. English endings are the index's business.
"""

import re
from collections.abc import Iterator
from typing import Final
from unicodedata import normalize

MOST_TERMS: Final = 64
"""Words of a question that are looked for. A longer one is cut."""

MOST_LETTERS: Final = 8
"""Of a word of letters only. Measured with 7 to 10: XQuAD's questions find as much, in German, Spanish and English."""

_UNSPACED: Final = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]+")
_WORD: Final = re.compile(r"[^\W_]+(?:_[^\W_]+)*")
_ARABIC: Final = re.compile("[\u0621-\u064a]+")
_MARKS: Final = re.compile("[\u0640\u064b-\u0652\u0670]")
_ALEFS: Final = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ة": "ه"})
_PREFIXES: Final = ("وال", "بال", "كال", "فال", "لل", "ال", "و")
_SUFFIXES: Final = ("ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي")

STOP: Final = frozenset(
    """a about above after again against all am an and any are as at be because been before being below between both but by can could did do
    does doing down during each few for from further had has have having he her here hers herself him himself his how i if in into is it
    its itself just me more most my myself no nor not now of off on once only or other our ours ourselves out over own same she should so
    some such than that the their theirs them themselves then there these they this those through to too under until up very was we were
    what when where which while who whom whose why will with would you your yours yourself yourselves
    many much name tell please show give explain describe""".split()  # noqa: SIM905 - a text is easier to read
)
"""English words that say nothing about what is asked for, those that ask among them. Other languages' are common, and so weigh little."""

_STOP: Final = frozenset(word[:MOST_LETTERS] for word in STOP)


def indexed(text: str) -> str:
    """What goes into the index: words with spaces between them."""
    return " ".join(_split(text))


def asked(question: str) -> list[str]:
    """The words to look for, each once, in their order; all of them where none of them says anything."""
    words = list(dict.fromkeys(_split(question)))
    telling = [word for word in words if word not in _STOP]
    return (telling or words)[:MOST_TERMS]


def _split(text: str) -> Iterator[str]:
    for word in _WORD.findall(_MARKS.sub("", normalize("NFKC", text).lower())):
        at = 0
        for run in _UNSPACED.finditer(word):
            if run.start() > at:
                yield _light(word[at : run.start()])
            yield from _pairs(run[0])
            at = run.end()
        if at < len(word):
            yield _light(word[at:])


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    yield from (run[at : at + 2] for at in range(len(run) - 1))


def _light(word: str) -> str:
    if word.isascii() or not _ARABIC.search(word):
        return word[:MOST_LETTERS] if word.isalpha() else word
    word = word.translate(_ALEFS)
    prefix = next((p for p in _PREFIXES if word.startswith(p) and len(word) - len(p) >= 2), "")
    word = word[len(prefix) :]
    suffix = next((s for s in _SUFFIXES if word.endswith(s) and len(word) - len(s) >= 2), "")
    return word[: len(word) - len(suffix)]
