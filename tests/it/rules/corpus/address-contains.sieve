# mail: plain list
if address :contains "to" "other" { discard; }
