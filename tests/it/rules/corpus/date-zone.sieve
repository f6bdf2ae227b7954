# mail: plain list
require "date";
if date :zone "-0500" "date" "date" "2025-12-31" { discard; }
