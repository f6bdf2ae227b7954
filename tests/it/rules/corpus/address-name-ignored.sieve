# mail: plain list
if address :contains "from" "Miller" { discard; }
