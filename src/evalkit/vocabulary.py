"""The fixed words of a study and what a reader of the report sees for them.

Each vocabulary maps a code, used in tables and in code, to its Norwegian label. A code that is
not here is refused by the contracts.
"""

from __future__ import annotations

__all__ = [
    "ACTIVITY_STATUS",
    "ANONYMITY",
    "ATTAINMENT",
    "BUDGET_KINDS",
    "CROSSWALK_STATUS",
    "EVALUATION_STEPS",
    "EVALUATORS",
    "EVENT_KINDS",
    "EVIDENCE_GRADES",
    "GOAL_KINDS",
    "GRADED_BY",
    "GRANT_KINDS",
    "GRANT_SPANS",
    "INTERVAL_METHODS",
    "LESSON_TOPICS",
    "LINKAGES",
    "LOGIC_COLUMNS",
    "MEASURE_ASPECTS",
    "MEASURE_STATUS",
    "MECHANISM_STATUS",
    "MILESTONE_STATES",
    "MILESTONE_STATUS",
    "MODES",
    "NO_RISK_REGISTER",
    "NO_SERVICE",
    "ORGANISATION_KINDS",
    "PHASES",
    "PROJECT_KINDS",
    "QUALIFIERS",
    "QUANTITIES",
    "RESULT_KINDS",
    "RISK_PLACES",
    "RIVAL_STATUS",
    "ROW_PATTERNS",
    "STANDINGS",
    "SURVEY_KINDS",
    "TABLE_NAMES",
    "THEMES",
    "TOLD_BY",
    "UNITS",
    "WITHHELD",
]

# What a result's method says, or begins with, and how a reader is told; the first that fits.
INTERVAL_METHODS = {
    "Wilson on the effective base": "Wilson på det effektive grunnlaget",
    "Wilson": "Wilson",
    "Feldt": "Feldt",
    "Cliff's delta, the wider": "de videste av Cliffs grenser, med Students t, og Newcombes",
    "Cliff's delta": "Cliff, med Students t",
    "share up minus share down": "Bonett og Price for svar fra de samme personene",
    "proportional odds, robust": "proporsjonale odds med feil som tåler at svar fra samme arbeidsplass ligner hverandre",
    "proportional odds": "proporsjonale odds",
    "linearised, clusters": "lineært tilnærmet, med tjenestene i kommunene som grupper, Students t",
    "Newcombe, paired shares": "Newcombe for svar fra de samme personene",
    "Newcombe, independent shares": "Newcombe for svar fra ulike personer",
    "Newcombe, widest": "Newcombe, de videste grensene som ukjent overlapping gir",
    "Callaway and Sant'Anna, averaged over all, permutation": "permutasjon av hvem som begynte når",
    "difference of shares, Newcombe": "Newcombe for andeler av ulike personer",
    "population-weighted line": "linje vektet etter gruppenes størrelse, normalfordeling",
    "Dobson": "Dobson",
    "Byar": "Byar",
    "exact Poisson": "eksakt (Poisson)",
    "segmented regression": "Newey og West, tilpasset korte serier",
    "bootstrap": "gjentatt trekking (bootstrap)",
    "permutation": "permutasjon av hvilke kommuner som har tiltaket",
    "gaps not scaled": "placebotest på avvikene selv, fordi noen ble kopiert nøyaktig i årene før",
    "synthetic control": "placebotest på avvik delt på avviket før tiltaket",
    "modified-hartung-knapp": "tilfeldige effekter, Hartung og Knapp, aldri smalere enn feilen i kommunene tilsier",
    "hartung-knapp": "tilfeldige effekter, Hartung og Knapp",
    "wald": "tilfeldige effekter, normalfordeling",
    "exact limits": "eksakte, av tilfeldigheter alene",
    "overdispersion": "normalfordeling, utvidet for spredningen mellom kommunene",
    "normal interval": "normalfordeling",
    "t interval": "t-fordeling",
}

