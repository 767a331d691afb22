-- Tables for those who listen, and for narrow screens: a header cell says what it heads, and a table
-- stands in a box that scrolls by itself, with the keyboard too, under the table's own name.

local stringify = pandoc.utils.stringify

local function with_scopes(tbl)
  for _, row in ipairs(tbl.head.rows) do
    for _, cell in ipairs(row.cells) do
      cell.attributes.scope = cell.col_span > 1 and "colgroup" or "col"
    end
  end
  return tbl
end

-- The attributes of the box; a table without a caption has the section's heading for a name.
local function box(name)
  return pandoc.Attr("", { "table-scroll" }, {
    { "role", "region" }, { "tabindex", "0" }, { name.by and "aria-labelledby" or "aria-label", name.by or name.text },
  })
end

local function in_box(tbl, name)
  return pandoc.Div({ with_scopes(tbl) }, box(name))
end

local function without_ends(text)
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

-- In Quarto's HTML: after Quarto's own filters, when captions stand where they will be.
local function boxed(doc)
  if not (quarto and quarto.doc.is_format("html")) then
    return nil
  end
  local heading, count = "", 0
  local function of_float(div)
    if div.classes:includes("table-scroll") then
      return nil, false
    end
    local caption = div.attributes["aria-describedby"]
    if not caption then
      return nil
    end
    return div:walk({ Table = function(tbl) return in_box(tbl, { by = caption }), false end }), false
  end
  doc.blocks = doc.blocks:walk({
    traverse = "topdown",
    Header = function(header)
      heading = without_ends(stringify(header.content))
    end,
    Div = of_float,
    Table = function(tbl)
      count = count + 1
      return in_box(tbl, { text = "Tabell " .. count .. ": " .. heading }), false
    end,
  })
  return doc
end

return { { Pandoc = boxed }, in_box = in_box }
