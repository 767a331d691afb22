-- What points from one place to another: references, citations, links between chapters.

local common = ...
local job, words, is_html, is_typst = common.job, common.words, common.is_html, common.is_typst
local is_docx, NBSP, stop, read = common.is_docx, common.NBSP, common.stop, common.read
local raw_inline = common.raw_inline

local targets = common.targets

local function page(file)
  return (file:gsub("%.%w+$", ".html"))
end

local function href(target, identifier, from)
  if is_docx or target.file == from then
    return "#" .. identifier
  end
  return page(target.file) .. (target.is_chapter and "" or "#" .. identifier)
end

local function word(target)
  if target.kind == "sec" and target.is_chapter then
    return target.chapter.kind == "appendix" and words.apx or words.ch
  end
  return words[target.kind]
end

local function number_text(target)
  if target.part and is_typst then
    return target.number .. target.part
  end
  return target.number .. (target.part and " (" .. target.part .. ")" or "")
end

local function chapter_label(chapter)
  if chapter.kind == "appendix" then
    return pandoc.Inlines({ words.apx .. " " .. chapter.number .. " — " })
  end
  return pandoc.Inlines({ chapter.number .. NBSP .. " " })
end

-- From a chapter without a number Quarto's HTML names a section by its title alone.
local function bare_title(target)
  local inlines = target.is_chapter and chapter_label(target.chapter) or pandoc.Inlines({})
  inlines:extend(target.title)
  return inlines
end

local function reference(citation, chapter)
  local identifier = citation.id:sub(1, 1):lower() .. citation.id:sub(2)
  local target = targets[identifier]
  if not target or not target.number then
    stop(chapter.file .. ": @" .. citation.id .. " points to nothing that has a number")
  end
  local prefix = citation.prefix
  local bare = citation.mode == "SuppressAuthor"
  if is_typst then
    local inlines = pandoc.Inlines({ raw_inline("#ref(<" .. identifier .. ">, supplement: [") })
    if not bare then
      inlines:extend(#prefix > 0 and prefix or { pandoc.Str(word(target)) })
    end
    inlines:insert(raw_inline("])"))
    return inlines
  end
  local content = pandoc.Inlines({})
  if target.kind == "sec" and not chapter.number and is_html and not job.single and not bare and #prefix == 0 then
    content = bare_title(target)
  else
    local space = target.kind == "sec" and #prefix == 0 and " " or NBSP
    if not bare then
      content:extend(#prefix > 0 and prefix or { pandoc.Str(word(target)) })
      content:insert(pandoc.Str(space))
    end
    content:insert(pandoc.Str(number_text(target)))
  end
  local link = pandoc.Link(content, href(target, identifier, chapter.file))
  link.classes:insert("quarto-xref")
  return pandoc.Inlines({ link })
end

local function is_crossref(citation)
  local kind = citation.id:match("^(%a+)%-")
  return kind and words[kind:lower()] ~= nil and kind:lower() ~= "ch" and kind:lower() ~= "apx"
end

local function resolved(doc, chapter)
  return doc:walk({
    Cite = function(cite)
      if not cite.citations:find_if(is_crossref) then
        return nil
      end
      local inlines = pandoc.Inlines({})
      for number, citation in ipairs(cite.citations) do
        if not is_crossref(citation) then
          stop(chapter.file .. ": @" .. citation.id .. " stands in one bracket with a reference")
        end
        if number > 1 then
          inlines:extend({ pandoc.Str(","), pandoc.Space() })
        end
        inlines:extend(reference(citation, chapter))
      end
      return inlines
    end,
  })
end

-- Citations: one run over the whole book, so that 2020a and 2020b are the same everywhere.
local function cited(docs)
  local parts = pandoc.Blocks({})
  for number, doc in ipairs(docs) do
    parts:insert(pandoc.Div(doc.blocks, pandoc.Attr("evalkit-part-" .. number)))
  end
  local meta = read(job.metadata).meta
  if not meta.bibliography then
    return docs
  end
  meta["link-citations"] = true
  local whole = pandoc.utils.citeproc(pandoc.Pandoc(parts, meta))
  for number, doc in ipairs(docs) do
    doc.blocks = whole.blocks[number].content
  end
  return docs
end

local function reference_page(docs)
  for number, doc in ipairs(docs) do
    local found = false
    doc.blocks:walk({ Div = function(div) found = found or div.identifier == "refs" end })
    if found then
      return job.chapters[number].file
    end
  end
end

local chapters_by_file = {}

local function linked(doc, chapter, references)
  return doc:walk({
    Link = function(link)
      local entry = link.target:match("^#(ref%-.*)$")
      if entry and is_html and references and references ~= chapter.file then
        link.target = page(references) .. "#" .. entry
        return link
      end
      local file, anchor = link.target:match("^([^#]*%.qmd)(#?.*)$")
      file = file and (file:gsub("^%./", ""))
      if not file or not chapters_by_file[file] then
        return nil
      end
      if is_html then
        link.target = "./" .. page(file) .. anchor
      else
        link.target = anchor ~= "" and anchor or "#" .. chapters_by_file[file].identifier
      end
      return link
    end,
  })
end

return {
  chapters_by_file = chapters_by_file,
  cited = cited,
  linked = linked,
  reference_page = reference_page,
  resolved = resolved,
}
