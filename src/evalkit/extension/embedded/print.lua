-- The whole book as one Typst document, for the page design of the extension.

local common = ...
local job, words, read, inlines_from = common.job, common.words, common.read, common.inlines_from
local raw, raw_inline, is_float = common.raw, common.raw_inline, common.is_float
local stringify = pandoc.utils.stringify

local function typst_string(text)
  return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("\n", " ") .. '"'
end

local function typst_callout(div)
  if not div.classes:includes("callout") then
    return nil
  end
  local title, body = div.content[1].content, div.content[2].content
  local blocks = pandoc.Blocks({ raw("#callout(kind: " .. typst_string(div.attributes.kind) .. ", title: [") })
  blocks:extend(title)
  blocks:insert(raw("], body: ["))
  blocks:extend(body)
  blocks:insert(raw("])"))
  return blocks
end

local function length(text)
  local value, unit = text:match("^([%d%.]+)(.*)$")
  if unit == "" or unit == "px" then
    return tonumber(value) * 0.75 .. "pt"
  end
  return text
end

local function typst_image(image)
  local alt = image.attributes["fig-alt"] or image.attributes.alt or stringify(image.caption)
  local arguments = { typst_string(image.src), "alt: " .. typst_string(alt) }
  for _, name in ipairs({ "width", "height" }) do
    if image.attributes[name] then
      table.insert(arguments, name .. ": " .. length(image.attributes[name]))
    end
  end
  return raw_inline("#box(image(" .. table.concat(arguments, ", ") .. "))")
end

local function typst_table(tbl)
  tbl.attributes.widths = nil
  tbl.classes:insert("typst:no-figure")
  return tbl
end

local function typst_float(div)
  if not is_float(div) then
    return nil
  end
  local attributes = div.attributes
  local kind, part = attributes.kind, attributes.part
  local caption = div.content[2].content[1].content
  local position = kind == "tbl" and "top" or "bottom"
  local columns = tonumber(attributes.ncol)
  local content = div.content[1].content
  local parts = pandoc.List({})
  content:walk({
    Div = function(sub)
      if sub.classes:includes("evalkit-subfloat") then
        parts:insert(sub.content)
      end
    end,
  })
  local blocks = pandoc.Blocks({
    raw("#" .. (part and "subfloat" or #parts > 0 and "subfloats" or "figure") .. '(kind: "quarto-float-'
      .. kind .. '", supplement: [' .. words[kind] .. "], ["),
  })
  if #parts > 0 then
    blocks:insert(raw("#grid(columns: " .. (columns or 1) .. ", gutter: 1.5em,"))
    for _, sub in ipairs(parts) do
      blocks:insert(raw("["))
      blocks:extend(sub)
      blocks:insert(raw("],"))
    end
    blocks:insert(raw(")"))
  else
    blocks:extend(content)
  end
  blocks:insert(raw("], caption: figure.caption(position: " .. position .. ", ["))
  blocks:insert(pandoc.Plain(caption))
  blocks:insert(raw("])) <" .. div.identifier .. ">"))
  return part and pandoc.Div(blocks, pandoc.Attr("", { "evalkit-subfloat" })) or blocks
end

local function typst_equation(span)
  if not span.classes:includes("evalkit-equation") then
    return nil
  end
  local alt = span.attributes.alt
  local inlines = pandoc.Inlines({
    raw_inline("#math.equation(block: true, numbering: equation-numbering"
      .. (alt and ", alt: " .. typst_string(alt) or "") .. ", [ "),
  })
  inlines:extend(span.content)
  inlines:insert(raw_inline(" ]) <" .. span.identifier .. ">"))
  return inlines
end

-- A landscape page, and the way back to where the text was.
local function typst_landscape(div)
  if not div.classes:includes("landscape") then
    return nil
  end
  local blocks = pandoc.Blocks({ raw("#[\n#set page(flipped: true)") })
  blocks:extend(div.content)
  blocks:insert(raw("]"))
  return blocks
end

local function typst_header(header)
  header.attributes.number = nil
  return header
end

local function reset_counters()
  return raw([[#counter(figure.where(kind: "quarto-float-fig")).update(0)
#counter(figure.where(kind: "quarto-float-tbl")).update(0)
#counter(math.equation).update(0)]])
end

local function part_heading(title, identifier)
  local inlines = pandoc.Inlines({ raw_inline("#part[") })
  inlines:extend(title)
  inlines:insert(raw_inline("]" .. (identifier ~= "" and " <" .. identifier .. ">" or "")))
  return pandoc.Plain(inlines)
end

local function as_part(doc, chapter)
  for number, block in ipairs(doc.blocks) do
    if block.t == "Header" and block.level == 1 then
      doc.blocks[number] = part_heading(block.content, block.identifier)
      return
    end
  end
end

local function as_chapter(doc, chapter)
  for _, block in ipairs(doc.blocks) do
    if block.t == "Header" and block.level == 1 then
      if not chapter.number and not block.classes:includes("unnumbered") then
        block.classes:insert("unnumbered")
      end
      return
    end
  end
end

local function whole_document(docs)
  local blocks, appendix = pandoc.Blocks({}), false
  for number, doc in ipairs(docs) do
    local chapter = job.chapters[number]
    if chapter.part_before then
      blocks:insert(part_heading(inlines_from(chapter.part_before), ""))
    end
    if chapter.kind == "appendix" and not appendix then
      appendix = true
      blocks:insert(raw("#show: appendices"))
      blocks:insert(part_heading(pandoc.Inlines({ words.appendices }), ""))
    end
    if chapter.kind == "part" then
      as_part(doc, chapter)
    else
      as_chapter(doc, chapter)
      blocks:insert(reset_counters())
    end
    blocks:extend(doc.blocks)
  end
  local whole = pandoc.Pandoc(blocks, read(job.metadata).meta)
  return whole
    :walk({ Image = typst_image, Span = typst_equation, Header = typst_header, Table = typst_table })
    :walk({ Div = typst_callout })
    :walk({ Div = typst_float })
    :walk({ Div = typst_landscape })
end

local function as_typst(docs)
  local whole = whole_document(docs)
  local template = pandoc.template.compile(job.template)
  return pandoc.write(whole, "typst-citations", {
    template = template, variables = job.variables, wrap_text = "none",
  })
end

return { as_typst = as_typst }
