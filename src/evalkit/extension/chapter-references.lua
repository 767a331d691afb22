-- Writes the references of its own chapter into a div of class chapter-references.
-- In HTML a document is one chapter; in Typst the whole book is one document.

local function is_crossref(citation)
  return citation.id:match("^%a%a%a?%-") ~= nil
end

local function is_place(block)
  return block.t == "Div" and block.classes:includes("chapter-references")
end

-- The entries that citeproc makes for the chapter's own citations, without their ids: the
-- common list keeps those. Divs that ask for a list are taken out first.
local function entries(chapter, meta)
  if EVALKIT_USED then
    EVALKIT_USED.sources = true
  end
  local cited = pandoc.Blocks(chapter):walk({
    Div = function(div)
      return div.identifier == "refs" and {} or nil
    end,
    Cite = function(cite)
      return cite.citations:find_if(is_crossref) and pandoc.Str("") or nil
    end,
  })
  local found = pandoc.Blocks({})
  pandoc.utils.citeproc(pandoc.Pandoc(cited, meta)).blocks:walk({
    Div = function(div)
      if div.identifier == "refs" then
        found = div.content
      end
    end,
  })
  return found:walk({
    Div = function(div)
      div.identifier = ""
      return div
    end,
  })
end

-- In Typst a list of references is set tighter than the text, by the template's reference-list.
local function is_typst()
  return FORMAT:match("typst") or (quarto and quarto.doc.is_format("typst"))
end

local function set_tightly(blocks)
  local list = pandoc.Blocks({ pandoc.RawBlock("typst", "#reference-list[") })
  list:extend(blocks)
  list:insert(pandoc.RawBlock("typst", "]"))
  return list
end

local function finished(chapter, meta)
  for _, block in ipairs(chapter) do
    if is_place(block) then
      local found = entries(chapter, meta)
      block.content = is_typst() and set_tightly(found) or found
      if #found > 0 then
        block.attributes.role = "list" -- its entries are list items
      end
    end
  end
  return chapter
end

local function by_chapter(doc)
  if not doc.blocks:find_if(is_place) then
    return nil
  end
  local blocks, chapter = pandoc.List({}), pandoc.List({})
  for _, block in ipairs(doc.blocks) do
    if block.t == "Header" and block.level == 1 then
      blocks:extend(finished(chapter, doc.meta))
      chapter = pandoc.List({})
    end
    chapter:insert(block)
  end
  blocks:extend(finished(chapter, doc.meta))
  doc.blocks = blocks
  return doc
end

local function common_list(div)
  return div.identifier == "refs" and is_typst() and set_tightly({ div }) or nil
end

return { { Pandoc = by_chapter }, { Div = common_list } }
