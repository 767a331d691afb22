-- Numbers chapters, sections, tables, figures and equations, and remembers what carries which.

local common = ...
local is_float = common.is_float

local targets = {}

local function letter(number)
  return string.char(string.byte("A") + number - 1)
end

local function claim(identifier, target)
  if identifier ~= "" then
    targets[identifier] = target
  end
end

local function number_chapter(doc, chapter)
  local counts, levels = { fig = 0, tbl = 0, eq = 0 }, {}
  local prefix = chapter.number and chapter.number .. "." or ""
  local titled = false

  local function number_header(header)
    if header.level == 1 and not titled then
      titled = true
      chapter.identifier, chapter.title = header.identifier, header.content
      claim(header.identifier, {
        kind = "sec", file = chapter.file, number = chapter.number, chapter = chapter,
        title = header.content, is_chapter = true,
      })
      return nil
    end
    local target = { kind = "sec", file = chapter.file, title = header.content, chapter = chapter }
    if chapter.number and not header.classes:includes("unnumbered") then
      local depth = header.level - 1
      for level = 1, depth - 1 do
        levels[level] = levels[level] or 0
      end
      levels[depth] = (levels[depth] or 0) + 1
      for level = depth + 1, 6 do
        levels[level] = nil
      end
      target.number = prefix .. table.concat(levels, ".")
    end
    claim(header.identifier, target)
    header.attributes.number = target.number
    if not target.number and not header.classes:includes("unnumbered") then
      header.classes:insert("unnumbered")
    end
    return header
  end

  local function number_float(div)
    if div.classes:includes("callout-title-holder") then
      return nil, false
    end
    if not is_float(div) then
      return nil
    end
    local kind = div.attributes.kind
    counts[kind] = counts[kind] + 1
    local number = prefix .. counts[kind]
    div.attributes.number = number
    local caption = div.content[2].content[1].content
    claim(div.identifier, {
      kind = kind, file = chapter.file, number = number, chapter = chapter, title = caption,
    })
    local part = 0
    div.content[1] = div.content[1]:walk({
      traverse = "topdown",
      Div = function(sub)
        if not is_float(sub) then
          return nil
        end
        part = part + 1
        sub.attributes.part = string.char(string.byte("a") + part - 1)
        sub.attributes.number = number
        claim(sub.identifier, {
          kind = kind, file = chapter.file, number = number, part = sub.attributes.part,
          chapter = chapter, title = sub.content[2].content[1].content,
        })
        return sub, false
      end,
    })
    return div, false
  end

  local function number_equation(span)
    if not span.identifier:match("^eq%-") then
      return nil
    end
    counts.eq = counts.eq + 1
    span.attributes.number = prefix .. counts.eq
    span.classes:insert("evalkit-equation")
    claim(span.identifier, {
      kind = "eq", file = chapter.file, number = span.attributes.number, chapter = chapter,
      title = {},
    })
    return span
  end

  return doc:walk({
    traverse = "topdown",
    Header = number_header,
    Div = number_float,
    Span = number_equation,
  })
end

-- One document cannot hold a label twice: headings without an id of their own step aside.
local function distinct_labels(docs)
  local seen = {}
  for number, doc in ipairs(docs) do
    docs[number] = doc:walk({
      traverse = "topdown",
      Header = function(header)
        local identifier, count = header.identifier, 0
        if identifier == "" then
          return nil
        end
        while seen[header.identifier] do
          count = count + 1
          header.identifier = identifier .. "-" .. count
        end
        seen[header.identifier] = true
        return header
      end,
    })
  end
end

return {
  targets = targets,
  letter = letter,
  distinct_labels = distinct_labels,
  number_chapter = number_chapter,
}
