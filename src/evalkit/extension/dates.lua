-- A date that opens a table cell is no list: pandoc reads "20. oktober 2021" there as the
-- twentieth point of a numbered list. A list of one point in a cell is written out as text.

local function as_text(list)
  local attributes = list.listAttributes
  local first = #list.content == 1 and list.content[1][1]
  local is_point = attributes.style == "Decimal" and attributes.delimiter == "Period"
  if not first or not is_point or (first.t ~= "Plain" and first.t ~= "Para") then
    return nil
  end
  first.content:insert(1, pandoc.Space())
  first.content:insert(1, pandoc.Str(tostring(attributes.start) .. "."))
  return list.content[1]
end

return {
  {
    Table = function(tbl)
      return tbl:walk({ OrderedList = as_text })
    end,
  },
}
