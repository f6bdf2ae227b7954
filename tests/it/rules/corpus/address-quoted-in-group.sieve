# mail: written
if allof(address :is :localpart "to" "c d", not address :is :localpart "to" "") { discard; }
