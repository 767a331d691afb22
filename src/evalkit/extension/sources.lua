-- Writes the source line of an embedded table or figure: the cell option `#| kilde: '...'`
-- becomes a paragraph of class kilde after the cell's table or figure.
--
-- A notebook may write the line itself, as a paragraph of one span, [Kilde: ...]{.kilde}. In
-- Typst both are handed to the page design's function source-line.

local function is_typst()
  if quarto then
    return quarto.doc.is_format("typst")
  end
  return FORMAT == "typst"
end

local function line(text)
  local inlines = pandoc.utils.blocks_to_inlines(pandoc.read(text, "markdown").blocks)
  return pandoc.Para({ pandoc.Span(inlines, pandoc.Attr("", { "kilde" })) })
end

local function with_line(div)
  local text = div.attributes.kilde
  if not text then
    return nil
  end
  div.attributes.kilde = nil
  div.content:insert(line(text))
  return div
end

local function is_line(paragraph)
  local only = paragraph.content[1]
  return #paragraph.content == 1 and only.t == "Span" and only.classes:includes("kilde")
end

local function styled(paragraph)
  if not is_line(paragraph) or not is_typst() then
    return nil
  end
  local inlines = pandoc.Inlines({ pandoc.RawInline("typst", "#source-line[") })
  inlines:extend(paragraph.content[1].content)
  inlines:insert(pandoc.RawInline("typst", "]"))
  return pandoc.Plain(inlines)
end

local function style_sheet(meta)
  if quarto and quarto.doc.is_format("html") then
    quarto.doc.add_html_dependency({
      name = "evalkit",
      version = "0.1.0",
      stylesheets = { "evalkit.css" },
    })
  end
  return meta
end

return {
  { Div = with_line, Meta = style_sheet },
  { Para = styled },
}
