-- Chapters as HTML: bodies, titles and sections, which evalkit.book.pages makes pages of.

local common = ...
local job, words, NBSP, raw = common.job, common.words, common.NBSP, common.raw
local raw_inline, is_float, joined = common.raw_inline, common.is_float, common.joined
local stringify = pandoc.utils.stringify
local boxes = dofile(pandoc.path.join({ job.extension, "tables.lua" }))

local function html(inlines)
  return (pandoc.write(pandoc.Pandoc({ pandoc.Plain(inlines) }), "html", { wrap_text = "none" })
    :gsub("\n$", ""))
end

local function html_callout(div)
  if not div.classes:includes("callout") then
    return nil
  end
  div.attributes = { role = "note" }
  return div
end

local function html_image(image)
  local alt = image.attributes["fig-alt"] or image.attributes.alt or stringify(image.caption)
  image.attributes["fig-alt"] = nil
  image.attributes["fig-align"] = nil
  image.caption = { pandoc.Str(alt) }
  return image
end

-- Widths that follow from the dashes of a table that holds a link are dropped, as in Quarto.
local function without_guessed_widths(tbl)
  local set, linked = tbl.attributes.widths, false
  tbl.attributes.widths = nil
  tbl:walk({ Link = function() linked = true end })
  if set or not linked then
    return
  end
  for number, spec in ipairs(tbl.colspecs) do
    tbl.colspecs[number] = { spec[1] }
  end
end

local function in_box(tbl, name)
  without_guessed_widths(tbl)
  return boxes.in_box(tbl, name)
end

-- A table without a caption is named after its section.
local function html_tables(doc)
  local heading, count = stringify(doc.meta.title or ""), 0
  doc.blocks = doc.blocks:walk({
    traverse = "topdown",
    Header = function(header)
      heading = stringify(header.content)
    end,
    Div = function(div)
      if is_float(div) and div.identifier ~= "" then
        local caption = div.identifier .. "-tekst"
        local content = div.content[1]:walk({
          Table = function(tbl) return in_box(tbl, { by = caption }), false end,
        })
        div.content[1] = content
        return div, div.attributes.part == nil and div.attributes.kind ~= "tbl"
      end
    end,
    Table = function(tbl)
      count = count + 1
      return in_box(tbl, { text = "Tabell " .. count .. ": " .. heading }), false
    end,
  })
  return doc
end

local function html_caption(div, label)
  local caption = div.content[2].content[1].content
  local inlines = pandoc.Inlines({})
  if label ~= "" then
    inlines:insert(raw_inline('<span class="float-number">' .. label .. "</span>"))
  end
  inlines:extend(caption)
  return inlines
end

local function html_float(div)
  if not is_float(div) then
    return nil
  end
  local attributes = div.attributes
  local kind, part = attributes.kind, attributes.part
  local is_sub = part ~= nil
  local empty = #div.content[2].content[1].content == 0
  local label = is_sub and "(" .. part .. ") "
    or words[kind] .. NBSP .. attributes.number .. (empty and "" or ": ")
  local caption = pandoc.Blocks({
    raw('<figcaption id="' .. div.identifier .. '-tekst" class="'
      .. (is_sub and "subfloat-caption" or "float-caption") .. '">'),
    pandoc.Plain(html_caption(div, label)),
    raw("</figcaption>"),
  })
  local class = (is_sub and "subfloat subfloat-" or "float float-") .. kind
  local blocks = pandoc.Blocks({ raw('<div id="' .. div.identifier .. '" class="' .. class .. '"><figure>') })
  local columns = tonumber(attributes.ncol)
  local content = pandoc.Blocks({})
  if columns and not is_sub then
    content:insert(raw('<div class="panel" style="--columns: ' .. columns .. '">'))
  end
  content:extend(div.content[1].content)
  if columns and not is_sub then
    content:insert(raw("</div>"))
  end
  if kind == "tbl" and not is_sub then
    blocks:extend(caption)
    blocks:extend(content)
  else
    blocks:extend(content)
    blocks:extend(caption)
  end
  blocks:insert(raw("</figure></div>"))
  return blocks
end

local function html_equation(span)
  if not span.classes:includes("evalkit-equation") then
    return nil
  end
  local inlines = pandoc.Inlines({ raw_inline('<span class="equation" id="' .. span.identifier .. '">') })
  inlines:extend(span.content)
  inlines:insert(raw_inline('<span class="equation-number">(' .. span.attributes.number .. ")</span></span>"))
  return inlines
end

local function html_header(header)
  local number = header.attributes.number
  header.attributes.number = nil
  header.classes = header.classes:filter(function(class) return class ~= "unnumbered" end)
  if number then
    header.content:insert(1, pandoc.Space())
    header.content:insert(1, pandoc.Span({ number }, pandoc.Attr("", { "header-section-number" })))
  end
  return header
end

local function html_title(chapter)
  local title = html(chapter.title)
  if not chapter.number then
    return '<span class="chapter-title">' .. title .. "</span>"
  end
  local label = '<span class="chapter-number">' .. chapter.number .. "</span>" .. NBSP .. " "
  if chapter.kind == "appendix" then
    label = words.apx .. ' <span class="chapter-number">' .. chapter.number .. "</span> — "
  end
  return label .. '<span class="chapter-title">' .. title .. "</span>"
end

local function without_title(blocks)
  for number, block in ipairs(blocks) do
    if block.t == "Header" and block.level == 1 then
      blocks:remove(number)
      return blocks
    end
  end
  return blocks
end

local function section_entry(header)
  return {
    level = header.level, id = header.identifier, number = header.attributes.number or "",
    html = html(header.content:walk({ Link = function(link) return link.content end })),
    text = stringify(header.content),
  }
end

local function sections(doc)
  local found = pandoc.List({})
  for _, block in ipairs(doc.blocks) do
    if block.t == "Header" and block.level > 1 then
      found:insert(section_entry(block))
    end
  end
  return found
end

local function html_body(doc)
  local shown = html_tables(doc
    :walk({ Div = html_callout, Span = html_equation, Header = html_header, Image = html_image }))
    :walk({ Div = html_float })
  return pandoc.write(shown, "html5", { html_math_method = "mathml", wrap_text = "none" })
end

local function as_page(doc, chapter)
  local result = { file = chapter.file, title = html_title(chapter), identifier = chapter.identifier }
  result.bare_title = html(chapter.title)
  result.text_title = stringify(chapter.title)
  result.number = chapter.number or ""
  result.sections = sections(doc)
  doc.blocks = without_title(doc.blocks)
  result.body = html_body(doc)
  return result
end

local function titles_with_numbers(docs)
  for number, doc in ipairs(docs) do
    local first = doc.blocks[1]
    if first and first.t == "Header" and first.level == 1 then
      first.attributes.number = job.chapters[number].number
      doc.blocks[1] = first
    end
  end
end

local function as_document(docs)
  titles_with_numbers(docs)
  local whole = pandoc.Pandoc(joined(docs), docs[1].meta)
  local headings = pandoc.List({})
  for _, block in ipairs(whole.blocks) do
    if block.t == "Header" and block.level <= 2 then
      headings:insert(section_entry(block))
    end
  end
  return { sections = headings, body = html_body(whole) }
end

return { as_page = as_page, as_document = as_document }
