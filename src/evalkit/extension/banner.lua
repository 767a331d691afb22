-- Marks every HTML chapter of a draft or a synthetic report: `evalkit: {label: ...}` in the
-- metadata is written above the chapter. The page design marks the pages of the PDF.

local function is_html()
  if quarto then
    return quarto.doc.is_format("html")
  end
  return FORMAT == "html"
end

local function marked(doc)
  local own = doc.meta.evalkit
  local label = type(own) == "table" and own.label and pandoc.utils.stringify(own.label)
  if not label or label == "" or not is_html() then
    return nil
  end
  local place = 1
  for number, block in ipairs(doc.blocks) do
    if block.t == "Header" and block.level == 1 then
      place = number + 1
      break
    end
  end
  doc.blocks:insert(place, pandoc.Div({ pandoc.Para(label) }, pandoc.Attr("", { "evalkit-label" })))
  return doc
end

return { { Pandoc = marked } }
