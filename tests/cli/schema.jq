# Says in what a document differs from the JSON Schema $schema[0]; the keywords
# that vmalock schema uses. A key that the schema does not name is an error.

def kind: if type == "number" then (if . == floor then "integer" else "number" end) else type end;

def bad($s; $at):
  . as $v
  | (if $s.type and ($v | kind) != $s.type and ($s.type != "number" or ($v | type) != "number")
     then "\($at): \($v | kind), should be \($s.type)" else empty end),
    (if ($s | has("const")) and $v != $s.const then "\($at): not \($s.const)" else empty end),
    (if $s.enum and ($s.enum | index([$v]) | not) then "\($at): \($v) is not allowed" else empty end),
    (if $s.pattern and ($v | type) == "string" and ($v | test($s.pattern) | not) then "\($at): not \($s.pattern)" else empty end),
    (if $s.minimum and ($v | type) == "number" and $v < $s.minimum then "\($at): under \($s.minimum)" else empty end),
    (if $s.format == "date-time" and ($v | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{9}Z$") | not)
     then "\($at): no time" else empty end),
    (if ($v | type) == "object" then
       (($s.required // [])[] | select(. as $k | $v | has($k) | not) | "\($at): no \(.)"),
       ($v | keys[] as $k
        | if ($s.properties // {}) | has($k) then .[$k] | bad($s.properties[$k]; "\($at).\($k)")
          elif $s.additionalProperties then .[$k] | bad($s.additionalProperties; "\($at).\($k)")
          else "\($at): unknown key \($k)" end)
     else empty end),
    (if ($v | type) == "array" then
       range($v | length) as $i
       | if ($s.prefixItems // []) | length > $i then $v[$i] | bad($s.prefixItems[$i]; "\($at)[\($i)]")
         elif $s.items == false then "\($at): too long"
         elif $s.items then $v[$i] | bad($s.items; "\($at)[\($i)]")
         else empty end
     else empty end),
    (if $s.minItems and ($v | type) == "array" and ($v | length) < $s.minItems then "\($at): too short" else empty end);

bad($schema[0]; "")
