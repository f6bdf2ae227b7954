# mail: plain list
require ["date"];
if date :zone "+0000" "date" ["year", "month"] "2026" { discard; }
