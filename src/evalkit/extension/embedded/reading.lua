-- From a chapter's Markdown to its document: cells in place, tables and figures found, facts
-- filled in. What happens in which order is as in Quarto.

local common = ...
local job, words, read, inlines_from = common.job, common.words, common.read, common.inlines_from

local function visible(element)
  local shown, attributes = true, element.attributes
  local here = function(value) return value == FORMAT end
  if element.classes:includes("content-visible") then
    if attributes["when-format"] then shown = here(attributes["when-format"]) end
    if attributes["unless-format"] then shown = not here(attributes["unless-format"]) end
  elseif element.classes:includes("content-hidden") then
    shown = false
    if attributes["when-format"] then shown = not here(attributes["when-format"]) end
    if attributes["unless-format"] then shown = here(attributes["unless-format"]) end
  else
    return nil
  end
  return shown and element.content or {}
end

local function cell_output(output, cell)
  if output.type == "markdown" then
    return read(output.text).blocks
  elseif output.type == "image" then
    local image = pandoc.Image({}, output.path, "", pandoc.Attr("", {}, { ["fig-alt"] = cell.alt or "" }))
    if type(output.width) == "string" then
      image.attributes.width = output.width
    end
    return pandoc.Blocks({ pandoc.Para({ image }) })
  end
  return pandoc.Blocks({ pandoc.CodeBlock(output.text) })
end

-- The div that Quarto makes of an embedded cell: options on the outer, output in the inner.
local function embedded_cell(div)
  if not div.classes:includes("evalkit-cell") then
    return nil
  end
  local cell = job.cells[div.attributes.cell]
  local content = pandoc.Blocks({})
  for _, output in ipairs(cell.outputs) do
    content:insert(pandoc.Div(cell_output(output, cell), pandoc.Attr("", { "cell-output" })))
  end
  return pandoc.Div(content, pandoc.Attr(cell.label or "", { "cell" }, cell.attributes))
end

local function kind_of(identifier)
  local kind = identifier:match("^(%a+)%-")
  return (kind == "fig" or kind == "tbl") and kind or nil
end

