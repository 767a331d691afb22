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

local SCALES = { millions = 1e6, billions = 1e9 }

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

-- Rounds half away from zero, as a reader would, also where the number is not exact in binary.
local function rounded(value, decimals)
  local scale = 10 ^ decimals
  return math.floor(value * scale * (1 + 1e-15) + 0.5) / scale
end

local function norwegian(value, decimals, plain)
  decimals = math.floor(decimals or 0)
  local text = string.format("%." .. decimals .. "f", rounded(math.abs(value), decimals))
  local whole, rest = text:match("^(%d+)%.?(%d*)$")
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

local function filled(span, linked)
  local key = span.attributes.fact
  if not key then
    return nil
  end
  if not facts then
    load_facts()
  end
  if EVALKIT_USED then
    EVALKIT_USED.facts[key] = true
  end
  local fact, form = facts[key], span.attributes.form
  if not fact then
    missing:insert(key)
    return pandoc.Strong("?" .. key)
  end
  if form and not SCALES[form] and form ~= "plain" then
    unfit:insert(key .. ' form="' .. form .. '"')
    return pandoc.Strong("?" .. key)
  end
  local text = written(fact, form)
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
        meta.title = meta.title:walk(plain)
      end
      return meta
    end,
  },
  { Header = without_links, Link = without_links },
  { Span = function(span) return filled(span, true) end },
  {
    Pandoc = function()
      if #missing > 0 then
        stop(input_file() .. " names facts that " .. facts_file .. " lacks: "
          .. table.concat(missing, ", "))
      end
      if #unfit > 0 then
        stop(input_file() .. " writes facts in forms that are not known (billions, millions, plain): "
          .. table.concat(unfit, ", "))
      end
    end,
  },
}
