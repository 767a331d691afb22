"""A reviewer's list: sentences of a report beside the rows they rest on, where they say more.

A sentence is laid beside the rows that its fact spans name, and the rows of its chapter's
municipality that are worded alike. What is listed is a word of doubt, an actor or a number of
informants that the row has and the sentence lacks, and a superlative or a cause that the sentence
has and the row lacks. It is a list to read by, not a gate: a sentence that stands in it may be right.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

__all__ = ["RowText", "prose_findings", "row_texts"]

# ---- Norwegian words, all in one place: what a reviewer looks for.
DOUBT = {  # a row's word of one kind is kept by any word of the same kind
    "degree": r"noe (?:mer|mindre|av|\w+(?:ere|re)|ulik\w*|uklar\w*|usikker\w*|svak\w*)|litt|relativt|ganske|"
    r"nokså|delvis|til dels|i noen grad|til en viss grad|en viss|et visst|stort sett|i stor grad|i hovedsak",
    "modality": r"(?<!ikke )kan(?! ikke)|kunne|trolig|kanskje|muligens|antakelig|antagelig|sannsynligvis|mulig|usikker\w*|uklar\w*",
    "seeming": r"tilsynelatende|virker|virket|synes|syntes|framstår|framsto|fremstår|ser ut|så ut|tyder|tydet|"
    r"inntrykk\w*|later til",
    "number": r"noen|enkelte|flere|mange|få|en av|et par|ofte|iblant|av og til|i perioder|"
    r"én \w+|en (?:informant|ansatt|leder|prosjektleder|kommune|deltaker|forelder)",
}
TELLING = (  # that somebody says, thinks or has experienced it
    r"ifølge|mener|mente|oppgir|oppga|sier|sa|forteller|fortalte|opplever\w*|opplevd\w*|oppfatt\w*|erfar\w*|vurder\w*|"
    r"beskriv\w*|omtal\w*|meldt\w*|melder|svarte|svarer|skriver|skrev|peker|pekte|synes|syntes|anslår|tror|trodde|"
    r"regner|regnet|ser|så|etter eget|egen vurdering|erkjenner"
)
ACTORS = {  # who told it, as in `lessons.told_by`, by what sentences call them
    "evaluator": r"evaluator\w*|rapporten\w*|nordlandsforskning|sluttvurdering\w*|vi",
    "municipality": r"kommun\w*",
    "staff": r"ansatte\w*|gruppe\w*|\w+gruppe\w*|medarbeider\w*|lærer\w*|team\w*|de som",
    "leaders": r"lede[rl]\w*|\w+lede[rl]\w*|\w*sjef\w*|\w*direktør\w*|ordfører\w*",
    "users": r"bruker\w*|familie\w*|foreldre\w*|ungdom\w*|elev\w*|barn\w*|unge|deltaker\w*",
    "project_lead": r"prosjektled\w*|koordinator\w*",
    "survey_provider": r"korus|undersøkelse\w*|analyse\w*|kompetansesent\w*|sintef|ntnu|ks",
    "county_governor": r"statsforvalter\w*|fylkesmann\w*",
}
ACTOR_NAMES = {
    "evaluator": "evaluator", "municipality": "kommunen", "staff": "ansatte", "leaders": "ledere",
    "users": "brukere", "project_lead": "prosjektleder", "survey_provider": "den som undersøkte",
    "county_governor": "statsforvalteren",
}  # fmt: skip
ATTRIBUTED = {  # who a sentence says that it has it from
    "evaluator": r"(?:^|\b)evaluator\w* (?:mener|mente|ser|vurderer|finner|tror|beskriver|sier)|ifølge evaluator\w*",
    "municipality": r"(?:^|\b)kommun\w+ (?:selv )?(?:mener|mente|sier|oppgir|vurderer|opplever)|ifølge kommun\w*",
}
INFORMANTS = (
    r"(?:\d+|en|én|ett|to|tre|fire|fem|seks|sju|åtte|ni|ti|elleve|tolv) "
    r"(?:\w+ )?(?:personer|informanter?|ansatte?|ledere?|familier?|ungdom(?:mer)?|foreldre|elever?|"
    r"lærere?|brukere?|deltakere?|respondenter|svar|intervjuer|medlemmer|prosjektledere?)"
)
NUMBERS = r"\d+|én|ett|to|tre|fire|fem|seks|sju|åtte|ni|ti|elleve|tolv"
SUPERLATIVES = (
    r"best|beste|mest|meste|flest|fleste|størst\w*|viktigst\w*|sterkest\w*|svakest\w*|høyest\w*|lavest\w*|"
    r"tydeligst\w*|tettest\w*|klarest\w*|vanskeligst\w*|enklest\w*|svært|entydig\w*|utelukkende|fullstendig|"
    r"alltid|aldri|avgjørende|uten tvil"
)
NO_SUPERLATIVES = (
    r"i det minste|beste praksis|barnets beste|barns beste|det meste|mest mulig|best mulig"
)
CAUSES = r"derfor|dermed|skyldes|skyldtes|førte til|på grunn av|takket være"
CAUSES_OF_ROWS = (
    CAUSES
    + r"|fordi|siden|slik at|så|bidro|bidrar|ga|gir|gjør|gjorde|krever|utløste|grunn\w*|årsak\w*"
)
COMMON = (
    "og i på av for til som med er var det den de en et ei å at om har hadde ble blir blitt være vært fra seg sin sitt "
    "sine også ikke men så eller enn når der her dette denne disse skal skulle vil ville kan kunne må måtte under over "
    "etter ved mot hos alle andre egen egne mer hva hvordan både samt da slik mellom gjennom sammen flere mange noe "
    "noen få hver selv bare blant annet kommune kommunen kommunene piloten pilot arbeid arbeidet"
)  # words that say nothing of what a sentence is about

WEIGHTS = {
    "doubt": 3.0,
    "superlative": 3.0,
    "actor": 2.5,
    "informants": 2.0,
    "number": 1.0,
    "cause": 1.0,
}
SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-ZÆØÅ«])")  # of a row
STEMS_LEAST = 3  # of a row's sentence that anything can rest on
SHARED_LEAST = 3  # stems that sentence and row share at least
COVERED_LEAST = 0.5  # of the weight of the row's stems
WITHIN_LEAST = 0.65  # or of the sentence's
STEM = 6  # letters: "forankret" and "forankring" are one


@dataclass(frozen=True)
class RowText:
    """One sentence of one row: where it stands, what it says, who told it, whose it is."""

    place: str
    table: str
    row: int
    text: str
    told_by: str | None = None
    code: str | None = None
    stems: frozenset[str] = field(default=frozenset(), compare=False)


def row_texts(
    tables: Mapping[str, pd.DataFrame],
    owners: Mapping[str, pd.Series],
    columns: Mapping[str, Iterable[str]],
) -> list[RowText]:
    """The texts of tables' rows that a sentence may rest on.

    Parameters
    ----------
    tables
        Tables, by name.
    owners
        By table, the code of the municipality that each row belongs to; empty for none.
    columns
        By table, the columns that hold sentences.
    """
    found = []
    for name, wanted in columns.items():
        table = tables.get(name)
        if table is None:
            continue
        told_by = (
            table["told_by"] if "told_by" in table else pd.Series(None, table.index, dtype=object)
        )
        for column in wanted:
            if column not in table:
                continue
            rows = zip(table.index, table[column], told_by, owners[name], strict=True)
            for number, text, who, code in rows:
                place = f"{name}.csv:{number + 2}"
                told = who if isinstance(who, str) else None
                for part in SENTENCES.split(text) if isinstance(text, str) else ():
                    about = stems(part)
                    if len(about) >= STEMS_LEAST:
                        one = RowText(place, name, number + 2, part, told, code or None, about)
                        found.append(one)
    return found


def prose_findings(
    sentences: pd.DataFrame, rows: list[RowText], facts: Mapping[str, tuple[str, int]]
) -> pd.DataFrame:
    """What sentences say that the rows they rest on do not, and the other way round.

    Parameters
    ----------
    sentences
        One row per sentence: ``file``, ``line``, ``text`` (facts filled in), ``before`` (the
        sentence before it in its paragraph), ``facts`` (keys) and ``codes`` (of the municipalities
        that its chapter is about; none for all).
    rows
        As from ``row_texts``.
    facts
        By key, the table and row that a fact stands in.

    Returns
    -------
    DataFrame
        One row per sentence with something to look at, the most urgent first: ``file``, ``line``,
        ``sentence``, ``weight``, ``findings`` (texts), ``row`` (``file.csv:row``, missing where
        nothing alike was found) and ``row_text``.
    """
    finder = _Rows(rows)
    found = []
    for sentence in sentences.itertuples():
        best = finder.alike(sentence, facts)
        told = _told(sentence, best)
        if told:
            row = best[0][1] if best else None
            weight = sum(WEIGHTS[kind] for kind, _, _ in told)
            seen = next((with_row for _, _, with_row in told if with_row), row)
            found.append(
                {
                    "file": sentence.file,
                    "line": sentence.line,
                    "sentence": sentence.text,
                    "weight": round(weight * (_score(best, seen) if seen else 0.3), 2),
                    "findings": [text for _, text, _ in told],
                    "row": seen.place if seen else None,
                    "row_text": seen.text if seen else None,
                }
            )
    columns = ["file", "line", "sentence", "weight", "findings", "row", "row_text"]
    table = pd.DataFrame(found, columns=columns)
    return table.sort_values(
        ["weight", "file", "line"], ascending=[False, True, True], kind="stable"
    ).reset_index(drop=True)


def _score(best: list[tuple[float, RowText]], row: RowText) -> float:
    return next(score for score, one in best if one is row)


def stems(text: str) -> frozenset[str]:
    """What a text is about: its words without endings and without common words."""
    words = re.findall(r"[a-zæøåéèöäü]+", text.casefold())
    return frozenset(word[:STEM] for word in words if len(word) > 2 and word not in _COMMON)


_COMMON = frozenset(COMMON.split())


class _Rows:
    """Finds the rows that a sentence is worded like, or whose facts it names."""

    def __init__(self, rows: list[RowText]) -> None:
        self.rows = rows
        self.having: dict[str, list[int]] = defaultdict(list)
        self.at: dict[tuple[str, int], list[int]] = defaultdict(list)
        counts: Counter[str] = Counter()
        for number, row in enumerate(rows):
            counts.update(row.stems)
            self.at[row.table, row.row].append(number)
            for stem in row.stems:
                self.having[stem].append(number)
        self.rarity = {stem: math.log(1 + len(rows) / count) for stem, count in counts.items()}
        self.unknown = math.log(1 + len(rows))

    def weight(self, of: Iterable[str]) -> float:
        return sum(self.rarity.get(stem, self.unknown) for stem in of)

    def alike(self, sentence, facts) -> list[tuple[float, RowText]]:
        own = stems(sentence.text)
        total = self.weight(own)
        shared = Counter(number for stem in own for number in self.having.get(stem, ()))
        found = {}
        for number, count in shared.items():
            row = self.rows[number]
            if count < SHARED_LEAST or (sentence.codes and row.code not in (None, *sentence.codes)):
                continue
            common = self.weight(own & row.stems)
            of_row, of_sentence = common / self.weight(row.stems), common / total
            if (
                len(row.stems) > STEMS_LEAST and of_row >= COVERED_LEAST
            ) or of_sentence >= WITHIN_LEAST:
                found[number] = max(of_row, of_sentence)
        for key in sentence.facts:
            for number in self.at.get(facts.get(key, ("", 0)), ()):
                found[number] = max(found.get(number, 0), 0.6)
        ranked = sorted(found, key=lambda number: (-found[number], number))
        return [(found[number], self.rows[number]) for number in ranked[:3]]


def _has(pattern: str, text: str) -> re.Match | None:
    return re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text.casefold())


def _told(sentence, best: list[tuple[float, RowText]]) -> list[tuple[str, str, RowText | None]]:
    """Kind, text and row of each thing to look at in one sentence."""
    text = re.sub(NO_SUPERLATIVES, "", sentence.text.casefold())
    context = f"{sentence.before} {sentence.text}"
    told: list[tuple[str, str, RowText | None]] = []
    for _, row in best[:1]:
        told += _lost_doubt(text, row)
        told += _lost_actor(context, sentence.text, row)
        told += _lost_informants(text, row)
    rows = " ".join(row.text for _, row in best)
    strong = _has(SUPERLATIVES, text)
    if strong and not _same_word(strong[0], rows):
        where = "the row does not say it" if best else "no row alike was found"
        told.append(("superlative", f"«{strong[0]}»: {where}", best[0][1] if best else None))
    cause = _has(CAUSES, text)
    if cause and best and not _has(CAUSES_OF_ROWS, rows):
        told.append(("cause", f"«{cause[0]}»: the row names no cause", best[0][1]))
    return told


def _same_word(word: str, text: str) -> bool:
    return any(other[:4] == word[:4] for other in re.findall(r"\w+", text.casefold()))


def _lost_doubt(text: str, row: RowText):
    for kind, pattern in DOUBT.items():
        said = _has(pattern, row.text)
        if said and not _has(pattern, text):
            weighed = "number" if kind == "number" else "doubt"
            yield weighed, f"the row has «{said[0]}»", row


def _lost_actor(context: str, text: str, row: RowText):
    told_by = row.told_by
    if told_by:
        other = next((who for who, pattern in ATTRIBUTED.items() if _has(pattern, text)), None)
        if other and other != told_by:
            yield "actor", f"says {ACTOR_NAMES[other]}; told by {ACTOR_NAMES[told_by]}", row
        elif told_by not in ("evaluator", "municipality") and not _has(ACTORS[told_by], context):
            yield "actor", f"told by {ACTOR_NAMES[told_by]}", row
        return
    said = _has(r"ifølge|mener|mente|oppgir|opplev\w*|oppfatt\w*|omtalt\w*|anslår|tror", row.text)
    if said and not _has(TELLING, context):
        yield "actor", f"the row has «{said[0]}»", row


def _lost_informants(text: str, row: RowText):
    said = _has(INFORMANTS, row.text)
    if said and not _has(NUMBERS, text):
        yield "informants", f"the row has «{said[0]}»", row
