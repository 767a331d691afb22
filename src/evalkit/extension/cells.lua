-- What a notebook's cell brings into a chapter is text, tables and pictures: raw HTML and raw Typst
-- in its output stand on the page as text. A block of class compact-list is set small in Typst, by
-- the page design's function.

local function as_text(raw)
  return pandoc.Str(raw.text)
end

local function as_paragraph(raw)
  return pandoc.Para({ pandoc.Str(raw.text) })
end

local function is_typst()
  if quarto then
    return quarto.doc.is_format("typst")
  end
  return FORMAT == "typst"
end

local function without_raw(div)
  if div.classes:includes("cell") then
    return div:walk({ RawInline = as_text, RawBlock = as_paragraph })
  end
end

local function set_small(div)
  if not div.classes:includes("compact-list") then
    return nil
  end
  local blocks = div.content
  if is_typst() then
    blocks:insert(1, pandoc.RawBlock("typst", "#compact-list["))
    blocks:insert(pandoc.RawBlock("typst", "]"))
  end
  return blocks
end

return { { Div = without_raw }, { Div = set_small } }
