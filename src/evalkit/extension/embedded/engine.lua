-- The embedded engine: reads the chapters of a book, numbers them, resolves what points from one
-- to another and writes them as HTML pages, as one Typst document or as a Word document.
--
-- Run as `pandoc lua engine.lua job.json`. The job (made by evalkit.book.embedded) holds the
-- format, the chapters as Markdown, the embedded cells and the words; the answer is a JSON file
-- (the document itself for Word). Numbers and reference texts follow Quarto, per format.

local folder = pandoc.path.directory(arg[0])
local common = assert(loadfile(pandoc.path.join({ folder, "common.lua" })))(folder)
local job = common.job

local reading = common.part("reading")
local numbering = common.part("numbering")
common.targets = numbering.targets
local references = common.part("references")
local addresses = dofile(pandoc.path.join({ job.extension, "addresses.lua" }))[1]

-- A document's level-1 headings are its chapters.
local function split_document(doc, source)
  local docs, chapters = pandoc.List({}), pandoc.List({})
  for _, block in ipairs(doc.blocks) do
    local begins = block.t == "Header" and block.level == 1
    if begins or #docs == 0 then
      docs:insert(pandoc.Pandoc({}, doc.meta))
      chapters:insert({ file = source.file, kind = begins and "chapter" or "front" })
    end
    docs[#docs].blocks:insert(block)
  end
  job.chapters = chapters
  return docs
end

local function numbered_chapters(docs)
  local chapters, appendices = 0, 0
  for number, doc in ipairs(docs) do
    local chapter = job.chapters[number]
    chapter.number = nil
    references.chapters_by_file[chapter.file] = chapter
    local title = doc.blocks:find_if(function(block) return block.t == "Header" and block.level == 1 end)
    if not title and chapter.kind ~= "front" then
      common.stop(chapter.file .. " has no title: its first heading should be `# ...`")
    end
    if title and chapter.kind ~= "part" and not title.classes:includes("unnumbered") then
      if chapter.kind == "appendix" then
        appendices = appendices + 1
        chapter.number = numbering.letter(appendices)
      else
        chapters = chapters + 1
        chapter.number = tostring(chapters)
      end
    end
  end
end

local function prepared()
  local docs = pandoc.List({})
  for number, chapter in ipairs(job.chapters) do
    docs:insert(reading.chapter(chapter, number))
  end
  if job.single then
    docs = split_document(docs[1], job.chapters[1])
  end
  numbered_chapters(docs)
  if not common.is_html then
    numbering.distinct_labels(docs)
  end
  for number, doc in ipairs(docs) do
    docs[number] = numbering.number_chapter(doc, job.chapters[number])
  end
  for number, doc in ipairs(docs) do
    docs[number] = references.resolved(doc, job.chapters[number])
  end
  docs = references.cited(docs)
  local page = common.is_html and references.reference_page(docs)
  for number, doc in ipairs(docs) do
    docs[number] = references.linked(doc, job.chapters[number], page):walk(addresses)
  end
  return docs
end

local function answer(docs)
  if common.is_docx then
    return common.part("word").as_docx(docs)
  end
  local result = { chapters = {}, read_now = reading.read_now }
  if common.is_typst then
    result.document = common.part("print").as_typst(docs)
  elseif job.single then
    result.page = common.part("pages").as_document(docs)
  else
    local pages = common.part("pages")
    for number, doc in ipairs(docs) do
      result.chapters[number] = pages.as_page(doc, job.chapters[number])
    end
  end
  return pandoc.json.encode(result)
end

local handle = assert(io.open(job.output, "wb"))
handle:write(answer(prepared()))
handle:close()