# How the respondents of a survey are linked to those of the wave it follows; blank is unlinked.
LINKAGES = {
    "linked": "de samme personene kan følges",
    "partly_linked": "noen av personene kan følges",
    "unlinked": "ingen kan følges",
}

LOGIC_COLUMNS = {
    "resources": "Ressurser",
    "activities": "Aktiviteter",
    "participation": "Deltakelse",
    "output": "Resultater (kort tid)",
    "outcome": "Virkning (noe tid)",
    "impact": "Samfunnseffekt (lang tid)",
}

ACTIVITY_STATUS = {
    "done": "gjennomført",
    "partly_done": "delvis gjennomført",
    "not_done": "ikke gjennomført",
}

GOAL_KINDS = {
    "effect_goal": "effektmål",
    "result_goal": "resultatmål",
    "local_goal": "lokalt mål",
    "impact_goal": "samfunnsmål",
}

ATTAINMENT = {
    "reached": "nådd",
    "partly_reached": "delvis nådd",
    "promising": "lovende, for tidlig å si sikkert",
    "too_early": "for tidlig å si",
    "not_reached": "ikke nådd",
    "not_judged": "ikke vurdert",
}

GRADED_BY = {
    "evaluators": "evaluatorenes gradering",
    "us": "vår gradering",
}

EVIDENCE_GRADES = {
    "told_by_staff": "ansatte forteller",
    "told_by_users": "brukere forteller",
    "documented": "dokumentert i planer, vedtak eller rutiner",
    "before_and_after": "før- og ettermåling",
    "controlled": "sammenlignet med andre",
    "replicated": "gjentatt i flere kommuner",
    "none": "ingen opplysning",
}

EVENT_KINDS = {
    "learning_workshop": "læringsverksted",
    "focus_group_interview": "fokusgruppeintervju",
    "interview": "intervju",
    "meeting": "samtale eller møte",
    "gathering": "samling",
    "resource_group_meeting": "ressursgruppemøte",
    "webinar": "webinar",
    "survey": "spørreundersøkelse",
    "report": "rapportering",
    "milestone": "milepæl",
    "decision": "vedtak",
    "deadline": "frist",
    "training": "kurs eller opplæring",
    "public_event": "åpent arrangement",
}

MECHANISM_STATUS = {
    "observed": "sett i materialet",
    "partly_observed": "delvis sett i materialet",
    "not_observed": "ikke funnet, selv om det er lett etter",
    "unknown": "ikke undersøkt",
}

MODES = {
    "physical": "fysisk",
    "digital": "digitalt",
    "mixed": "fysisk og digitalt",
    "interview": "intervju",
}

PHASES = {
    "readiness": "Oppmerksomhet og endringsvilje",
    "exploration": "Utforskning",
    "installation": "Installasjon og forberedelse",
    "implementation": "Begynnende implementering og implementering",
    "full_implementation": "Full implementering og vedlikehold",
}

# Where a plan says that something may go wrong; a risk read out of prose is our reading.
RISK_PLACES = {
    "register": "planens risikoregister",
    "prose": "lest ut av teksten",
}
NO_RISK_REGISTER = (
    "Planen har ikke noe risikoregister; risikoene, med tiltak og ansvarlig, er lest ut av teksten."
)

RIVAL_STATUS = {
    "ruled_out": "utelukket",
    "weakened": "svekket",
    "open": "åpen",
    "supported": "styrket",
}

THEMES = {
    "attendance": "Nærvær, frafall og inkludering i arbeidslivet",
    "one_door": "En dør inn",
    "parenting": "Foreldrestøtte",
    "coordination": "Samhandling og koordinering",
    "participation": "Medvirkning",
    "leisure": "Fritid",
}

MEASURE_STATUS = {
    "planned": "planlagt",
    "started": "i gang",
    "piloted": "prøvd ut",
    "implemented": "innført",
    "continued": "videreført i drift",
    "ended": "avsluttet",
    "declined": "ikke gjennomført",
}

