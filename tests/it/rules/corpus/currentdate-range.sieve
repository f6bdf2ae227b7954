# mail: plain list
require ["date", "relational"];
if allof (currentdate :value "ge" "iso8601" "2000-01-01T00:00:00", currentdate :value "lt" "iso8601" "2001-01-01T00:00:00") { discard; }
