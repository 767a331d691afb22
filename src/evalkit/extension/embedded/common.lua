-- What the parts of the embedded engine share: the job, the words, small helpers.

local folder = ...

local function read_file(path)
  local handle = assert(io.open(path, "rb"))
  local text = handle:read("a")
  handle:close()
  return text
end

local job = pandoc.json.decode(read_file(arg[1]), false)
FORMAT = job.format

local common = {
  job = job,
  words = job.words,
  is_html = job.format == "html",
  is_typst = job.format == "typst",
  is_docx = job.format == "docx",
  NBSP = "\u{00A0}",
  read_file = read_file,
}

-- Another part of the engine, from the same folder.
function common.part(name)
  return assert(loadfile(pandoc.path.join({ folder, name .. ".lua" })))(common)
end

function common.stop(message)
  io.stderr:write("Error: " .. message .. "\n")
  os.exit(1)
end

-- As the pandoc that Quarto calls: a grid table's dashes are measured against 72 columns.
function common.read(text)
  return pandoc.read(text, "markdown", { columns = 72 })
end

function common.inlines_from(text)
  return pandoc.utils.blocks_to_inlines(common.read(text).blocks)
end

function common.raw(text)
  return pandoc.RawBlock(job.format, text)
end

function common.raw_inline(text)
  return pandoc.RawInline(job.format, text)
end

function common.is_float(div)
  return div.classes:includes("evalkit-float")
end

function common.joined(docs)
  local blocks = pandoc.Blocks({})
  for _, doc in ipairs(docs) do
    blocks:extend(doc.blocks)
  end
  return blocks
end

return common