# What the values of an indicator allow: a heading, and what may be said.
STANDINGS = {
    "no_value": ("Ingen verdi", "Ingenting kan sies. Verdien må hentes før målet kan vurderes."),
    "hidden": (
        "Skjulte verdier",
        "Verdiene finnes, men kan ikke vises uten å si noe om for få personer.",
    ),
    "no_before": ("Bare etter", "Nivået kan beskrives, men ikke om det har endret seg."),
    "no_after": ("Bare før", "Utgangspunktet er kjent, men ikke hva som skjedde siden."),
    "change_only": (
        "Før og etter",
        "Endringen kan beskrives. Den kan ikke tilskrives programmet, for det er ikke kjent hva som "
        "ville skjedd uten.",
    ),
    "compared": (
        "Før og etter, her og i et annet område",
        "Endringen kan holdes mot endringen i området. Forskjellen kan tilskrives programmet bare "
        "dersom utviklingen ellers ville vært lik, og ikke noe annet skjedde samtidig.",
    ),
}

# The study's tables as a reader would name what they hold.
TABLE_NAMES = {
    "facts": "enkeltopplysninger",
    "regions": "regioner",
    "municipalities": "kommuner",
    "municipality_changes": "kommuneendringer",
    "areas": "områder",
    "noise": "støy i kilder",
    "goals": "mål",
    "measures": "tiltak",
    "indicators": "indikatorer",
    "observations": "verdier av indikatorene",
    "targets": "måltall",
    "surveys": "undersøkelser",
    "survey_services": "inviterte og svar etter tjeneste",
    "survey_results": "svar på undersøkelsene",
    "plan_phases": "faser",
    "milestones": "milepæler",
    "budget_lines": "budsjettposter",
    "risks": "risikoer",
    "stakeholders": "interessenter",
    "success_criteria": "suksesskriterier",
    "organisation": "organisering",
    "evaluation_plan": "steg i evalueringsplanen",
    "events": "hendelser, møter og samlinger",
    "attainment": "vurderinger av måloppnåelse",
    "lessons": "erfaringer",
    "participants": "deltakere i tiltakene",
    "recommendations": "anbefalinger",
}

MEASURE_ASPECTS = {
    "background": "Bakgrunn",
    "organisation": "Organisering",
    "goal": "Mål",
    "target_group": "Målgruppe",
    "method": "Arbeidsform",
    "result": "Resultater",
    "next_step": "Veien videre",
}

ROW_PATTERNS = {
    "one_indicator_row": "en rad med indikatorer for hele modellen",
    "alternating": "rader med logikk og indikatorer annenhver gang",
    "free_form": "fri form",
    "no_indicators": "uten indikatorer",
}

SURVEY_KINDS = {
    "staff_survey": "spørreundersøkelse blant ansatte",
    "user_survey": "spørreundersøkelse blant brukere",
    "youth_interviews": "intervjuer med ungdom",
    "interviews": "intervjuer",
    "youth_survey": "spørreundersøkelse blant ungdom",
    "parent_survey": "spørreundersøkelse blant foreldre",
    "competence_survey": "kompetansekartlegging",
    "situation_analysis": "ståstedsanalyse",
}

GRANT_KINDS = {
    "granted": "tildelt",
    "spent": "brukt",
    "own_contribution": "kommunens egenandel",
}

GRANT_SPANS = {"total": "samlet", "per_year": "per år", "year": "ett år"}

ORGANISATION_KINDS = {
    "service_area": "Kommunalområde",
    "service": "Tjeneste",
    "owner": "Prosjekteier",
    "steering_group": "Styringsgruppe",
    "project_group": "Prosjektgruppe",
    "working_group": "Arbeidsgruppe",
    "resource_group": "Ressursgruppe",
    "reference_group": "Referansegruppe",
    "project_lead": "Prosjektleder",
    "position": "Stilling",
    "anchoring": "Forankring",
    "change": "Organisasjonsendring",
}

PROJECT_KINDS = {
    "project": "prosjekt",
    "plan": "plan",
    "method": "metode eller modell",
    "network": "nettverk",
    "analysis": "analyse",
}

