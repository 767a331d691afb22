-- A document of its own as Word: captions, references and pictures that Word can read.

local common = ...
local job, words, NBSP, read_file = common.job, common.words, common.NBSP, common.read_file
local read, is_float, joined = common.read, common.is_float, common.joined
local stringify = pandoc.utils.stringify

local PORTRAIT = '<w:pgSz w:w="11906" w:h="16838"/>'
local LANDSCAPE = '<w:pgSz w:w="16838" w:h="11906" w:orient="landscape"/>'

local function section_end(size)
  return pandoc.RawBlock("openxml", "<w:p><w:pPr><w:sectPr>" .. size .. "</w:sectPr></w:pPr></w:p>")
end

local function styled(blocks, style)
  return pandoc.Div(blocks, pandoc.Attr("", {}, { { "custom-style", style } }))
end

local function docx_image(image)
  local alt = image.attributes["fig-alt"] or image.attributes.alt or stringify(image.caption)
  image.attributes["fig-alt"] = nil
  image.caption = { pandoc.Str(alt) }
  local source = image.src:gsub("%.svg$", ".png")
  pandoc.mediabag.insert(source, nil, read_file(job.folder .. "/" .. source))
  image.src = source
  image.attributes.width = image.attributes.width or job.widths[source]
  return image
end

local function docx_float(div)
  if not is_float(div) then
    return nil
  end
  local attributes = div.attributes
  local kind, part = attributes.kind, attributes.part
  local label = part and "(" .. part .. ") " or words[kind] .. NBSP .. attributes.number .. ": "
  local caption = pandoc.Inlines({ pandoc.Strong(label) })
  caption:extend(div.content[2].content[1].content)
  local line = styled({ pandoc.Para(caption) }, kind == "tbl" and "Table Caption" or "Image Caption")
  local blocks = pandoc.Blocks({})
  for _, block in ipairs(div.content[1].content) do
    local is_image = block.t == "Plain" and #block.content == 1 and block.content[1].t == "Image"
    blocks:insert(is_image and styled({ pandoc.Para(block.content) }, "Captioned Figure") or block)
  end
  blocks:insert(kind == "tbl" and 1 or #blocks + 1, line)
  return pandoc.Div(blocks, pandoc.Attr(div.identifier))
end

local function docx_callout(div)
  if not div.classes:includes("callout") then
    return nil
  end
  local blocks = pandoc.Blocks({
    pandoc.Para({ pandoc.Strong(pandoc.utils.blocks_to_inlines(div.content[1].content)) }),
  })
  blocks:extend(div.content[2].content)
  return pandoc.BlockQuote(blocks)
end

local function docx_equation(span)
  if not span.classes:includes("evalkit-equation") then
    return nil
  end
  local content = span.content
  content:extend({ pandoc.Space(), pandoc.Str("(" .. span.attributes.number .. ")") })
  return pandoc.Span(content, pandoc.Attr(span.identifier))
end

local function docx_landscape(div)
  if not div.classes:includes("landscape") then
    return nil
  end
  local blocks = pandoc.Blocks({ section_end(PORTRAIT) })
  blocks:extend(div.content)
  blocks:insert(section_end(LANDSCAPE))
  return blocks
end

local function docx_header(header)
  header.attributes.number = nil
  return header
end

local function docx_table(tbl)
  tbl.attributes.widths = nil
  return tbl
end

local banner = dofile(pandoc.path.join({ job.extension, "banner.lua" }))

local function as_docx(docs)
  local meta = read(job.metadata).meta
  meta.author = job.authors
  meta.date = job.date
  local whole = pandoc.Pandoc(joined(docs), meta)
    :walk(banner[1])
    :walk({ Image = docx_image, Span = docx_equation, Header = docx_header, Table = docx_table })
    :walk({ Div = docx_callout })
    :walk({ Div = docx_float })
    :walk({ Div = docx_landscape })
  return pandoc.write(whole, "docx", { number_sections = true })
end

return { as_docx = as_docx }
