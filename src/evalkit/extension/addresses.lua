-- Addresses lead within the book, to the web (http, https) or to a DOI. A link to any other kind of
-- address is its text, and so is a picture that lies elsewhere.

local WEB = { http = true, https = true }

-- Browsers pass over control characters and spaces in an address, and read \ as /.
local function seen(address)
  return (address:gsub("[%c%s]", ""):gsub("\\", "/"))
end

-- What stands before the first colon, unless the path has begun.
local function scheme(address)
  return address:match("^([^/?#]*):")
end

local function link(el)
  local address = seen(el.target)
  local doi = address:match("^[Dd][Oo][Ii]:(10%..+)$")
  if doi then
    el.target = "https://doi.org/" .. doi
    return el
  end
  local kind = scheme(address)
  if address:match("^//") or kind and not WEB[kind:lower()] then
    return pandoc.Span(el.content)
  end
end

local function picture(el)
  local address = seen(el.src)
  if address:match("^//") or scheme(address) then
    return pandoc.Span(el.caption)
  end
end

return { { Link = link, Image = picture } }