TOLD_BY = {
    "evaluator": "evaluator",
    "project_lead": "prosjektleder",
    "leaders": "ledere",
    "staff": "ansatte",
    "users": "brukere",
    "survey_provider": "den som gjorde undersøkelsen",
    "county_governor": "statsforvalteren",
    "municipality": "kommunen",
}

LESSON_TOPICS = {
    "motivation": "grunner til å delta",
    "situation": "situasjonen i kommunene",
    "anchoring_leadership": "forankring i ledelsen",
    "anchoring_organisation": "forankring i organisasjonen",
    "project_lead": "rollen som prosjektleder",
    "other_projects": "andre prosjekter",
    "national_reforms": "nasjonale reformer",
    "coordination": "samordning",
    "availability": "tilgjengelighet",
    "target_group": "målgruppens erfaringer",
    "participation": "medvirkning",
    "baseline": "nullpunktsanalysen",
    "knowledge": "kunnskapsgrunnlag",
    "evaluation": "evaluering",
    "logic_models": "logiske modeller",
    "learning_history": "lærende historie",
    "county_governor": "statsforvalterens rolle",
    "competence_environments": "kompetansemiljøene",
    "time_on_grants": "tid brukt på tilskudd",
    "programme_financing": "programfinansiering",
    "grant": "hva tilskuddet betydde",
    "implementation": "implementering",
    "conclusion": "konklusjon",
}

EVALUATORS = {
    "nordlandsforskning": "Nordlandsforskning",
    "ntnu": "NTNU",
    "pwc": "PwC",
    "municipality": "kommunen selv",
    "to_be_engaged": "forskningsmiljø som skal engasjeres",
    "undecided": "ikke avgjort",
}

QUALIFIERS = {
    "about": "om lag",
    "over": "over",
    "under": "under",
    "at_least": "minst",
    "at_most": "høyst",
}

UNITS = {
    "count": "antall",
    "persons": "personer",
    "families": "familier",
    "children": "barn",
    "groups": "grupper",
    "meetings": "møter",
    "percent": "prosent",
    "percentage_points": "prosentpoeng",
    "nok": "kroner",
    "nok_per_inhabitant": "kroner per innbygger",
    "km2": "km²",
    "years": "år",
    "months": "måneder",
    "weeks": "uker",
    "days": "dager",
    "hours": "timer",
    "minutes": "minutter",
    "date": "dato",
    "year": "årstall",
    "text": "tekst",
    "score": "skår",
    "positions": "årsverk",
}

MILESTONE_STATUS = {
    "planned": "planlagt",
    "in_progress": "i gang",
    "done": "gjennomført",
    "cancelled": "utgått",
}

# Where a milestone stands on a day, by its deadline and what is reported of it.
MILESTONE_STATES = {
    "done": "gjennomført",
    "done_late": "gjennomført etter fristen",
    "late": "forsinket",
    "not_reported": "fristen er ute, ikke rapportert",
    "due": "fristen er nær",
    "upcoming": "senere",
    "no_deadline": "uten frist",
    "cancelled": "utgått",
}

BUDGET_KINDS = {"cost": "utgift", "income": "inntekt"}

EVALUATION_STEPS = {
    "baseline": "nullpunkt",
    "status": "underveis",
    "final": "sluttevaluering",
    "effect": "effektevaluering",
}

CROSSWALK_STATUS = {
    "same": "samme spørsmål",
    "reworded": "ny ordlyd",
    "other_scale": "annen skala",
    "not_asked": "ikke stilt",
}

# What a municipality does to a draft that it validates.
FEEDBACK_KINDS = {
    "comment": "merknad",
    "insertion": "tilføyelse",
    "deletion": "strykning",
    "moved_from": "flyttet herfra",
    "moved_to": "flyttet hit",
    "paragraph_split": "avsnitt delt",
    "paragraph_merge": "avsnitt slått sammen",
    "row_insertion": "ny rad",
    "row_deletion": "rad strøket",
    "untracked": "endret uten sporing",
}

# Whether a passage may be shown; only what is cleared leaves the analysis.
ANONYMITY = {
    "not_checked": "ikke vurdert",
    "needs_change": "må skrives om",
    "cleared": "kan gjengis",
    "withheld": "skal ikke gjengis",
}