local function column_widths(text, columns)
  local widths, total = {}, 0
  for width in text:gmatch("[%d%.]+") do
    table.insert(widths, tonumber(width))
  end
  for number = 1, columns do
    widths[number] = widths[number] or widths[#widths]
    total = total + widths[number]
  end
  for number = 1, columns do
    widths[number] = total > 100 and widths[number] / total or widths[number] / 100
  end
  return widths
end

local function with_widths(text)
  return function(tbl)
    if not text then
      return nil
    end
    tbl.attributes.widths = "set"
    local widths = column_widths(text, #tbl.colspecs)
    for number, spec in ipairs(tbl.colspecs) do
      tbl.colspecs[number] = { spec[1], widths[number] }
    end
    return tbl
  end
end

local function caption_inlines(caption)
  return pandoc.utils.blocks_to_inlines(caption.long)
end

local function float(identifier, kind, content, caption, attributes)
  return pandoc.Div({
    pandoc.Div(content, pandoc.Attr("", { "float-content" })),
    pandoc.Div({ pandoc.Plain(caption) }, pandoc.Attr("", { "float-caption" })),
  }, pandoc.Attr(identifier, { "evalkit-float" }, {
    { "kind", kind },
    { "ncol", attributes and attributes["layout-ncol"] or "" },
  }))
end

local function image_of(figure)
  local found
  figure.content:walk({ Image = function(image) found = image end })
  return found
end

local function figure_float(figure)
  local kind = kind_of(figure.identifier)
  local image = image_of(figure)
  if not kind or not image then
    return nil
  end
  image.caption = {}
  return float(figure.identifier, kind, { pandoc.Plain({ image }) }, caption_inlines(figure.caption)), false
end

local function table_float(tbl)
  local widths = tbl.attributes["tbl-colwidths"]
  tbl.attributes["tbl-colwidths"] = nil
  tbl = with_widths(widths)(tbl) or tbl
  if kind_of(tbl.identifier) ~= "tbl" then
    return tbl, false
  end
  local identifier, caption = tbl.identifier, caption_inlines(tbl.caption)
  tbl.identifier = ""
  tbl.caption = { long = {} }
  return float(identifier, "tbl", { tbl }, caption), false
end

local function image_float(para)
  local image = #para.content == 1 and para.content[1].t == "Image" and para.content[1]
  local kind = image and kind_of(image.identifier)
  if not kind then
    return nil
  end
  local identifier = image.identifier
  image.identifier = ""
  return float(identifier, kind, { pandoc.Plain({ image }) }, {}), false
end

local div_float
local floats = {
  traverse = "topdown",
  Div = function(div) return div_float(div) end,
  Figure = figure_float,
  Table = table_float,
  Para = image_float,
}

local function own_caption(div, kind)
  local last = div.content[#div.content]
  if #div.content > 1 and last.t == "Para" then
    div.content:remove()
    return last.content
  end
  local text = div.attributes[kind .. "-cap"]
  if text then
    return inlines_from(text)
  end
  local found = pandoc.Inlines({})
  div.content = div.content:walk({
    Table = function(tbl)
      if #found == 0 then
        found = caption_inlines(tbl.caption)
      end
      tbl.caption = { long = {} }
      return tbl
    end,
  })
  return found
end

-- A labelled div is a float, an embedded cell one within its cell: what a filter adds to the
-- cell then stands outside the float, as in Quarto.
div_float = function(div)
  local kind = kind_of(div.identifier)
  local is_cell = div.classes:includes("cell")
  if not kind then
    return nil
  end
  local caption = own_caption(div, kind)
  local content = div.content:walk({ Table = with_widths(div.attributes["tbl-colwidths"]) })
  local built = float(div.identifier, kind, content:walk(floats), caption, div.attributes)
  if is_cell then
    local kept = { kilde = div.attributes.kilde }
    return pandoc.Div({ built }, pandoc.Attr("", { "cell" }, kept)), false
  end
  return built, false
end

local function read_chapter(chapter)
  local doc = read(chapter.text)
  if doc.meta.title and not job.single then
    local id = pandoc.utils.stringify(doc.meta.identifier or "")
    doc.blocks:insert(1, pandoc.Header(1, doc.meta.title, pandoc.Attr(id)))
  end
  local own_meta = doc.meta
  doc.meta = read(job.metadata).meta
  doc.meta.evalkit = own_meta.evalkit or doc.meta.evalkit
  return doc
    :walk({ Div = embedded_cell })
    :walk({ Div = visible, Span = visible })
    :walk(floats)
end

local function callout_kind(div)
  for _, class in ipairs(div.classes) do
    local kind = class:match("^callout%-(%a+)$")
    if kind then
      return kind
    end
  end
end

local function titled_callout(div)
  local kind = callout_kind(div)
  if not kind or div.classes:includes("callout") then
    return nil
  end
  local title = div.attributes.title and inlines_from(div.attributes.title)
  local first = div.content[1]
  if not title and first and first.t == "Header" then
    title = first.content
    div.content:remove(1)
  end
  title = title or pandoc.Inlines({ words.callouts[kind] })
  return pandoc.Div({
    pandoc.Div({ pandoc.Plain(title) }, pandoc.Attr("", { "callout-title" })),
    pandoc.Div(div.content, pandoc.Attr("", { "callout-body" })),
  }, pandoc.Attr(div.identifier, { "callout", "callout-" .. kind }, { kind = kind }))
end

local filters = {}
local FILTERS = { "cells.lua", "dates.lua", "sources.lua", "facts.lua", "chapter-references.lua" }
for _, name in ipairs(FILTERS) do
  for _, filter in ipairs(dofile(pandoc.path.join({ job.extension, name }))) do
    table.insert(filters, filter)
  end
end

-- EVALKIT_USED is where the filters note what a chapter takes from elsewhere.
local function filtered(doc, chapter)
  EVALKIT_INPUT, EVALKIT_USED = chapter.file, { facts = {}, sources = false }
  for _, filter in ipairs(filters) do
    doc = doc:walk(filter)
  end
  return doc
end

local function names(set)
  local found = pandoc.List({})
  for name in pairs(set) do
    found:insert(name)
  end
  return found
end

local read_now = pandoc.List({})

-- What was read before stands in the chapter's `reading`; what is read now is put there.
local function kept(chapter)
  local handle = io.open(chapter.reading, "rb")
  if not handle then
    return nil
  end
  local doc = pandoc.read(handle:read("a"), "json")
  handle:close()
  return doc
end

local function keep(doc, number)
  local handle = assert(io.open(job.chapters[number].reading, "wb"))
  handle:write(pandoc.write(doc, "json"))
  handle:close()
  read_now:insert({ chapter = number, facts = names(EVALKIT_USED.facts), sources = EVALKIT_USED.sources })
end

-- A chapter as it is before numbering.
local function chapter_document(chapter, number)
  local doc = chapter.reading and kept(chapter)
  if doc then
    return doc
  end
  doc = filtered(read_chapter(chapter):walk({ Div = titled_callout }), chapter)
  if chapter.reading then
    keep(doc, number)
  end
  return doc
end

return { chapter = chapter_document, read_now = read_now }
