# mail: plain list
require ["date", "relational"];
if date :value "ge" :zone "+0000" "date" "date" "2026-06-01" { discard; }
