-- Takes away what Quarto notes of the notebook that a cell comes from: the path of a file on the
-- machine that renders, the cell's id, and when the cell was run.
--
-- Where an embedded cell carries no notebook, Quarto neither links to it nor publishes its code.

local NOTED = { "^notebook$", "^notebook%-", "^quarto%-private%-%d+$" }

local function is_noted(name)
  local bare = name:gsub("^data%-", "")
  for _, pattern in ipairs(NOTED) do
    if bare:match(pattern) then
      return true
    end
  end
  return false
end

local function without_notes(el)
  local noted = pandoc.List({})
  for name in pairs(el.attributes) do
    if is_noted(name) then
      noted:insert(name)
    end
  end
  if #noted == 0 then
    return nil
  end
  for _, name in ipairs(noted) do
    el.attributes[name] = nil
  end
  return el
end

local kinds = { "Div", "Span", "CodeBlock", "Code", "Header", "Link", "Image", "Table", "Figure" }
local filter = {}
for _, kind in ipairs(kinds) do
  filter[kind] = without_notes
end

return { filter }
