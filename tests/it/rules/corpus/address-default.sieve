# mail: plain list
if address "from" "joe@example.net" { discard; }
