# mail: plain list
require ["date"];
if date "resent-date" "year" "2026" { discard; }
