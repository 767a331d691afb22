-- Fills in spans that name a fact: []{fact="horten.population"}.
--
-- The facts come from facts.json in the project; a fact that is not there stops the render.
-- `facts-page: kildeoversikt.qmd` in the metadata makes each fact a link to its source there;
-- headings, chapter titles and link texts are filled without a link. A document without that
-- page sets `facts-page: ""`.
--
-- A fact with a `value` is written as a Norwegian number with its `decimals`; one with a `text`
-- is written as it stands. On the span, form="millions" writes the value in millions (one
-- decimal unless the fact names more), form="billions" in milliarder, form="plain" leaves out the
-- grouping (years).
--
-- In running text a fact that is `counted` (persons, meetings, years; not per cent, kroner, km²) and
-- is a whole number from one to twelve is written as a word, with a capital where it opens a
-- sentence: "Fire kommuner". Digits stay where another counted number of the sentence is larger or
-- no whole number, in a series ("Horten 7, Namsos 8, Frøya 5"), in a range or a compound ("7–8",
-- "5-åring"), as an ordinal ("hver 5. uke"), after what numbers things ("trinn 3"), before a unit
-- of measure ("8 prosent"), and in tables. form="digits" asks for digits. One is "ett" before a
-- neuter noun that is known here and "én" before others; form="ett", "én" or "ei" says which.

local SCALES = { millions = 1e6, billions = 1e9 }
local ONES = { ["ett"] = true, ["én"] = true, ["ei"] = true }
local FORMS = "billions, digits, ei, ett, én, millions, plain"
local PLAIN_FORMS = { plain = true, digits = true }

local NUMBER_WORDS = { "én", "to", "tre", "fire", "fem", "seks", "sju", "åtte", "ni", "ti", "elleve", "tolv" }
local function set(words)
  local members = {}
  for word in words:gmatch("%S+") do
    members[word] = true
  end
  return members
end
local MEASURES = set("prosent prosentpoeng promille poeng kroner kr millioner mill milliarder mrd km km² "
  .. "kvadratkilometer kilometer meter kilo grader årsverk %")
local NUMBERED = set("trinn klasse fase punkt nr. nummer kapittel kap. avsnitt tabell figur del vedlegg side s. skår skåren "
  .. "verdi verdien faktor alternativ")
local ABBREVIATIONS = set("ca. bl.a. f.eks. dvs. mv. osv. kap. nr. s. jf. inkl. ekskl. pr. maks. min. kl. tlf. st. prop. meld.")
local JOINS = set("og eller samt til , ; mot mens")
local NEUTER_WORDS = set("år hus lag tall mål fag steg barn råd møte kort språk navn bygg")
-- Endings of compounds as well: "delprosjekt", "læringsverksted"
local NEUTER_ENDINGS = { "tiltak", "møte", "område", "prosjekt", "kontor", "senter", "barn", "departement", "direktorat",
  "fylke", "verksted", "tilskudd", "program", "team", "panel", "kurs", "nettverk", "besøk", "intervju", "svar", "sted",
  "trinn", "tilbud", "utvalg", "valg", "forslag", "spørsmål", "resultat", "arbeid", "semester", "tilfelle", "seminar",
  "webinar", "forsøk", "punkt", "tema", "problem", "system", "opplegg", "halvår", "skoleår", "prosjektår", "kvartal",
  "minutt", "døgn", "forum", "styre", "bibliotek", "sykehus", "familiehus", "foretak", "menneske", "medlem", "bidrag",
  "anlegg", "kapittel", "avsnitt", "vedlegg", "bilde", "verktøy", "mandat", "oppdrag", "behov", "nivå", "skjema",
  "dokument", "vedtak", "eksempel", "budsjett", "ungdomsråd", "eldreråd", "delmål", "resultatmål", "effektmål",
  "stoppunkt", "nullpunkt", "alternativ", "grep" }
local BEFORE_NOUNS = set("av de disse alle felles slike slik par lite stort")
local NOUN_ENDINGS = { "", "et", "ets", "ene", "enes", "ne", "nes", "s", "t" }

local facts, facts_file, facts_page
local missing, unfit = pandoc.List({}), pandoc.List({})

local function stop(message)
  io.stderr:write("Error: " .. message .. "\n")
  os.exit(1)
end