NO_SERVICE = "Uten oppgitt tjeneste"  # where an answer does not say which service it is from

# What the numbers and dates of tables are called where they are listed as claims.
QUANTITIES = {
    "amount": "beløp",
    "answered": "svar",
    "attended": "deltakere",
    "base": "svar i alt",
    "consequence": "konsekvens",
    "count": "antall",
    "denominator": "av i alt",
    "done": "gjennomført",
    "due": "frist",
    "end": "slutt",
    "factor": "risikofaktor",
    "invited": "inviterte",
    "members": "medlemmer",
    "numerator": "antall",
    "position": "stillingsstørrelse",
    "probability": "sannsynlighet",
    "quotation": "sitat",
    "response_rate": "svarprosent",
    "share": "andel",
    "start": "tid",
    "value": "verdi",
}

# Kinds of results that counts may be hidden in.
RESULT_KINDS = {
    "responses": "inviterte og svar blant ansatte",
    "answers": "antall svar fra ansatte",
    "other_responses": "inviterte og svar blant andre",
    "other_answers": "antall svar fra andre",
    "changes": "endringer",
    "themes": "tema i kommentarer",
    "values": "verdier av indikatorer",
}

# Why a value is withheld: what stands in the table in its place, by the codes of reasons.py.
WITHHELD = {
    "too_few": "for få til å vises",
    "base_too_small": "for lite grunnlag",
    "can_be_derived": "skjult for å verne et annet tall",
    "protected": "skjermet",
    "not_comparable": "kan ikke sammenlignes",
    "not_asked": "ikke stilt",
    "missing": "mangler",
    "too_few_periods": "for få år",
    "too_few_donors": "for få å sammenligne med",
    "too_few_clusters": "for få kommuner",
    "design_cannot_answer": "opplegget kan ikke svare",
}

# Numbers in words, as texts write them.
NUMBER_WORDS = {
    word: number
    for number, words in enumerate(
        (
            "ingen en én ett to tre fire fem seks sju åtte ni ti elleve tolv tretten fjorten femten "
            "seksten sytten atten nitten tjue"
        )
        .replace("en én ett", "en/én/ett")
        .replace("sju", "sju/syv")
        .split()
    )
    for word in words.split("/")
}

# First names that many in Norway bear, by which a person's name in a text is known.
_FIRST_NAMES = (
    "Anne Anna Inger Kari Marit Ingrid Liv Eva Berit Astrid Bjørg Hilde Solveig Marianne Randi Ida "
    "Nina Maria Elisabeth Kristin Bente Heidi Silje Hanne Linda Tone Tonje Gerd Elin Anita Wenche "
    "Ragnhild Camilla Ellen Karin Hege Mona Marie Aud Monica Julie Kristine Turid Laila Reidun "
    "Stine Helene Åse Jorunn Sissel Mari Line Lene Mette Grethe Trine Unni Malin Grete Thea Gunn "
    "Emma Nora Sara Sofie Ingunn Siri Gro Vigdis Eli Irene Ruth Lise Kirsten Tove Synnøve Rita "
    "Jan Per Bjørn Ole Lars Kjell Knut Arne Svein Thomas Hans Geir Tor Morten Terje Odd Erik Martin "
    "Andreas John Anders Rune Trond Tore Daniel Jon Kristian Marius Tom Stian Harald Olav Magnus "
    "Gunnar Øyvind Rolf Espen Fredrik Leif Henrik Nils Christian Eirik Helge Jonas Einar Steinar "
    "Håvard Frode Sverre Kåre Øystein Arild Sigurd Alexander Ivar Johan Jørgen Magne Kenneth Frank "
    "Dag Egil Stein Vidar Roar Tommy Sindre Ola Emil Oskar Jakob Mohammed Mohamed Ali Ahmed Fatima "
    "Aisha Amina Omar Hassan Yusuf"
)
FIRST_NAMES = tuple(_FIRST_NAMES.split())
