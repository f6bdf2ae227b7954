# mail: plain list
require "date";
if date :zone "+0100" "date" "iso8601" "2026-11-20T04:31:38+01:00" { discard; }
