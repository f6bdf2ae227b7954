# mail: folded
if address :localpart "from" "second" { discard; }
