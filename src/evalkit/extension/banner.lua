-- Marks a draft or a synthetic report: `evalkit: {label: ...}` in the metadata is written above every
-- HTML chapter and at the top of a Word document. The page design marks the pages of the PDF.

local function is_format(name)
  if quarto then
    return quarto.doc.is_format(name)
  end
  return FORMAT == name
end

local function marked(doc)
  local own = doc.meta.evalkit
  local label = type(own) == "table" and own.label and pandoc.utils.stringify(own.label)
  if not label or label == "" then
    return nil
  end
  if is_format("docx") then -- its title stands above all its blocks
    doc.blocks:insert(1, pandoc.Para({ pandoc.Strong(pandoc.text.upper(label)) }))
    return doc
  end
  if not is_format("html") then
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