local function load_facts()
  local project = quarto and quarto.project.directory
  facts_file = project and pandoc.path.join({ project, "facts.json" }) or "facts.json"
  local handle = io.open(facts_file, "r")
  if not handle then
    stop("no file " .. facts_file)
  end
  facts = pandoc.json.decode(handle:read("a"), false)
  handle:close()
end

local function grouped(whole)
  local first = (#whole - 1) % 3 + 1
  local groups = pandoc.List({ whole:sub(1, first) })
  for place = first + 1, #whole, 3 do
    groups:insert(whole:sub(place, place + 2))
  end
  return table.concat(groups, "\u{00A0}")
end

-- A number that is not negative with its decimals, halves away from zero, as `rounded` in norwegian.py: what is rounded
-- is the number to 15 significant digits, all that a decimal keeps in binary.
local SIGNIFICANT = 15

local function rounded(value, decimals)
  if value >= 10 ^ SIGNIFICANT then
    return string.format("%.0f", value), ("0"):rep(decimals)
  end
  local first, rest, exponent = string.format("%." .. (SIGNIFICANT - 1) .. "e", value):match("^(%d)%.(%d+)e([+-]%d+)$")
  local digits, whole = first .. rest, tonumber(exponent) + 1
  if whole < 1 then
    digits, whole = ("0"):rep(1 - whole) .. digits, 1
  end
  digits = digits .. ("0"):rep(whole + decimals + 1 - #digits)
  local kept, up = digits:sub(1, whole + decimals), digits:byte(whole + decimals + 1) >= ("5"):byte()
  for place = #kept, 1, -1 do
    if not up then
      break
    end
    local digit = tonumber(kept:sub(place, place)) + 1
    up = digit == 10
    kept = kept:sub(1, place - 1) .. digit % 10 .. kept:sub(place + 1)
  end
  if up then
    kept, whole = "1" .. kept, whole + 1
  end
  return kept:sub(1, whole), kept:sub(whole + 1)
end

local function norwegian(value, decimals, plain)
  local whole, rest = rounded(math.abs(value), math.floor(decimals or 0))
  local number = (plain and whole or grouped(whole)) .. (rest ~= "" and "," .. rest or "")
  return (value < 0 and number:match("[1-9]") and "−" or "") .. number
end

local function written(fact, form)
  if type(fact.text) == "string" then
    return fact.text
  end
  if SCALES[form] then
    return norwegian(fact.value / SCALES[form], math.max(1, fact.decimals or 0))
  end
  return norwegian(fact.value, fact.decimals, form == "plain")
end

local function known_form(form)
  return not form or SCALES[form] or PLAIN_FORMS[form] or ONES[form]
end

local function fact_of(span)
  if not facts then
    load_facts()
  end
  return facts[span.attributes.fact]
end

-- A span as it is shown: linked to its source or not, and its text in digits unless one is given.
local function filled(span, linked, text)
  local key = span.attributes.fact
  if not key then
    return nil
  end
  local fact, form = fact_of(span), span.attributes.form
  if EVALKIT_USED then
    EVALKIT_USED.facts[key] = true
  end
  if not fact then
    missing:insert(key)
    return pandoc.Strong("?" .. key)
  end
  if not known_form(form) then
    unfit:insert(key .. ' form="' .. form .. '"')
    return pandoc.Strong("?" .. key)
  end
  text = text or written(fact, form)
  local linkable = linked and facts_page and type(fact.source) == "string"
  local shown = pandoc.Inlines({ pandoc.Str(text) })
  if FORMAT == "typst" then
    -- Typst takes "24. mars" at the start of a link's text for a numbered list
    shown:insert(1, pandoc.RawInline("typst", "#[]"))
  end
  local content = linkable and pandoc.Link(shown, facts_page .. "#kilde-" .. fact.source)
    or pandoc.Str(text)
  local attributes = { { "data-fact", key } }
  if type(fact.title) == "string" then
    table.insert(attributes, { "title", fact.title })
  end
  return pandoc.Span(content, pandoc.Attr("", { "fact" }, attributes))
end

-- Running text as tokens: words, spaces, facts and what is neither (citations, notes, code).
-- `change` may replace a fact's span; it is called in the order of the tokens.
local WITHIN = set("Emph Strong Strikeout Superscript Subscript SmallCaps Underline Quoted Link Span")

local function visited(inlines, tokens, change, linked)
  local result = pandoc.Inlines({})
  for _, inline in ipairs(inlines) do
    local kind = inline.t
    if kind == "Span" and inline.attributes.fact then
      tokens:insert({ kind = "fact", fact = fact_of(inline), form = inline.attributes.form })
      result:insert(change and change(inline, #tokens, linked) or inline)
    elseif WITHIN[kind] then
      inline.content = visited(inline.content, tokens, change, linked and kind ~= "Link")
      result:insert(inline)
    else
      if kind == "Str" then
        tokens:insert({ kind = "word", text = inline.text })
      elseif kind == "Space" or kind == "SoftBreak" or kind == "LineBreak" then
        tokens:insert({ kind = "space" })
      else
        tokens:insert({ kind = "other" })
      end
      result:insert(inline)
    end
  end
  return result
end

local function lower(text)
  return pandoc.text.lower(text)
end

local function opens_lower(text)
  local first = text:match("^[%[%(«“\"]*(" .. utf8.charpattern .. ")")
  return first ~= nil and first ~= pandoc.text.upper(first)
end

local function after_space(tokens, place)
  if tokens[place] and tokens[place].kind == "space" then
    return tokens[place + 1]
  end
end

-- Whether a token ends a sentence: "slutt." before a capital, a fact or nothing.
local function ends_sentence(tokens, place)
  local token = tokens[place]
  if token.kind ~= "word" or not token.text:match('[.!?]["”»%)%]]*$') then
    return false
  end
  if ABBREVIATIONS[lower(token.text)] then
    return false
  end
  if not tokens[place + 1] then
    return true
  end
  local following = after_space(tokens, place + 1)
  return following ~= nil and not (following.kind == "word" and opens_lower(following.text))
end

local function sentences(tokens)
  local found, first = {}, 1
  for place = 1, #tokens do
    if ends_sentence(tokens, place) or place == #tokens then
      table.insert(found, { first = first, last = place })
      first = place + 1
    end
  end
  return found
end

local function counted(token)
  return token.kind == "fact" and token.fact ~= nil and token.fact.counted == true
    and type(token.fact.value) == "number" and not SCALES[token.form]
end

local function small(token)
  local value = counted(token) and token.form ~= "plain" and token.form ~= "digits" and token.fact.value
  return value and value >= 1 and value <= #NUMBER_WORDS and value == math.floor(value)
end

-- Whether the token's neighbours make it a number and not a count.
local function stands_as_number(tokens, place)
  local before, after = tokens[place - 1], tokens[place + 1]
  if before and before.kind == "word" and before.text:match("[%w/+=<>§-]$") then
    return true
  end
  if before and before.kind == "word" and before.text:match("–$") then
    return true
  end
  if after and after.kind == "word" and (after.text:match("^[%w/+=<>%%-]") or after.text:match("^:%w") or after.text:match("^–")) then
    return true
  end
  if before and before.kind == "space" and tokens[place - 2] and tokens[place - 2].kind == "word"
    and NUMBERED[lower(tokens[place - 2].text)] then
    return true
  end
  local following = after_space(tokens, place + 1)
  if following and following.kind == "word" and MEASURES[(lower(following.text):gsub("[,;)]+$", ""):gsub("%.$", ""))] then
    return true
  end
  if after and after.kind == "word" and after.text == "." then
    following = after_space(tokens, place + 2)
    return following ~= nil and following.kind == "word" and opens_lower(following.text)
  end
  return false
end

-- Facts that follow each other with commas and "og" between, or names: "Horten 7, Namsos 8".
local function in_series(tokens, from, to)
  local series, run, words = {}, {}, nil
  local function close()
    if #run >= 3 then
      for _, place in ipairs(run) do
        series[place] = true
      end
    end
    run = {}
  end
  for place = from, to do
    local token = tokens[place]
    if token.kind == "fact" then
      if words and words > 1 then
        close()
      end
      table.insert(run, place)
      words = 0
    elseif words and token.kind == "word" and not JOINS[lower(token.text)] and token.text:match("%w") then
      words = words + (opens_lower(token.text) and 2 or 1)
    elseif token.kind == "other" then
      words = 2
    end
  end
  close()
  return series
end

local function is_neuter(word)
  word = lower(word):gsub("[%p]+$", "")
  for _, ending in ipairs(NOUN_ENDINGS) do
    local stem = ending == "" and word or (word:sub(-#ending) == ending and word:sub(1, -#ending - 1))
    if stem then
      if NEUTER_WORDS[stem] then
        return true
      end
      for _, known in ipairs(NEUTER_ENDINGS) do
        if stem:sub(-#known) == known then
          return true
        end
      end
    end
  end
  return false
end

-- Whether a word may stand between "ett" and its noun: "ett nytt tiltak", "ett av de tiltakene".
local function before_a_noun(word)
  word = lower(word)
  return BEFORE_NOUNS[word] or word:match("t$") or word:match("ig$") or word:match("sk$") or word:match("ende$")
end

local function one(tokens, place, last)
  if ONES[tokens[place].form] then
    return tokens[place].form
  end
  for later = place + 1, last do
    local token = tokens[later]
    if token.kind == "word" then
      if is_neuter(token.text) then
        return "ett"
      end
      if not before_a_noun(token.text) then
        break
      end
    elseif token.kind ~= "space" then
      break
    end
  end
  return "én"
end

local function with_capital(word)
  local first = word:match("^" .. utf8.charpattern)
  return pandoc.text.upper(first) .. word:sub(#first + 1)
end

-- The words that facts are written as, by the place of their token; digits for all others.
local function number_words(tokens)
  local words = {}
  for _, sentence in ipairs(sentences(tokens)) do
    local beside, opening = false, nil
    for place = sentence.first, sentence.last do
      local token = tokens[place]
      if counted(token) and token.form ~= "plain" and not small(token) and token.form ~= "digits" then
        beside = true
      end
      local quiet = token.kind == "space" or (token.kind == "word" and not token.text:match("[%w\128-\255]"))
        or (token.kind == "word" and (token.text == "«" or token.text == "“"))
      if opening == nil and not quiet then
        opening = place
      end
    end
    local series = in_series(tokens, sentence.first, sentence.last)
    for place = sentence.first, sentence.last do
      local token = tokens[place]
      if small(token) and not beside and not series[place] and not stands_as_number(tokens, place) then
        local value = math.floor(token.fact.value)
        local word = value == 1 and one(tokens, place, sentence.last) or NUMBER_WORDS[value]
        words[place] = place == opening and with_capital(word) or word
      end
    end
  end
  return words
end

local function as_prose(inlines, linked)
  local tokens = pandoc.List({})
  visited(inlines, tokens, nil, linked)
  local words = number_words(tokens)
  return visited(inlines, pandoc.List({}), function(span, place, within)
    return filled(span, within, words[place])
  end, linked)
end

local function prose(linked)
  return function(block)
    block.content = as_prose(block.content, linked)
    return block
  end
end

local running = { Para = prose(true), Plain = prose(true) }

local linked_digits = { Span = function(span) return filled(span, true) end }
local plain = { Span = function(span) return filled(span, false) end }

local function without_links(element)
  element.content = element.content:walk(plain)
  return element
end

local function input_file()
  return quarto and quarto.doc.input_file or EVALKIT_INPUT or PANDOC_STATE.input_files[1]
end

return {
  {
    Meta = function(meta)
      facts_page = meta["facts-page"] and pandoc.utils.stringify(meta["facts-page"])
      if facts_page == "" then
        facts_page = nil
      end
      if pandoc.utils.type(meta.title) == "Inlines" then
        meta.title = as_prose(meta.title, false)
      end
      return meta
    end,
  },
  {
    -- Cells keep digits; what is filled here is no running text any more in the next filter.
    Table = function(found)
      found.caption.long = found.caption.long:walk(running)
      return found:walk({ Link = without_links }):walk(linked_digits)
    end,
  },
  { Header = prose(false), Para = running.Para, Plain = running.Plain },
  { Link = without_links },
  linked_digits,
  {
    Pandoc = function()
      if #missing > 0 then
        stop(input_file() .. " names facts that " .. facts_file .. " lacks: "
          .. table.concat(missing, ", "))
      end
      if #unfit > 0 then
        stop(input_file() .. " writes facts in forms that are not known (" .. FORMS .. "): "
          .. table.concat(unfit, ", "))
      end
    end,
  },
}
