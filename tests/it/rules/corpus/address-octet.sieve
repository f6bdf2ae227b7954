# mail: plain list
if address :comparator "i;octet" "from" "Joe@example.net" { discard; }
